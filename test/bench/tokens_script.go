package main

import (
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/all"
)

//go:embed testdata/tokens
var tokenFiles embed.FS

// A tokenScript is one investigation: what there is to see, and what the model says.
type tokenScript struct {
	Title  string
	Reason string
	Skills []string
	Nodes  []string
	// Snapshots by skill and node.
	Snapshots map[string]map[string]map[string]any
	// Answers by skill, callback and node.
	Answers map[string]map[string]map[string]any
	// Ranking is what rank_causes answers.
	Ranking     scriptRanking
	Coordinator []scriptTurn
	Operators   map[string][]scriptTurn
}

// A scriptTurn is one answer of the model. Each of Calls names a tool and its arguments.
type scriptTurn struct {
	Says  string
	Calls []map[string]map[string]any
	// Fresh says that a model takes a snapshot here that does not trust the published one.
	Fresh bool
}

// scriptNames are the investigations in testdata/tokens.
var scriptNames = []string{"memory", "disk", "fine"}

func readYAML(name string, into any) error {
	raw, err := tokenFiles.ReadFile("testdata/tokens/" + name + ".yaml")
	if err != nil {
		return err
	}
	if err := yaml.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// A scriptRanking is a ranking of causes as the coordinator's code makes it.
type scriptRanking struct {
	Affected int `yaml:"affected_nodes"`
	Fleet    int `yaml:"fleet_nodes"`
	Groups   []struct {
		Findings []string // skill/node
		Relation string   `yaml:"correlation_type"`
		Cause    string
		Why      string
		Nodes    []string
		Affected int `yaml:"affected_nodes"`
	}
	Causes []struct {
		Node    string
		Metric  string
		Score   float64
		Share   float64
		Onset   time.Time
		Reasons []string
	}
	Why      string
	Together []string
}

// ranking returns the script's, with the ids of notifications.
func (r scriptRanking) ranking(id func(skill, node string) string) agent.Ranking {
	out := agent.Ranking{Affected: r.Affected, Fleet: r.Fleet, Why: r.Why, Together: r.Together}
	for _, g := range r.Groups {
		group := agent.FindingGroup{Relation: protocol.Correlation(g.Relation), Cause: g.Cause, Why: g.Why, Nodes: g.Nodes, Affected: g.Affected}
		for _, f := range g.Findings {
			skill, node, _ := strings.Cut(f, "/")
			group.NotificationIDs = append(group.NotificationIDs, id(skill, node))
		}
		out.Groups = append(out.Groups, group)
	}
	for _, c := range r.Causes {
		out.Causes = append(out.Causes, agent.RankedCause{Node: c.Node, Metric: c.Metric, Score: c.Score, Share: c.Share, Onset: c.Onset, Reasons: c.Reasons})
	}
	return out
}

// scriptWords returns the words of a skill on a host.
func scriptWords(skill string) (protocol.Words, error) {
	words, err := skills.Words(all.Skills(all.Options{}), nil)
	if err != nil {
		return protocol.Words{}, err
	}
	i := slices.IndexFunc(words, func(w protocol.Words) bool { return w.Skill == skill && w.Kind == string(skills.Host) })
	if i < 0 {
		return protocol.Words{}, fmt.Errorf("no host has the skill %q", skill)
	}
	return words[i], nil
}

// scriptStart is when the investigations of the scripts begin.
var scriptStart = time.Date(2026, 3, 14, 9, 27, 3, 0, time.UTC)

// snapshots returns those of a skill, one a node. n tells two of one node apart.
func (s *tokenScript) snapshots(skill string, n int) []protocol.Snapshot {
	var list []protocol.Snapshot
	for _, node := range s.Nodes {
		data := maps.Clone(s.Snapshots[skill][node])
		for k, v := range data { // as JSON has them
			if i, ok := v.(int); ok {
				data[k] = float64(i)
			}
		}
		list = append(list, protocol.Snapshot{
			ID: protocol.EffectID("snapshot", skill, node, fmt.Sprint(n)), Node: node, Target: "host", Kind: string(skills.Host), Skill: skill,
			CapturedAt: scriptStart.Add(time.Duration(n-1) * 24 * time.Second), Data: data,
		})
	}
	return list
}

// answer answers a callback as the script says.
func (s *tokenScript) answer(skill string, t protocol.TargetRef, callback string, args []any) (any, error) {
	if args == nil {
		args = []any{}
	}
	raw, err := json.Marshal(args)
	if err != nil {
		return nil, err
	}
	v, ok := s.Answers[skill][callback+" "+string(raw)][t.Node]
	if !ok {
		return nil, fmt.Errorf("the script has no answer of %s for %s %s", t, callback, raw)
	}
	if raw, err = json.Marshal(v); err != nil {
		return nil, err
	}
	return v, json.Unmarshal(raw, &v)
}

// How a model goes about its work: the same calls, in more or fewer answers.
type style struct {
	name  string
	fresh bool // it takes a snapshot although one was just published
	split bool // one call an answer
}

var styles = []style{
	{"one call an answer", true, true},
	{"several calls an answer", true, false},
	{"several calls, and the published snapshot is fresh enough", false, false},
}

// turns returns the answers of a script in a style.
func (st style) turns(list []scriptTurn) []scriptTurn {
	var out []scriptTurn
	for _, t := range list {
		if t.Fresh && st.fresh {
			t.Calls = append([]map[string]map[string]any{{"take_snapshot": {}}}, t.Calls...)
		}
		if !st.split {
			out = append(out, t)
			continue
		}
		for i, c := range t.Calls {
			one := scriptTurn{Calls: []map[string]map[string]any{c}}
			if i == 0 {
				one.Says = t.Says
			}
			out = append(out, one)
		}
	}
	return out
}

// A finding that a script cites: $snapshot(os/web-1), $notification(…), $observation(…).
var cites = regexp.MustCompile(`\$(snapshot|notification|observation)\(([a-z_]+)/([a-z0-9-]+)\)`)

// resolved replaces what a script cites by what the run has of it.
func resolved(args map[string]any, cite func(what, skill, node string) string) (string, error) {
	raw, err := json.Marshal(args)
	if err != nil {
		return "", err
	}
	text := cites.ReplaceAllStringFunc(string(raw), func(m string) string {
		part := cites.FindStringSubmatch(m)
		quoted, err := json.Marshal(cite(part[1], part[2], part[3]))
		if err != nil {
			return m
		}
		return string(quoted[1 : len(quoted)-1])
	})
	return text, nil
}

// skillInfos are what a coordinator knows of all skills: a fleet that has hosts, Go
// services and databases offers them all.
func skillInfos() []agent.SkillInfo {
	var out []agent.SkillInfo
	for _, s := range all.Skills(all.Options{}) {
		out = append(out, agent.SkillInfo{Name: s.Name, Title: s.Title, Summary: s.Summary})
	}
	return out
}
