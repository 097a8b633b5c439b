package rules

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// operator returns the next step of an operator's run: snapshot, who is
// responsible, notify, conclude. It reads from the state which of them are done.
func operator(s *agent.OperatorState) []protocol.ToolCall {
	if !s.Taken && len(s.Unanswered) == 0 {
		return []protocol.ToolCall{call("take_snapshot", object{})}
	}
	found := problems(s)
	if asks := questions(s, found); len(asks) > 0 {
		return asks
	}
	if sends := notifications(s, found); len(sends) > 0 {
		return sends
	}
	state, reason := assessment(s, found)
	return []protocol.ToolCall{call("set_state", object{"state": state, "reason": reason}), call("done", object{})}
}

// ask is a question about several targets.
type ask struct {
	callback string
	args     []any
	targets  []string
}

// questions returns the calls that tell who is responsible and were not made yet,
// each question once for all targets it concerns.
func questions(s *agent.OperatorState, list []Problem) []protocol.ToolCall {
	var asks []ask
	for _, p := range list {
		for _, x := range p.Crossed {
			name, args, err := skills.ParseCall(x.Check.Ask)
			if x.Check.Ask == "" || err != nil || answered(s, p.Snapshot.Ref(), name, args) != nil {
				continue
			}
			i := slices.IndexFunc(asks, func(a ask) bool { return what(a.callback, a.args) == what(name, args) })
			if i < 0 {
				asks, i = append(asks, ask{callback: name, args: args}), len(asks)
			}
			if !slices.Contains(asks[i].targets, p.Snapshot.Ref().String()) {
				asks[i].targets = append(asks[i].targets, p.Snapshot.Ref().String())
			}
		}
	}
	var calls []protocol.ToolCall
	for _, a := range asks {
		args := object{"callback": a.callback, "targets": a.targets}
		if len(a.args) > 0 {
			args["args"] = a.args
		}
		calls = append(calls, call("call", args))
	}
	return calls
}

// what is how the state names a call.
func what(callback string, args []any) string {
	if len(args) == 0 {
		return callback + "()"
	}
	b, err := json.Marshal(args)
	if err != nil {
		return callback
	}
	return callback + "(" + string(b[1:len(b)-1]) + ")"
}

func answered(s *agent.OperatorState, t protocol.TargetRef, callback string, args []any) *agent.Answered {
	for i := len(s.Answers) - 1; i >= 0; i-- {
		if s.Answers[i].Target == t && s.Answers[i].What == what(callback, args) {
			return &s.Answers[i]
		}
	}
	return nil
}

// notifications returns the notifications that were not sent yet.
func notifications(s *agent.OperatorState, list []Problem) []protocol.ToolCall {
	var calls []protocol.ToolCall
	for _, p := range list {
		sent := slices.ContainsFunc(s.Notifications, func(n protocol.Notification) bool {
			return n.Node == p.Snapshot.Ref().Node && n.Target == p.Snapshot.Ref().Target && n.AnomalyType == p.Kind()
		})
		if sent {
			continue
		}
		context, culprit := circumstances(s, p)
		args := object{
			"type": p.Kind(), "severity": p.Severity(), "snapshot_ids": []string{p.Snapshot.ID},
			"context": context, "observation": p.Observation(),
		}
		if culprit != "" {
			args["hypothesis"] = culprit
		}
		calls = append(calls, call("send_notification", args))
	}
	return calls
}

// circumstances says where and when, which threshold was crossed, and what the
// callbacks answered; culprit names whoever they put first.
func circumstances(s *agent.OperatorState, p Problem) (context, culprit string) {
	lines := []string{p.Circumstance(s.Subject.Words)}
	var asked []string
	for _, x := range p.Crossed {
		name, args, err := skills.ParseCall(x.Check.Ask)
		if x.Check.Ask == "" || err != nil || slices.Contains(asked, what(name, args)) {
			continue
		}
		asked = append(asked, what(name, args))
		a := answered(s, p.Snapshot.Ref(), name, args)
		if a == nil {
			continue
		}
		if a.Error != "" {
			lines = append(lines, fmt.Sprintf("%s did not answer: %q", a.What, a.Error))
			continue
		}
		rows := firstRows(a.Value)
		if len(rows) == 0 {
			continue
		}
		for i, row := range rows[:min(3, len(rows))] {
			lines = append(lines, fmt.Sprintf("%s no. %d: %s", name, i+1, describe(row)))
		}
		if who := whoIs(rows[0]); culprit == "" && who != "" {
			switch {
			case rows[0]["holds"] == true:
				culprit = who + holding
			case reason(rows[0]) != "":
				culprit = who + ": " + reason(rows[0])
			default:
				culprit = who + " " + blame(x.Check.Resource, name)
			}
		}
	}
	return strings.Join(lines, "; "), culprit
}

