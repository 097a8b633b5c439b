package agent_test

import (
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/pkg/agent"
)

func TestFiguresOfAReplyAreLookedUpInWhatTheInvestigationSaw(t *testing.T) {
	records := readJournal(t, journals+"/2026-11-21-rules-coordinator.jsonl")
	figures, err := agent.CheckReply(records, agent.Reply{
		Summary: "web-1 used 97 % of its memory, not 98 %", Findings: []string{"nothing with a number", "tasks waited 60 % of the time"}, Concerns: []string{"12 GB are left"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, list := range figures {
		text := ""
		for _, f := range list {
			text += f.Text + map[bool]string{true: " found; ", false: " lost; "}[f.Found]
			if f.Found && !strings.Contains(f.Evidence, "#") {
				t.Errorf("%s was found at %q", f.Text, f.Evidence)
			}
		}
		got = append(got, text)
	}
	want := []string{"97 % found; 98 % lost; ", "", "60 % found; ", "12 GB lost; "}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("figures %q, want %q", got, want)
	}
	if _, err := agent.CheckReply(readJournal(t, journals+"/2026-11-21-rules-operator.jsonl"), agent.Reply{Summary: "97 %"}); err == nil {
		t.Error("an operator's journal tells of no investigation")
	}
	if _, err := agent.CheckReply(records[1:], agent.Reply{Summary: "97 %"}); err == nil || !strings.Contains(err.Error(), "no start record") {
		t.Errorf("a journal without its beginning: %v", err)
	}
}
