package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// The messages as somebody sees them who knows the wire and nothing else.
type (
	finished struct {
		Investigation string       `json:"investigation_id"`
		State         string       `json:"state"`
		Error         string       `json:"error"`
		Insights      []insight    `json:"insights"`
		Operators     []completion `json:"operator_results"`
	}
	notification struct {
		ID            string `json:"id"`
		Investigation string `json:"investigation_id"`
		Run           string `json:"run_id"`
		Node          string `json:"node"`
		Type          string `json:"anomaly_type"`
	}
	insight struct {
		ID            string   `json:"id"`
		Investigation string   `json:"investigation_id"`
		Notifications []string `json:"notification_ids"`
	}
	completion struct {
		Run           string   `json:"run_id"`
		Investigation string   `json:"investigation_id"`
		Notifications []string `json:"notification_ids"`
	}
	record struct {
		Run  string `json:"run_id"`
		Kind string `json:"kind"`
	}
)

// found is what the streams hold.
type found struct {
	finished      []finished
	notifications []notification
	insights      []insight
	completions   []completion
	journals      map[string][]string // by subject: the kinds of its records, in order
	queued        []string            // subjects of work that is left
	deadLetters   int
}

// read returns what the streams hold now.
func read(ctx context.Context, js jetstream.JetStream) (f found, err error) {
	f.journals = map[string][]string{}
	for _, part := range []struct {
		stream, filter string
		take           func(jetstream.Msg) error
	}{
		{"FL_JOURNAL", "journal.>", func(m jetstream.Msg) error {
			var r record
			err := json.Unmarshal(m.Data(), &r)
			f.journals[m.Subject()] = append(f.journals[m.Subject()], r.Kind)
			return err
		}},
		{"FL_FINDINGS", "investigations.*.finished", into(&f.finished)},
		{"FL_FINDINGS", "operator.notification.>", into(&f.notifications)},
		{"FL_FINDINGS", "operator.completion.>", into(&f.completions)},
		{"FL_INSIGHTS", "insights.>", into(&f.insights)},
		{"FL_DEADLETTERS", "deadletters.>", func(jetstream.Msg) error { f.deadLetters++; return nil }},
	} {
		if err := each(ctx, js, part.stream, part.filter, part.take); err != nil {
			return f, fmt.Errorf("stream %s, %s: %w", part.stream, part.filter, err)
		}
	}
	// A work queue has no second consumer: what is left is counted by subject.
	for _, name := range []string{"FL_WORK", "FL_REQUESTS"} {
		s, err := js.Stream(ctx, name)
		if err != nil {
			return f, fmt.Errorf("stream %s: %w", name, err)
		}
		info, err := s.Info(ctx, jetstream.WithSubjectFilter(">"))
		if err != nil {
			return f, fmt.Errorf("stream %s: %w", name, err)
		}
		for subject, n := range info.State.Subjects {
			for range n {
				f.queued = append(f.queued, subject)
			}
		}
	}
	return f, nil
}

// into returns what appends a message's body to a list.
func into[T any](list *[]T) func(jetstream.Msg) error {
	return func(m jetstream.Msg) error {
		var v T
		err := json.Unmarshal(m.Data(), &v)
		*list = append(*list, v)
		return err
	}
}

// each calls take for every message of a stream that matches, oldest first.
func each(ctx context.Context, js jetstream.JetStream, stream, filter string, take func(jetstream.Msg) error) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	con, err := js.OrderedConsumer(ctx, stream, jetstream.OrderedConsumerConfig{FilterSubjects: []string{filter}})
	if err != nil {
		return err
	}
	left := con.CachedInfo().NumPending
	for left > 0 {
		batch, err := con.Fetch(int(min(left, 500)), jetstream.FetchContext(ctx))
		if err != nil {
			return err
		}
		n := 0
		for m := range batch.Messages() {
			if err := take(m); err != nil {
				return fmt.Errorf("%s: %w", m.Subject(), err)
			}
			n++
		}
		if n == 0 {
			return errors.Join(errors.New("the stream ended too early"), batch.Error())
		}
		left -= uint64(n)
	}
	return nil
}
