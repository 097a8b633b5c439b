package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A Reply is what an agent answers to a question about its run.
type Reply struct {
	Summary  string   `json:"summary" jsonschema:"required"`
	Findings []string `json:"findings,omitempty"`
	Concerns []string `json:"concerns,omitempty"`
}

// A Question is the View.State of a decider that is asked about a run instead of
// for its next step. The run's records are in the view.
type Question struct {
	Investigation string // that the run belongs to: the answer is paid from its budget
	By            string // who asks: "the coordinator"
	Text          string
	// Hear, if not nil, gets the reply so far while a model writes it, see Hear.
	Hear func(Reply)
}

// answerTool is the only tool of a question: the reply is its arguments.
var answerTool = newTool[Reply, none]("answer", "Answers the question about your run.", func(_ context.Context, _ Call, r Reply) (Outcome, error) {
	return Outcome{Content: r}, nil
}, nil)

// AskAbout asks a decider about a run, from the run's journal alone: it does not
// matter whether a worker holds the run, and the run goes on undisturbed. The
// answer that the reply came in says by which model, and what it used.
func AskAbout(ctx context.Context, d Decider, run string, records []protocol.Record, q Question) (Reply, protocol.Answer, error) {
	var r Reply
	v := View{RunID: run, Tools: []Tool{answerTool}, State: &q}
	open := map[string]bool{} // calls of the last answer that have no result yet
	for _, rec := range records {
		switch rec.Kind {
		case protocol.RecordStart:
			if err := json.Unmarshal(rec.Data, &v.Start); err != nil {
				return r, protocol.Answer{}, err
			}
		case protocol.RecordAnswer:
			var a protocol.Answer
			if err := json.Unmarshal(rec.Data, &a); err != nil {
				return r, protocol.Answer{}, err
			}
			clear(open)
			for _, c := range a.Calls {
				open[c.ID] = true
			}
			v.Step = a.Step
		case protocol.RecordResult:
			var res protocol.ToolResult
			if err := json.Unmarshal(rec.Data, &res); err != nil {
				return r, protocol.Answer{}, err
			}
			delete(open, res.CallID)
		}
	}
	if v.Start.Agent == "" {
		return r, protocol.Answer{}, errors.New("the run has not begun")
	}
	v.Records = append(settled(records, open), inputRecord(q.By+" asks: "+q.Text, "Answer with the tool answer."))
	if q.Hear != nil {
		ctx = Hear(ctx, func(text, args string) {
			if r, ok := replySoFar(text, args); ok {
				q.Hear(r)
			}
		})
	}
	a, err := d.Decide(ctx, v)
	if err != nil {
		return r, a, err
	}
	for _, c := range a.Calls {
		if c.Tool != answerTool.Name {
			continue
		}
		args, err := answerTool.arguments(c.Args)
		if err != nil {
			return r, a, err
		}
		return r, a, json.Unmarshal([]byte(args), &r)
	}
	if a.Text != "" { // a model that answers in words has answered
		return Reply{Summary: a.Text}, a, nil
	}
	return r, a, fmt.Errorf("%s gave no answer", d.Name())
}

// settled gives every call of an unfinished answer a result, because providers
// refuse a conversation in which one is missing.
func settled(records []protocol.Record, open map[string]bool) []protocol.Record {
	out := append([]protocol.Record(nil), records...)
	for id := range open {
		raw, err := json.Marshal(protocol.ToolResult{CallID: id, Content: `{"pending":true}`})
		if err == nil {
			out = append(out, protocol.Record{Kind: protocol.RecordResult, Data: raw})
		}
	}
	return out
}

func inputRecord(said ...string) protocol.Record {
	raw, err := json.Marshal(protocol.Input{Said: said})
	if err != nil {
		return protocol.Record{}
	}
	return protocol.Record{Kind: protocol.RecordInput, Data: raw}
}
