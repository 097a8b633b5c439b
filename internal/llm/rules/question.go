package rules

import (
	"encoding/json"
	"fmt"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// answer tells what a run did, from its journal: rules cannot follow
// a question, but they can report.
func answer(v agent.View) protocol.ToolCall {
	state, findings, concerns := protocol.Healthy, []string{}, []string{}
	for _, r := range v.Records {
		var res protocol.ToolResult
		if r.Kind != protocol.RecordResult || json.Unmarshal(r.Data, &res) != nil {
			continue
		}
		if res.Failed || res.Invalid {
			concerns = append(concerns, res.Tool+": "+res.Content)
			continue
		}
		var effect struct {
			Notification *protocol.Notification `json:"notification"`
			State        protocol.Health        `json:"state"`
			Insight      *protocol.Insight      `json:"insight"`
		}
		if len(res.Effect) == 0 || json.Unmarshal(res.Effect, &effect) != nil {
			continue
		}
		switch {
		case res.Tool == "send_notification" && effect.Notification != nil:
			findings = append(findings, effect.Notification.Node+": "+effect.Notification.Observation)
		case res.Tool == "produce_insight" && effect.Insight != nil:
			findings = append(findings, effect.Insight.Summary)
		case res.Tool == "set_state":
			state = effect.State
		}
	}
	summary := fmt.Sprintf("No LLM answers here. After %d steps the state is %s, with %d notifications.", v.Step, state, len(findings))
	if v.Start.Agent == protocol.CoordinatorAgent {
		summary = fmt.Sprintf("No LLM answers here. The investigation took %d steps and has %d insights.", v.Step, len(findings))
	}
	return call("answer", object{"summary": summary, "findings": findings, "concerns": concerns})
}
