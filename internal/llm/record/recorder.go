package record

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/cloudwego/eino/components/model"
	"github.com/cloudwego/eino/schema"
)

// A Recorder is how a model is recorded.
type Recorder struct {
	File  string                   // appended to; made when it is not there
	Model string                   // the name that the recording gives it
	Clean func(text string) string // cuts secrets out of a line
	// Failure says what is kept of an error.
	Failure func(err error) Failure
}

// Around returns m with every call of it recorded. It fails when the file cannot
// be written; so does a call, because a recording with holes replays wrongly.
func (r Recorder) Around(m model.ToolCallingChatModel) (model.ToolCallingChatModel, error) {
	f, err := os.OpenFile(r.File, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	return recorded{inner: m, tape: &tape{Recorder: r, file: f, sets: map[string]bool{}, runs: map[string]sofar{}}}, nil
}

// A tape is an open cassette.
type tape struct {
	Recorder
	mu   sync.Mutex
	file *os.File
	sets map[string]bool  // that this process has written
	runs map[string]sofar // what this process has written of each run
}

// sofar is the conversation of a run as it was written last.
type sofar struct {
	messages int
	hash     string
}

// maxRuns is how many conversations are remembered; one that was forgotten is
// written in full again.
const maxRuns = 1000

// add appends a call with what came before it and is not in the file.
func (t *tape) add(c call, set line) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var lines []line
	if set.Toolset != "" && !t.sets[set.Toolset] {
		lines = append(lines, set)
	}
	all := c.Asked.Messages
	if was, ok := t.runs[c.Run]; ok && c.Run != "" && was.messages <= len(all) && hashed(all[:was.messages]) == was.hash {
		c.Asked.From, c.Asked.Messages = was.messages, all[was.messages:]
	}
	var text []byte
	for _, l := range append(lines, line{Call: &c}) {
		raw, err := json.Marshal(l)
		if err != nil {
			return fmt.Errorf("record: %w", err)
		}
		text = append(append(text, raw...), '\n')
	}
	// One write, so that processes that share the file do not mix their lines.
	if _, err := t.file.WriteString(t.Clean(string(text))); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	t.sets[set.Toolset] = true
	if len(t.runs) >= maxRuns {
		clear(t.runs)
	}
	t.runs[c.Run] = sofar{len(all), hashed(all)}
	return nil
}

// recorded is a model whose calls are recorded.
type recorded struct {
	inner model.ToolCallingChatModel
	tape  *tape
	tools []*schema.ToolInfo
}

// WithTools implements model.ToolCallingChatModel.
func (r recorded) WithTools(tools []*schema.ToolInfo) (model.ToolCallingChatModel, error) {
	m, err := r.inner.WithTools(tools)
	return recorded{m, r.tape, tools}, err
}

// Generate implements model.BaseChatModel.
func (r recorded) Generate(ctx context.Context, in []*schema.Message, opts ...model.Option) (*schema.Message, error) {
	req, set, err := newRequest(in, r.tools, opts)
	if err != nil {
		return nil, err
	}
	c := call{asker: askerOf(ctx), Model: r.tape.Model, After: placeOf(names(set), in).String(), Hash: req.hash(), Asked: req}
	began := time.Now()
	answer, err := r.inner.Generate(ctx, in, opts...)
	switch {
	case err == nil:
		c.Answered = answer
	case ctx.Err() != nil:
		return answer, err // the caller ended: the model has not failed
	default:
		c.Failed = new(r.tape.Failure(err))
	}
	if failed := r.tape.add(c.took(began), set); failed != nil {
		return nil, failed
	}
	return answer, err
}

// Stream implements model.BaseChatModel: the whole answer is its only part.
func (r recorded) Stream(ctx context.Context, in []*schema.Message, opts ...model.Option) (*schema.StreamReader[*schema.Message], error) {
	return whole(r.Generate(ctx, in, opts...))
}

func whole(answer *schema.Message, err error) (*schema.StreamReader[*schema.Message], error) {
	if err != nil {
		return nil, err
	}
	return schema.StreamReaderFromArray([]*schema.Message{answer}), nil
}

func names(set line) []string {
	var list []string
	for _, t := range set.Tools {
		list = append(list, t.Name)
	}
	return list
}
