package agenttest_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/agent/agenttest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// oven is a skill as its author would test it. That of a real skill comes from
// skills.Words.
var oven = protocol.Words{
	Skill: "oven", Kind: "kitchen", Title: "Ovens", Summary: "Heat.", Prompt: "An oven that is too hot burns what is in it.",
	Metrics: []protocol.Metric{{Name: "heat", Unit: protocol.Count, Kind: protocol.Gauge, Doc: "Degrees Celsius."}},
	Checks:  []protocol.Check{{Metric: "heat", Op: protocol.Above, Warn: skills.Level(250), Says: "it is {value} degrees hot"}},
}

var tooHot = protocol.Snapshot{
	ID: "0123456789abcdef", Node: "kitchen-1", Target: "oven", Kind: "kitchen", Skill: "oven", Data: map[string]any{"heat": 290.0},
}

// A script tests the tools: what a run does with the answers.
func ExampleScript() {
	run, err := agenttest.Operator{Words: oven, Snapshots: []protocol.Snapshot{tooHot}}.Run(context.Background(), agenttest.NewScript(
		agenttest.Calls(agenttest.Call("take_snapshot", nil)),
		agenttest.Notify("heat", protocol.SeverityWarning, func(s protocol.Snapshot) string {
			return fmt.Sprintf("it is %v degrees hot", s.Data["heat"])
		}),
	)) // past the end it calls done
	if err != nil {
		fmt.Println(err)
		return
	}
	n := run.Notifications[0]
	fmt.Println(run.Finish.Outcome, n.Node, n.Observation, n.Verified)
	// Output: done kitchen-1 it is 290 degrees hot true
}

// A model tests the words: what a provider's model would read of the skill.
func ExampleModel() {
	model := agenttest.NewModel(
		agenttest.Say("I look first.", agenttest.Call("take_snapshot", nil)),
		agenttest.SayOf("It is too hot.", func(a agenttest.Ask) []protocol.ToolCall {
			return []protocol.ToolCall{agenttest.Call("send_notification", map[string]any{
				"type": "heat", "severity": "warning", "context": "an oven", "observation": "it is 291 degrees hot",
				"snapshot_ids": []string{a.Last("take_snapshot")},
			})}
		}),
	)
	_, err := agenttest.Operator{Words: oven, Snapshots: []protocol.Snapshot{tooHot}}.Run(context.Background(), agent.NewModelDecider("my-model", model))
	if err != nil {
		fmt.Println(err)
		return
	}
	asked := model.Asked()
	fmt.Println("the prompt holds the skill's words:", strings.Contains(asked[0].Messages[0].Content, "An oven that is too hot burns"))
	last := asked[len(asked)-1].Messages
	fmt.Println(last[len(last)-1].Content)
	// Output:
	// the prompt holds the skill's words: true
	// <data>
	// {"error":"context and observation hold facts only: \"291\" is not in the evidence of this node (the nearest seen is 290 (heat))"}
	// </data>
}
