package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/reading"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// addReading adds the tools that a viewer may use.
func (s *Server) addReading(server *sdk.Server) {
	add(s, server, "fleet_overview", reads, "The fleet at a glance: nodes by label, silent ones, what stands out now, and the newest conclusions. Begin here.", s.overview)
	add(s, server, "list_nodes", reads, "Lists the nodes (hosts with a probe), by name.", s.nodes)
	add(s, server, "get_node", reads, "Returns one node: its targets, the newest snapshot of each skill with its metrics, and whom it talks to.", s.node)
	add(s, server, "list_insights", reads, "Lists conclusions, the newest first, in short. get_insight has the whole of one.", s.insights)
	add(s, server, "get_insight", reads, "Returns one conclusion: checked facts, the hypothesis and whether it is grounded, what was ruled out, and not_checked: what nobody looked at, which you may be able to check.", s.insight)
	add(s, server, "get_evidence", reads, "Returns what an address of evidence says: the value where it was measured and how it went, or that it is no longer kept.", s.evidence)
	add(s, server, "get_run", reads, "Returns the journal of an agent's run, step by step: what it asked, what it was told, what it chose.", s.run)
	add(s, server, "list_changes", reads, "Lists deployments, restarts, packages and configuration that changed on nodes, the newest first.", s.changes)
}

// A Headline is an insight in short.
type Headline struct {
	ID         string              `json:"id"`
	Severity   protocol.Severity   `json:"severity"`
	Summary    string              `json:"summary"`
	Grounded   bool                `json:"hypothesis_grounded"`
	Confidence protocol.Confidence `json:"confidence"`
	Nodes      []string            `json:"nodes" jsonschema:"the first ten"`
	NodesTotal int                 `json:"nodes_total"`
	Skills     []string            `json:"skills"`
	CreatedAt  time.Time           `json:"created_at"`
}

// mostSummary is how many bytes of a summary a headline has.
const mostSummary = 600

func headline(i protocol.Insight) Headline {
	return Headline{
		i.ID, i.Severity, clip(i.Summary, mostSummary), i.HypothesisGrounded, i.Confidence,
		append([]string{}, i.Nodes[:min(len(i.Nodes), mostNamed)]...), len(i.Nodes), append([]string{}, i.Skills...), i.CreatedAt,
	}
}

// InsightsQuery asks for insights.
type InsightsQuery struct {
	Since    string `json:"since,omitempty" jsonschema:"how far back: an age as 2h, or a time as 2026-05-04T12:00:00Z; 7 days when left out"`
	Severity string `json:"severity,omitempty" jsonschema:"info, warning or critical; all when left out"`
	Node     string `json:"node,omitempty" jsonschema:"about this node only"`
	Skill    string `json:"skill,omitempty" jsonschema:"with this skill only"`
	Limit    int    `json:"limit,omitempty" jsonschema:"1 to 100; 20 when left out"`
	Cursor   string `json:"cursor,omitempty" jsonschema:"next of the answer before"`
}

// Insights is a page of insights, the newest first.
type Insights struct {
	Insights []Headline `json:"insights"`
	Next     string     `json:"next,omitempty" jsonschema:"cursor of the next page; missing: there is none"`
	Bounded
}

func (s *Server) insights(ctx context.Context, q InsightsQuery) (Insights, error) {
	limit, err := within("limit", q.Limit, 20, 100)
	if err != nil {
		return Insights{}, err
	}
	since, err := age(q.Since, 7*24*time.Hour)
	if err != nil {
		return Insights{}, err
	}
	severity := protocol.Any
	if q.Severity != "" {
		if severity = q.Severity; protocol.Severity(severity).Rank() < 0 {
			return Insights{}, fmt.Errorf("severity %.40q: it is info, warning or critical", severity)
		}
	}
	all, _, err := reading.Since[protocol.Insight](ctx, s.bus, bus.Insights, protocol.InsightSubject(severity, protocol.Any, protocol.Any), since)
	if err != nil {
		return Insights{}, err
	}
	list, next, err := newest(all, q.Cursor, limit, func(i protocol.Insight) bool {
		return (q.Node == "" || slices.Contains(i.Nodes, q.Node)) && (q.Skill == "" || slices.Contains(i.Skills, q.Skill))
	}, headline)
	return Insights{Insights: list, Next: next}, err
}

// InsightQuery asks for an insight.
type InsightQuery struct {
	ID string `json:"id" jsonschema:"its id, or a beginning that no other has"`
}

// InsightView is an insight with what stands behind it.
type InsightView struct {
	reading.InsightView
	Bounded
}

func (s *Server) insight(ctx context.Context, q InsightQuery) (InsightView, error) {
	if err := checkID("id", q.ID); err != nil {
		return InsightView{}, err
	}
	v, _, err := reading.ViewInsight(ctx, s.bus, q.ID)
	if err != nil {
		return InsightView{}, err
	}
	v.Insight = slim(v.Insight)
	for k := range v.Facts { // get_evidence has the snapshots and the series
		v.Facts[k].Snapshots, v.Facts[k].Evidence = nil, nil
	}
	return InsightView{InsightView: v}, nil
}

// slim returns an insight without the series of its evidence, which get_evidence has.
func slim(i protocol.Insight) protocol.Insight {
	i.Evidence = slices.Clone(i.Evidence)
	for k := range i.Evidence {
		i.Evidence[k].Series = nil
	}
	return i
}

// EvidenceQuery asks for evidence.
type EvidenceQuery struct {
	Address string `json:"address" jsonschema:"SNAPSHOT#field or RUN/STEP#path, as figures and evidence name it"`
}

// EvidenceView is what an address says.
type EvidenceView struct {
	reading.EvidenceView
	Bounded
}

func (s *Server) evidence(ctx context.Context, q EvidenceQuery) (EvidenceView, error) {
	v, err := reading.Evidence(ctx, s.bus, q.Address)
	if v.Evidence != nil { // the series stands once
		one := *v.Evidence
		one.Series, v.Evidence = nil, &one
	}
	return EvidenceView{EvidenceView: v}, err
}

// RunQuery asks for a part of a journal.
type RunQuery struct {
	Run  string `json:"run" jsonschema:"id of the run, as runs of an insight or an investigation have it"`
	From int    `json:"from,omitempty" jsonschema:"the first record, counted from 1; next of the answer before"`
}

// Run is a part of a journal, oldest first.
type Run struct {
	Run     string            `json:"run"`
	Records []protocol.Record `json:"records"`
	Next    int               `json:"next,omitempty" jsonschema:"from of the next part; missing: there is none"`
	Bounded
}

// mostRecords is how many records a part has at most.
const mostRecords = 100

func (s *Server) run(ctx context.Context, q RunQuery) (Run, error) {
	if err := checkID("run", q.Run); err != nil {
		return Run{}, err
	}
	if q.From < 0 {
		return Run{}, fmt.Errorf("from %d: records are counted from 1", q.From)
	}
	out := Run{Run: q.Run}
	var records []protocol.Record
	for m, err := range reading.Journal(ctx, s.bus, q.Run) {
		if err != nil {
			return Run{}, err
		}
		r, err := protocol.Decode[protocol.Record](m.Data)
		if err == nil && r.N >= q.From {
			if !json.Valid(r.Data) {
				r.Data = nil
			}
			records = append(records, r)
		}
		if len(records) > mostRecords {
			break
		}
	}
	list, more, err := page(records, mostRecords)
	if more {
		out.Next = records[len(list)].N
	}
	out.Records = list
	return out, err
}
