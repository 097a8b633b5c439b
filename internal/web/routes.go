package web

import (
	"context"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A route is one question that the API answers. The table of them is what the
// OpenAPI document is made of.
type route struct {
	Method string
	Path   string // below the prefix, with {names}
	Doc    string
	Query  []parameter
	Takes  any // a value of the type of the body; nil: none
	Gives  any // a value of the type of the answer; nil: no body
	serve  func(ctx context.Context, q *query) (any, error)
}

// A parameter is one of the query string.
type parameter struct{ Name, Type, Doc string }

// A Page is a part of a list.
type Page[T any] struct {
	Items []T `json:"items"`
	// Next is the cursor of the page after this one; empty: there is none.
	Next string `json:"next,omitempty"`
	// Unreadable is how many messages of a newer or broken form were left out.
	Unreadable int `json:"unreadable,omitempty"`
}

var (
	limitParameter  = parameter{"limit", "integer", "how many at most (1 to 1000, default 100)"}
	cursorParameter = parameter{"cursor", "string", "the next of the page before"}
	sinceParameter  = parameter{"since", "string", "how far back: an age (24h) or a time (RFC 3339)"}
	nodeParameter   = parameter{"node", "string", "of this node only"}
)

func (s *Server) routes() []route {
	return []route{
		{"GET", "/me", "What the server's NATS user may do, and what NATS answers.", nil, nil, Me{}, s.me},
		{"GET", "/insights", "Conclusions, the newest first.", []parameter{
			sinceParameter, limitParameter, cursorParameter, nodeParameter, {"severity", "string", "info, warning or critical"}, {"skill", "string", "with this skill only"},
		}, nil, Page[protocol.Insight]{}, s.insights},
		{"GET", "/insights/{id}", "One conclusion, with what was found and what people said of it. The id may be the beginning of one.", nil, nil, InsightView{}, s.insight},
		{"GET", "/insights/{id}/radius", "What a conclusion hits: its nodes by the label that tells them from the others, and whom they are connected with.", nil, nil, Radius{}, s.radius},
		{"GET", "/insights/{id}/bundle", "All of one conclusion: with the journals of its runs and the snapshots of its findings. The UI opens it at /open.", nil, nil, Bundle{}, s.bundle},
		{"GET", "/investigations", "Investigations, the newest first, with where they stand.", []parameter{sinceParameter, limitParameter}, nil, Page[Investigation]{}, s.investigations},
		{"POST", "/investigations", "Ask why. The answer comes when the request is stored, not when it is investigated.", nil, protocol.Request{}, Asked{}, s.investigate},
		{"GET", "/investigations/{id}", "One investigation: its request, phases, runs, findings and conclusions.", nil, nil, InvestigationView{}, s.investigation},
		{"DELETE", "/investigations/{id}", "Cancel an investigation, with all its runs.", nil, nil, nil, s.cancel},
		{"POST", askPath, "Ask something of an investigation that has ended. Who accepts text/event-stream gets events: part, an AskPart, while a model writes, then answer, an AskReply, or problem.", nil, Question{}, protocol.AskReply{}, s.ask},
		{"POST", "/investigations/{id}/tell", "Tell something to an investigation that runs.", nil, Question{}, nil, s.tell},
		{"GET", "/runs/{run}", "The journal of a run of an agent, oldest first.", []parameter{{"from", "integer", "the first record, counted from 1"}, limitParameter}, nil, Page[protocol.Record]{}, s.run},
		{"GET", "/nodes", "Hosts with a probe, by name.", []parameter{{"label", "string", "name=value that they have; may be given again"}, {"brief", "integer", "1: without their targets, skills, proposals and ids"}}, nil, Page[Node]{}, s.nodes},
		{"GET", "/nodes/{node}", "One host: what it is, and its newest snapshot of each skill.", nil, nil, NodeView{}, s.node},
		{"GET", "/nodes/{node}/{target}/{skill}", "What the fields of a skill's snapshots mean, as the probe says, and how fast its counters grow.", nil, nil, SkillView{}, s.skill},
		{"GET", "/nodes/{node}/{target}/{skill}/peers", "The medians of a skill's metrics on other nodes that are for the same: by the label role, app or service, where it makes a group.", nil, nil, Peers{}, s.peers},
		{"GET", "/nodes/{node}/{target}/{skill}/series", "What a metric was, oldest first, as far as snapshots are kept.", []parameter{{"metric", "string", "which one"}}, nil, Series{}, s.series},
		{"POST", "/calls", "Ask a host one read-only question.", nil, Question{}, protocol.CallReply{}, s.call},
		{"GET", "/evidence", "What an address of evidence says, or since when it is gone.", []parameter{{"address", "string", "SNAPSHOT#field or RUN/STEP#path"}}, nil, EvidenceView{}, s.evidence},
		{"GET", "/anomalies", "What detectors found, the newest first.", []parameter{sinceParameter, limitParameter, cursorParameter, nodeParameter}, nil, Page[protocol.Anomaly]{}, s.anomalies},
		{"GET", "/outliers", "What nodes stand out by: of each its strongest anomaly of the last hour and its peers' median, the strongest first.", nil, nil, Outliers{}, s.outliers},
		{"GET", "/changes", "Deployments, restarts, packages, configuration, the newest first.", []parameter{sinceParameter, limitParameter, cursorParameter, nodeParameter}, nil, Page[protocol.Change]{}, s.changes},
		{"GET", "/links", "Whom each node talks to, as probes say it.", nil, nil, Page[protocol.Links]{}, s.links},
		{"GET", "/said/{id}", "What people said of an insight or an investigation.", nil, nil, Said{}, s.saidOf},
		{"POST", "/feedback", "Say whether an insight was right.", nil, protocol.Feedback{}, nil, writes[protocol.Feedback](s, "feedback")},
		{"POST", "/acks", "Say that one looks after an insight.", nil, protocol.Ack{}, nil, writes[protocol.Ack](s, "ack")},
		{"POST", "/notes", "Add a note to an insight or an investigation.", nil, protocol.Note{}, nil, writes[protocol.Note](s, "note")},
		{"GET", "/silences", "What triage is kept from asking about.", nil, nil, Page[SilenceView]{}, s.silences},
		{"POST", "/silences", "Keep triage from asking about nodes, labels or skills for a time.", nil, protocol.Silence{}, nil, writes[protocol.Silence](s, "silence")},
		{"GET", "/system", "Whether the tool itself can be trusted: checks, streams against their limits, and what nobody could handle.", nil, nil, System{}, s.system},
	}
}

// whileConnected refuses at once what would be waited for in vain.
func (s *Server) whileConnected(serve func(context.Context, *query) (any, error)) func(context.Context, *query) (any, error) {
	return func(ctx context.Context, q *query) (any, error) {
		if !s.bus.Connected() {
			return nil, errAway
		}
		return serve(ctx, q)
	}
}

// keptFor is how far back a list goes unless it is said.
const keptFor = 7 * 24 * time.Hour
