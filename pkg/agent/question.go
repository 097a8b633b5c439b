package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A Reply is what an operator answers to a question of its coordinator.
type Reply struct {
	Summary  string   `json:"summary" jsonschema:"required"`
	Findings []string `json:"findings,omitempty"`
	Concerns []string `json:"concerns,omitempty"`
}

// A Question is the View.State of a decider that is asked about a run instead of
// for its next step. The run's records are in the view.
type Question struct {
	Text          string
	Investigation string // that the run belongs to
}

// answerTool is the only tool of a question: the reply is its arguments.
var answerTool = newTool[Reply, none]("answer", "Answers the coordinator's question about your run.", func(_ context.Context, _ Call, r Reply) (Outcome, error) {
	return Outcome{Content: r}, nil
}, nil)

// AskAbout asks a decider about a run, from the run's journal alone: it does not
// matter whether a worker holds the run, and the run goes on undisturbed. run is
// of the investigation, whose budget the answer is taken from.
func AskAbout(ctx context.Context, d Decider, investigation, run string, records []protocol.Record, question string) (Reply, protocol.Usage, error) {
	var r Reply
	v := View{RunID: run, Tools: []Tool{answerTool}, State: &Question{Text: question, Investigation: investigation}}
	open := map[string]bool{} // calls of the last answer that have no result yet
	for _, rec := range records {
		switch rec.Kind {
		case protocol.RecordStart:
			if err := json.Unmarshal(rec.Data, &v.Start); err != nil {
				return r, protocol.Usage{}, err
			}
		case protocol.RecordAnswer:
			var a protocol.Answer
			if err := json.Unmarshal(rec.Data, &a); err != nil {
				return r, protocol.Usage{}, err
			}
			clear(open)
			for _, c := range a.Calls {
				open[c.ID] = true
			}
			v.Step = a.Step
		case protocol.RecordResult:
			var res protocol.ToolResult
			if err := json.Unmarshal(rec.Data, &res); err != nil {
				return r, protocol.Usage{}, err
			}
			delete(open, res.CallID)
		}
	}
	if v.Start.Agent == "" {
		return r, protocol.Usage{}, errors.New("the run has not begun")
	}
	v.Records = append(settled(records, open), inputRecord("The coordinator asks: "+question+"\nAnswer with the tool answer."))
	a, err := d.Decide(ctx, v)
	if err != nil {
		return r, a.Usage, err
	}
	for _, c := range a.Calls {
		if c.Tool != answerTool.Name {
			continue
		}
		args, err := answerTool.arguments(c.Args)
		if err != nil {
			return r, a.Usage, err
		}
		return r, a.Usage, json.Unmarshal([]byte(args), &r)
	}
	if a.Text != "" { // a model that answers in words has answered
		return Reply{Summary: a.Text}, a.Usage, nil
	}
	return r, a.Usage, fmt.Errorf("%s gave no answer", d.Name())
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

func inputRecord(text string) protocol.Record {
	raw, err := json.Marshal(protocol.Input{Text: text})
	if err != nil {
		return protocol.Record{}
	}
	return protocol.Record{Kind: protocol.RecordInput, Data: raw}
}