// holding is said of whoever is at the end of a chain of waiting.
const holding = " holds what the others wait for"

// used are the resources that somebody uses, as people call them.
var used = map[string]string{
	"memory": "memory", "cpu": "CPU time", "service_cpu": "CPU time", "file_descriptors": "file descriptors", "threads": "threads",
	"sockets": "sockets", "ephemeral_ports": "ephemeral ports", "heap": "memory", "gc_limit": "memory", "tcp_memory": "memory of TCP",
}

// blame says what is known of whoever comes first in a callback's answer about a
// resource. Events are told the newest first, so there it is who was hit last.
func blame(resource, callback string) string {
	switch what, ok := used[resource]; {
	case strings.HasPrefix(callback, "sysmon_"):
		return "is whom it happened to last"
	case ok:
		return "uses the most " + what
	case resource == "accept_queue":
		return "lets connections wait in its accept queue"
	}
	return "comes first in " + callback + "()"
}

// firstRows returns the rows of a callback's answer: the list that it is, or the
// first list in it that holds objects.
func firstRows(v any) []object {
	switch x := v.(type) {
	case []any:
		var rows []object
		for _, e := range x {
			if row, ok := e.(object); ok {
				rows = append(rows, row)
			}
		}
		return rows
	case object:
		for _, k := range sortedKeys(x, "processes", "filesystems", "targets") {
			if rows := firstRows(x[k]); len(rows) > 0 {
				return rows
			}
		}
	}
	return nil
}

// describe lists a row's plain values, those that name it first.
func describe(row object) string {
	var parts []string
	for _, k := range sortedKeys(row, "name", "pid", "function", "line", "pod", "container", "workload", "stream", "consumer", "job", "instance", "why", "error", "changed", "mount", "device", "memory_mb", "cpu_pct", "used_pct", "free_mb", "threads", "fds") {
		switch v := row[k].(type) {
		case string:
			if v != "" {
				parts = append(parts, k+" "+v)
			}
		case float64:
			parts = append(parts, k+" "+strconv.FormatFloat(v, 'f', -1, 64))
		}
		if len(parts) == 6 {
			break
		}
	}
	return strings.Join(parts, ", ")
}

// whoIs names the process or the function of a row, or what of a server it is about; other
// rows are no suspects.
func whoIs(row object) string {
	name, _ := row["name"].(string)
	switch pid := row["pid"].(type) {
	case float64:
		if name != "" {
			return fmt.Sprintf("%s (%d)", name, int64(pid))
		}
	case string: // of an Erlang node: <0.123.0>
		if name != "" && pid != "" {
			return name + " " + pid
		}
	}
	function, _ := row["function"].(string)
	if line, _ := row["line"].(string); function != "" && line != "" {
		return fmt.Sprintf("%s (%s)", function, line)
	}
	if function != "" {
		return function
	}
	return partOf(row)
}

// sortedKeys returns the keys of a map, the preferred ones first.
func sortedKeys(m object, preferred ...string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	rank := func(k string) int {
		if i := slices.Index(preferred, k); i >= 0 {
			return i
		}
		return len(preferred)
	}
	slices.SortFunc(keys, func(a, b string) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return keys
}

func assessment(s *agent.OperatorState, list []Problem) (protocol.Health, string) {
	state, reason := protocol.Healthy, "no check is crossed"
	if len(list) == 0 && len(s.Snapshots) == 0 {
		return protocol.Observing, "no target answered"
	}
	for _, p := range list {
		switch {
		case p.Severity() == protocol.SeverityCritical && state != protocol.Critical:
			state, reason = protocol.Critical, p.Crossed[0].Says
		case p.Severity() == protocol.SeverityWarning && state == protocol.Healthy:
			state, reason = protocol.Warning, p.Crossed[0].Says
		}
	}
	return state, reason
}
