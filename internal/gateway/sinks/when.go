package sinks

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// When says which insights a sink is sent: those that all of its conditions hold for.
type When struct {
	// MinSeverity is the least severity: info (the default), warning or critical.
	MinSeverity protocol.Severity `yaml:"min_severity"`
	// MinConfidence is the least confidence: low (the default), medium or high. Of pagerduty the default is medium: nobody is woken for a guess.
	MinConfidence protocol.Confidence `yaml:"min_confidence"`
	// Skills are those of which the insight has at least one.
	Skills []string `yaml:"skills"`
	// Labels are those that one of its nodes has, all of them.
	Labels map[string]string `yaml:"labels"`
	// Grounded asks for a hypothesis that is grounded.
	Grounded bool `yaml:"grounded"`
	// NothingWrong sends the findings that nothing is wrong, too.
	NothingWrong bool `yaml:"nothing_wrong"`
}

var confidences = []protocol.Confidence{protocol.Low, protocol.Medium, protocol.High}

func (w When) validate() error {
	var errs []error
	if w.MinSeverity != "" && w.MinSeverity.Rank() < 0 {
		errs = append(errs, fmt.Errorf("when.min_severity %q: it is info, warning or critical", w.MinSeverity))
	}
	if w.MinConfidence != "" && !slices.Contains(confidences, w.MinConfidence) {
		errs = append(errs, fmt.Errorf("when.min_confidence %q: it is low, medium or high", w.MinConfidence))
	}
	return errors.Join(errs...)
}

// Wants reports whether an insight is sent to a sink of c. labels returns those of a
// node, and is asked only where they matter.
func (c Config) Wants(i protocol.Insight, labels func(node string) (map[string]string, error)) (bool, error) {
	w := c.When
	least := w.MinConfidence
	if least == "" && c.Type == "pagerduty" {
		least = protocol.Medium
	}
	switch {
	case i.CorrelationType == protocol.None && !w.NothingWrong,
		i.Severity.Rank() < w.MinSeverity.Rank(),
		slices.Index(confidences, i.Confidence) < slices.Index(confidences, least),
		w.Grounded && !i.HypothesisGrounded,
		len(w.Skills) > 0 && !slices.ContainsFunc(w.Skills, func(s string) bool { return slices.Contains(i.Skills, s) }):
		return false, nil
	case len(w.Labels) == 0:
		return true, nil
	}
	for _, node := range i.Nodes {
		have, err := labels(node)
		if err != nil {
			return false, err
		}
		if subset(w.Labels, have) {
			return true, nil
		}
	}
	return false, nil
}

func subset(want, have map[string]string) bool {
	for k := range maps.Keys(want) {
		if have[k] != want[k] {
			return false
		}
	}
	return true
}
