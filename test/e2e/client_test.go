//go:build linux

package e2e_test

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// What follows is written as somebody writes it who has the documentation and
// nats.go alone: this file imports nothing of Fleetlens, and a test sees to it.

type insight struct {
	ID              string   `json:"id"`
	InvestigationID string   `json:"investigation_id"`
	NotificationIDs []string `json:"notification_ids"`
	CorrelationType string   `json:"correlation_type"`
	Severity        string   `json:"severity"`
	Summary         string   `json:"summary"`
	RootCause       string   `json:"root_cause_hypothesis"`
	Nodes           []string `json:"nodes"`
	NotChecked      []string `json:"not_checked"`
	Trigger         string   `json:"trigger"`
	Model           string   `json:"model"`
	Figures         []struct {
		Text  string `json:"text"`
		Found bool   `json:"found"`
	} `json:"figures"`
	Evidence []struct {
		Address   string   `json:"address"`
		Node      string   `json:"node"`
		Name      string   `json:"name"`
		Value     any      `json:"value"`
		Threshold *float64 `json:"threshold"`
		Baseline  *float64 `json:"baseline"`
	} `json:"evidence"`
}

type result struct {
	InvestigationID string       `json:"investigation_id"`
	State           string       `json:"state"`
	Error           string       `json:"error"`
	Insights        []insight    `json:"insights"`
	OperatorResults []completion `json:"operator_results"`
	StartedAt       time.Time    `json:"started_at"`
	EndedAt         time.Time    `json:"ended_at"`
}

type completion struct {
	RunID           string   `json:"run_id"`
	Outcome         string   `json:"outcome"`
	Error           string   `json:"error"`
	NotificationIDs []string `json:"notification_ids"`
	Model           string   `json:"model"`
}

type notification struct {
	ID       string `json:"id"`
	RunID    string `json:"run_id"`
	Node     string `json:"node"`
	Verified bool   `json:"verified"`
}

type deadLetter struct {
	Stream  string `json:"stream"`
	Subject string `json:"subject"`
	Reason  string `json:"reason"`
	Body    []byte `json:"body"`
}

// follow returns what is published on a subject from now on.
func follow(t *testing.T, nc *nats.Conn, subject string) <-chan *nats.Msg {
	t.Helper()
	msgs := make(chan *nats.Msg, 256)
	sub, err := nc.ChanSubscribe(subject, msgs)
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sub.Unsubscribe() })
	return msgs
}

// next returns the next message, which comes within the time.
func next(t *testing.T, msgs <-chan *nats.Msg, within time.Duration) *nats.Msg {
	t.Helper()
	select {
	case m := <-msgs:
		return m
	case <-time.After(within):
		t.Fatalf("no message within %s", within)
		return nil
	}
}

// request publishes a request as `nats pub` does, and returns its result.
func request(t *testing.T, nc *nats.Conn, body string) result {
	t.Helper()
	finished := follow(t, nc, "investigations.*.finished")
	if err := nc.Publish("investigate.request", []byte(body)); err != nil {
		t.Fatal(err)
	}
	return decode[result](t, next(t, finished, 30*time.Second).Data)
}

// ask sends a request to a subject of the coordinators and returns the answer's body.
func ask(t *testing.T, nc *nats.Conn, subject, body string) []byte {
	t.Helper()
	m, err := nc.Request(subject, []byte(body), 30*time.Second)
	if err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
	return m.Data
}

var figure = regexp.MustCompile(`[0-9]+(\.[0-9]+)?`)

// unsupported returns the numbers of an insight's summary that stand nowhere in
// its evidence. Names and texts of the evidence, and names of nodes, are no numbers.
func unsupported(i insight) []string {
	text := i.Summary
	numbers := map[float64]bool{}
	var names []string
	names = append(names, i.Nodes...)
	for _, e := range i.Evidence {
		names = append(names, e.Node, e.Name)
		// The window of a metric is part of its name: psi_cpu_some_avg300.
		if _, window, ok := strings.Cut(e.Name, "_avg"); ok {
			if v, err := strconv.ParseFloat(window, 64); err == nil {
				numbers[v] = true
			}
		}
		switch v := e.Value.(type) {
		case float64:
			numbers[v] = true
		case string:
			names = append(names, v)
		}
		for _, level := range []*float64{e.Threshold, e.Baseline} {
			if level != nil {
				numbers[*level] = true
			}
		}
	}
	// The longest first: web-1 is not the beginning of web-10.
	for length := len(text); length > 0; length-- {
		for _, n := range names {
			if len(n) == length {
				text = strings.ReplaceAll(text, n, "…")
			}
		}
	}
	var missing []string
	for _, word := range figure.FindAllString(text, -1) {
		v, err := strconv.ParseFloat(word, 64)
		if err != nil || !numbers[v] {
			missing = append(missing, fmt.Sprintf("%s in %q", word, i.Summary))
		}
	}
	return missing
}

// isFigure reports whether a number is one that is checked without a unit: of 10 or more.
func isFigure(word string) bool {
	v, err := strconv.ParseFloat(word, 64)
	return err == nil && v >= 10
}

// checkFigures fails the test for every number without evidence.
func checkFigures(t *testing.T, insights ...insight) {
	t.Helper()
	for _, i := range insights {
		if missing := unsupported(i); len(missing) > 0 {
			t.Errorf("no evidence of %s", strings.Join(missing, ", "))
		}
		if slices.ContainsFunc(figure.FindAllString(i.Summary, -1), isFigure) && len(i.Figures) == 0 {
			t.Errorf("the fact check looked at no number of %q", i.Summary)
		}
		for _, f := range i.Figures {
			if !f.Found {
				t.Errorf("the fact check did not find %s of %q", f.Text, i.Summary)
			}
		}
	}
}
