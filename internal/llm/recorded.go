package llm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/cloudwego/eino/components/model"

	"github.com/fleetlens/fleetlens/internal/llm/record"
	"github.com/fleetlens/fleetlens/pkg/agent"
)

// recorder returns how the calls of a model are recorded.
func (m Model) recorder(name string) record.Recorder {
	secrets := []string{m.key()}
	return record.Recorder{
		File: m.Record, Model: m.label(name),
		Clean: func(text string) string { return without(text, secrets) },
		Failure: func(err error) record.Failure {
			f := record.Failure{Text: shortened(without(err.Error(), secrets)), RetryAfterMS: rest(err).Milliseconds(), Final: final(err)}
			if status, ok := errors.AsType[*StatusError](err); ok {
				f.Status, f.Text = status.Status, status.Body
			}
			return f
		},
	}
}

// openRecorded makes the model that answers from a file.
func openRecorded(_ context.Context, m Model) (model.ToolCallingChatModel, error) {
	return record.Player{File: m.File, Match: m.Match, Error: refused}.Model()
}

// refused makes the error of a recorded failure: what was decided by its status and
// its rest is decided so again.
func refused(f record.Failure) error {
	after := time.Duration(f.RetryAfterMS) * time.Millisecond
	switch {
	case f.Status != 0:
		return &StatusError{Status: f.Status, RetryAfter: after, Body: f.Text}
	case f.Final:
		return fmt.Errorf("%s: %w", f.Text, agent.ErrFinal)
	case after > 0:
		return resting{errors.New(f.Text), after}
	}
	return errors.New(f.Text)
}

// recordFaults returns what is wrong with a model's recording.
func (m Model) recordFaults() error {
	if m.Match != "" && (m.Provider != Recorded || m.Match != record.Turn && m.Match != record.Exact) {
		return fmt.Errorf("match is %q; it may be %s or %s, of the provider %s", m.Match, record.Turn, record.Exact, Recorded)
	}
	switch {
	case m.Record == "":
	case m.Provider == Recorded:
		return fmt.Errorf("record: the provider %s answers from a file; there is nothing to record", Recorded)
	default:
		if _, err := os.Stat(filepath.Dir(m.Record)); err != nil {
			return fmt.Errorf("record: %w", err)
		}
	}
	if m.Provider == Recorded && m.File != "" {
		if _, err := os.Stat(m.File); err != nil {
			return fmt.Errorf("file: %w", err)
		}
	}
	return nil
}
