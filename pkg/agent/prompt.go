package agent

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

//go:embed prompts/operator.md
var operatorPrompt string

//go:embed prompts/coordinator.md
var coordinatorPrompt string

// OperatorStart returns the first record of an operator's run.
func OperatorStart(sub OperatorSubject, settings protocol.RunSettings, now time.Time) (protocol.Start, error) {
	raw, err := json.Marshal(sub)
	if err != nil {
		return protocol.Start{}, fmt.Errorf("subject of an operator's run: %w", err)
	}
	return protocol.Start{
		Agent: protocol.OperatorAgent, System: operatorPrompt + "\n" + describeWords(sub.Words), User: operatorQuestion(sub, now),
		Subject: raw, Settings: settings, TraceID: sub.Task.TraceID, StartedAt: now,
	}, nil
}

// describeWords renders a skill for a model: prompt, metrics, thresholds, callbacks.
func describeWords(w protocol.Words) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Skill %s: %s\n\n%s\n\n%s\n\n## Metrics of a snapshot\n", w.Skill, w.Title, w.Summary, strings.TrimSpace(w.Prompt))
	for _, m := range w.Metrics {
		fmt.Fprintf(&b, "- %s (%s, %s): %s\n", m.Name, m.Unit, m.Kind, m.Doc)
	}
	if len(w.Checks) > 0 {
		b.WriteString("\n## Thresholds\n")
	}
	for _, c := range w.Checks {
		fmt.Fprintf(&b, "- %s %s", c.Metric, c.Op)
		if c.Warn != nil {
			fmt.Fprintf(&b, " %s warning", trim(*c.Warn))
		}
		if c.Critical != nil {
			fmt.Fprintf(&b, " %s critical", trim(*c.Critical))
		}
		if c.Ask != "" {
			fmt.Fprintf(&b, "; ask %s", c.Ask)
		}
		b.WriteByte('\n')
	}
	if len(w.Calls) > 0 {
		b.WriteString("\n## Callbacks\n")
	}
	for _, c := range slices.Concat(w.Calls, baseCalls) {
		fmt.Fprintf(&b, "- %s", c.Example)
		if c.Doc != "" {
			fmt.Fprintf(&b, ": %s", c.Doc)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func trim(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func operatorQuestion(sub OperatorSubject, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Reason: %s\n", sub.Task.Reason)
	b.WriteString(describeContext(sub.Task.Context))
	var names []string
	for _, t := range sub.Task.Targets {
		names = append(names, t.String())
	}
	fmt.Fprintf(&b, "Targets (%s): %s\n", sub.Words.Kind, strings.Join(names, ", "))
	if len(sub.Snapshots) == 0 {
		b.WriteString("No snapshot of them was published yet.\n")
		return b.String()
	}
	b.WriteString("Latest snapshots published:\n")
	for _, s := range sub.Snapshots {
		fmt.Fprintf(&b, "- %s of %s is %s old\n", s.ID, s.Ref(), now.Sub(s.CapturedAt).Round(time.Second))
	}
	b.WriteString(fence(render(snapshotTable(taken{Snapshots: sub.Snapshots}))))
	return b.String()
}

// describeContext renders a request's free map, a line a key.
func describeContext(m map[string]any) string {
	var b strings.Builder
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		v, ok := m[k].(string)
		if !ok {
			raw, err := json.Marshal(m[k])
			if err != nil {
				continue
			}
			v = string(raw)
		}
		fmt.Fprintf(&b, "%s: %s\n", k, v)
	}
	return b.String()
}

// CoordinatorStart returns the first record of a coordinator's run.
func CoordinatorStart(sub CoordinatorSubject, settings protocol.RunSettings, traceID string, now time.Time) (protocol.Start, error) {
	raw, err := json.Marshal(sub)
	if err != nil {
		return protocol.Start{}, fmt.Errorf("subject of a coordinator's run: %w", err)
	}
	var system, user strings.Builder
	system.WriteString(coordinatorPrompt + "\n# Skills you may invoke\n")
	for _, s := range sub.Skills {
		fmt.Fprintf(&system, "- %s: %s. %s\n", s.Name, s.Title, s.Summary)
	}
	fmt.Fprintf(&user, "Reason: %s\n%s", sub.Request.Reason, describeContext(sub.Request.Context))
	fmt.Fprintf(&user, "Nodes that match the request: %d", sub.Matched)
	if len(sub.Silent) > 0 {
		fmt.Fprintf(&user, ", of which %d are silent: %s", len(sub.Silent), listed(sub.Silent, 20))
	}
	fmt.Fprintf(&user, "\nNotifications so far: %d\n", len(sub.Request.Notifications))
	return protocol.Start{
		Agent: protocol.CoordinatorAgent, System: system.String(), User: user.String(), Subject: raw,
		Settings: settings, TraceID: traceID, StartedAt: now,
	}, nil
}

// fence marks text that came from hosts or tools. The prompts say that nothing
// between the marks is an instruction; the text cannot close them.
func fence(text string) string {
	return "<data>\n" + strings.ReplaceAll(text, "</data", "<\\/data") + "\n</data>"
}

// listed joins names, and says how many more there are past n.
func listed(names []string, n int) string {
	if len(names) <= n {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:n], ", "), len(names)-n)
}
