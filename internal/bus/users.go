package bus

import (
	"slices"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// UserName stands for the user's own name in the subjects of a Role. A NATS
// server puts the name in when the user connects with credentials of an Authority.
const UserName = "{{name()}}"

// Names of the services, as `nats micro ls` shows them.
const (
	ProbeService       = "fleetlens-probe"
	OperatorService    = "fleetlens-operator"
	CoordinatorService = "fleetlens-coordinator"
	// AgentsService is what all agents are called that speak the Synadia Agent Protocol.
	AgentsService = "agents"
)

// Names of the roles.
const (
	ProbeRole       = "probe"
	OperatorRole    = "operator"
	CoordinatorRole = "coordinator"
	GatewayRole     = "gateway"
	ClientRole      = "client"
	ViewerRole      = "viewer"
	CIRole          = "ci"
	AdminRole       = "admin"
)

// A Role is one row of the table of users: what those who have it may do on
// NATS. What is not listed is refused by the server.
type Role struct {
	Name       string
	Doc        string
	Publish    []string // subjects, where UserName may stand for a token
	NotPublish []string // exceptions from Publish
	Subscribe  []string
	Answers    bool // it may answer the requests that reach it, each once and within answerWithin
}

// answerWithin outlasts the slowest answer: a trace of a few minutes.
const answerWithin = 10 * time.Minute

// own is a token that the subject functions of protocol leave as it is.
const own = "UserName"

// Roles is the one table of users; server configurations, credentials and their
// test are made from it.
//
// The server publishes its answers to whatever subject a request names for the
// reply, without asking whether the user may publish there (measured on 2.15.2).
// Hence two rules. Who may write a stream has no DIRECT.GET of it: the answer
// would be his own words under a subject of his choice. STREAM.MSG.GET wraps them
// instead. And only coordinator and admin create consumers and schedules.
func Roles() []Role {
	reads := concat(
		directGet(published()...), api("STREAM.MSG.GET", Journal, People, State), api("STREAM.INFO", names()...), api("STREAM.NAMES"), api("STREAM.LIST"),
		[]string{protocol.ProbeSubject(protocol.Any, "words")}, // what a skill's fields mean
		api("CONSUMER.INFO", Work+".*", Intake+".*"),           // how much work waits, and whether anybody takes it
		api("CONSUMER.LIST", Insights),                         // and how sinks keep up
	)
	watches := concat([]string{
		protocol.NodeSubject(protocol.Any), protocol.LinksSubject(protocol.Any), protocol.SnapshotSubject(protocol.Any, protocol.Any, protocol.Any),
		protocol.AnomalySubject(protocol.Any, protocol.Any, protocol.Any), protocol.ChangeSubject(protocol.Any, protocol.Any), protocol.AlertSubject(protocol.Any),
		protocol.NotificationSubject(protocol.Any, protocol.Any, protocol.Any), protocol.CompletionSubject(protocol.Any, protocol.Any),
		protocol.StateSubject(protocol.Any, protocol.Any), protocol.InvestigationSubject(protocol.Any, protocol.Any),
		protocol.InsightSubject(protocol.Any, protocol.Any, protocol.Any), protocol.ResolutionSubject(protocol.Any), protocol.DeadLetterSubject(protocol.Any), protocol.PeopleSubject(protocol.Any, protocol.Any),
		protocol.AgentSubject(protocol.AgentBeat, protocol.Any), plainInbox,
	}, inbox)
	return []Role{
		{
			Name: ProbeRole,
			Doc:  "Publishes what it sees under its own node, answers questions to its own node. Its user name is the node's token.",
			Publish: concat([]string{
				protocol.NodeSubject(own), protocol.LinksSubject(own), protocol.SnapshotSubject(own, protocol.Any, protocol.Any),
				protocol.AnomalySubject(own, protocol.Any, protocol.Any), protocol.ChangeSubject(own, protocol.Any),
			}, api("STREAM.INFO", Nodes, Snapshots, Events), api("STREAM.MSG.GET", Nodes)),
			Subscribe: concat(probeVerbs(own), discovery(ProbeService), inbox),
			Answers:   true,
		},
		{
			Name: OperatorRole,
			Doc:  "Takes tasks, writes findings and operators' journals, asks probes.",
			Publish: concat([]string{
				protocol.NotificationSubject(protocol.Any, protocol.Any, protocol.Any), protocol.CompletionSubject(protocol.Any, protocol.Any),
				protocol.StateSubject(protocol.Any, protocol.Any), protocol.InvestigationSubject(protocol.Any, protocol.PhaseProgress),
				protocol.JournalSubject(protocol.OperatorAgent, protocol.Any), protocol.DeadLetterSubject(protocol.Any),
				stateSubject(BudgetKeys),
			}, []string{protocol.ProbeSubject(protocol.Any, "call"), protocol.ProbeSubject(protocol.Any, "snapshot")}, takes(Work, Snapshots), directGet(Nodes, Snapshots), api("STREAM.MSG.GET", Findings, Journal, State),
				api("STREAM.INFO", Work, Nodes, Snapshots, Findings, Journal, DeadLetters, State)),
			NotPublish: othersDurables(Work, Snapshots),
			Subscribe: concat([]string{protocol.ServesSubject(protocol.Any), protocol.CancelledSubject(protocol.Any)},
				discovery(OperatorService), inbox),
			Answers: true,
		},
		{
			Name: CoordinatorRole,
			Doc:  "Applies the table of streams, takes requests, gives tasks, publishes insights, answers people.",
			Publish: concat([]string{
				protocol.RequestSubject, protocol.TaskSubject(protocol.Any), "schedule.>", protocol.ServesSubject(protocol.Any),
				protocol.InsightSubject(protocol.Any, protocol.Any, protocol.Any), protocol.ResolutionSubject(protocol.Any),
				protocol.InvestigationSubject(protocol.Any, protocol.Any),
				protocol.JournalSubject(protocol.CoordinatorAgent, protocol.Any), protocol.JournalSubject(protocol.OperatorAgent, protocol.Any),
				protocol.DeadLetterSubject(protocol.Any), protocol.CancelledSubject(protocol.Any),
				protocol.AlertSubject(protocol.Any), protocol.ChangeSubject(protocol.Any, protocol.Any),
				protocol.AgentSubject(protocol.AgentBeat, protocol.Any),
				stateSubject(">"), protocol.ProbeSubject(protocol.Any, "words"), plainInbox, InboxPrefix(protocol.Any) + ".>",
			}, takes(names()...), api("STREAM.CREATE", names()...), api("STREAM.UPDATE", names()...), api("STREAM.INFO", names()...),
				api("STREAM.PURGE", Work), // a schedule is cancelled by purging its subject
				api("STREAM.MSG.GET", names()...), directGet(names()...), api("STREAM.NAMES"), api("STREAM.LIST"), api("INFO"),
				api("CONSUMER.CREATE", under(names(), ".>")...), api("CONSUMER.NAMES", names()...), api("CONSUMER.LIST", names()...)),
			NotPublish: ofProbes,
			Subscribe: concat([]string{
				investigate, protocol.NotificationSubject(protocol.Any, protocol.Any, protocol.Any), protocol.CompletionSubject(protocol.Any, protocol.Any),
				protocol.NodeSubject(protocol.Any), protocol.LinksSubject(protocol.Any), protocol.CancelledSubject(protocol.Any), protocol.InvestigationSubject(protocol.Any, protocol.PhaseTold),
				// Whom other agents ask waits for the end of what he asked for.
				protocol.InvestigationSubject(protocol.Any, protocol.PhaseProgress), protocol.InvestigationSubject(protocol.Any, protocol.PhaseFinished),
				protocol.AgentSubject(protocol.AgentPrompt, protocol.Any), protocol.AgentSubject(protocol.AgentStatus, protocol.Any),
			}, discovery(CoordinatorService), discovery(AgentsService), inbox),
		},
		{
			Name: GatewayRole,
			Doc:  "Takes insights for the sinks of other systems, keeps what it sent; reports their alerts and changes.",
			Publish: concat([]string{
				keySubject(SentBucket, ">"), protocol.DeadLetterSubject(protocol.Any),
				protocol.AlertSubject(protocol.Any), protocol.ChangeSubject(protocol.Any, protocol.Any),
			}, takes(Insights), directGet(Nodes), api("STREAM.MSG.GET", Sent, Insights), api("STREAM.INFO", Insights, Nodes, Sent, Events)),
			NotPublish: ofProbes,
			Subscribe:  inbox,
		},
		{
			Name: ClientRole,
			Doc:  "Asks coordinators, says what people think, reads what a viewer reads.",
			// Not discovery: a service answers that wherever the request says, with its own rights.
			Publish: concat([]string{
				investigate, protocol.PeopleSubject(protocol.Any, protocol.Any),
				protocol.AgentSubject(protocol.AgentPrompt, protocol.Any), protocol.AgentSubject(protocol.AgentStatus, protocol.Any),
			}, reads),
			Subscribe: watches,
		},
		{
			Name:      ViewerRole,
			Doc:       "Reads what is published, and the journals. Writes nothing.",
			Publish:   reads,
			Subscribe: watches,
		},
		{
			Name:      CIRole,
			Doc:       "A delivery system: reports changes, reads nothing.",
			Publish:   []string{protocol.ChangeSubject(protocol.Any, protocol.Any)},
			Subscribe: inbox,
		},
		{
			Name:      AdminRole,
			Doc:       "Sets up and mends: everything in the account.",
			Publish:   []string{">"},
			Subscribe: []string{">"},
		},
	}
}

// RoleOf returns the row of a role.
func RoleOf(name string) (Role, bool) {
	for _, r := range Roles() {
		if r.Name == name {
			return r, true
		}
	}
	return Role{}, false
}

// Permissions returns what a user of the role may do. With UserName as the user
// it is the template that a scoped signing key carries.
func (r Role) Permissions(user string) jwt.Permissions {
	named := func(subjects []string) jwt.StringList {
		var out jwt.StringList
		for _, s := range subjects {
			out = append(out, strings.ReplaceAll(s, UserName, user))
		}
		return out
	}
	p := jwt.Permissions{
		Pub: jwt.Permission{Allow: named(r.Publish), Deny: named(r.NotPublish)},
		Sub: jwt.Permission{Allow: named(r.Subscribe)},
	}
	if r.Answers {
		p.Resp = &jwt.ResponsePermission{MaxMsgs: 1, Expires: answerWithin}
	}
	return p
}

const (
	plainInbox  = "_INBOX.>" // of the nats CLI and other programs
	investigate = "investigate." + protocol.Any
)

// ofProbes is what probes alone say of their nodes: whoever passes on the reports of other
// systems may not.
var ofProbes = []string{protocol.ChangeSubject(protocol.Any, "probe")}

var inbox = []string{InboxPrefix(UserName) + ".>"}

func names() []string {
	var out []string
	for _, s := range Streams() {
		out = append(out, s.Name)
	}
	return out
}

// published is the streams that anyone reads by direct get. People is not among
// them: clients write it.
func published() []string {
	var out []string
	for _, s := range Streams() {
		if s.Direct && s.Name != People {
			out = append(out, s.Name)
		}
	}
	return out
}

// api returns the subjects of one verb of the JetStream API on objects, with and
// without a domain. A verb without objects stands alone.
func api(verb string, objects ...string) []string {
	if len(objects) == 0 {
		return []string{"$JS.API." + verb, "$JS.*.API." + verb}
	}
	var out []string
	for _, o := range objects {
		out = append(out, "$JS.API."+verb+"."+o, "$JS.*.API."+verb+"."+o)
	}
	return out
}

// directGet is both forms of the verb: by query, and by subject.
func directGet(streams ...string) []string {
	return api("DIRECT.GET", append(under(streams, ".>"), streams...)...)
}

// takes is what a worker needs to pull from the durables of streams: look the
// durable up, pull, acknowledge. Acknowledgements have two layouts; the second,
// with domain and account, is behind a feature flag in 2.15.
func takes(streams ...string) []string {
	out := concat(api("CONSUMER.INFO", under(streams, ".*")...), api("CONSUMER.MSG.NEXT", under(streams, ".*")...))
	for _, s := range streams {
		out = append(out, ackSubjects(s, "*")...)
	}
	return out
}

func ackSubjects(stream, durable string) []string {
	return []string{
		"$JS.ACK." + stream + "." + durable + ".*.*.*.*.*",
		"$JS.ACK.*.*." + stream + "." + durable + ".*.*.*.*.>",
	}
}

// othersDurables is the durables of streams that operators share with nobody but
// must leave alone. A wildcard stands for a whole token, so operator_* cannot be said.
func othersDurables(streams ...string) []string {
	var out []string
	for _, s := range Streams() {
		if !slices.Contains(streams, s.Name) {
			continue
		}
		for _, c := range s.Consumers {
			out = concat(out, api("CONSUMER.INFO", s.Name+"."+c.Name), api("CONSUMER.MSG.NEXT", s.Name+"."+c.Name), ackSubjects(s.Name, c.Name))
		}
	}
	return out
}

func probeVerbs(node string) []string {
	return []string{protocol.ProbeSubject(node, "call"), protocol.ProbeSubject(node, "snapshot"), protocol.ProbeSubject(node, "words")}
}

// discovery is where a service of NATS answers who it is. Its id is random.
func discovery(service string) []string {
	var out []string
	for _, verb := range []string{"PING", "INFO", "STATS"} {
		out = append(out, "$SRV."+verb, "$SRV."+verb+"."+service, "$SRV."+verb+"."+service+".*")
	}
	return out
}

func under(names []string, suffix string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = n + suffix
	}
	return out
}

// concat joins lists of subjects and puts UserName where own stands.
func concat(lists ...[]string) []string {
	out := slices.Concat(lists...)
	for i, s := range out {
		out[i] = strings.ReplaceAll(s, own, UserName)
	}
	return out
}
