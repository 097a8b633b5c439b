package bus_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natsd"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A fleet is a server in operator mode with one user of each role, connected.
type fleet struct {
	server *natsd.Server
	auth   *bus.Authority
	users  map[string]*user // by role
}

// A user is a raw connection that notes what the server refuses.
type user struct {
	*nats.Conn
	role, name string

	mu      sync.Mutex
	refused map[string]bool // "Publish nodes.a"
	last    chan struct{}   // the refusal of sentinel came
}

const sentinel = "no.role.may"

// names of the users; every one but the probe's is other than its role's.
var userNames = map[string]string{
	"probe": "web-1", "operator": "op-1", "coordinator": "co-1", "gateway": "gw-1", "client": "cl-1", "viewer": "vi-1", "ci": "ci-1", "admin": "ad-1",
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	dir := t.TempDir()
	auth, err := bus.NewAuthority(dir)
	if err != nil {
		t.Fatal(err)
	}
	server, err := natsd.Start(natsd.Options{StoreDir: t.TempDir(), Config: filepath.Join(dir, bus.ResolverFile)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	f := &fleet{server: server, auth: auth, users: map[string]*user{}}
	for _, r := range bus.Roles() {
		f.users[r.Name] = f.connect(t, r.Name, userNames[r.Name])
	}
	if _, err := f.conn(t, bus.AdminRole, "setup").Setup(t.Context(), bus.SetupOptions{Skills: []string{"os"}}); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fleet) connect(t *testing.T, role, name string) *user {
	t.Helper()
	creds, err := f.auth.Mint(role, name)
	if err != nil {
		t.Fatal(err)
	}
	u := &user{role: role, name: name, refused: map[string]bool{}, last: make(chan struct{}, 8)}
	u.Conn, err = nats.Connect("", nats.InProcessServer(f.server), nats.UserCredentialBytes(creds),
		nats.CustomInboxPrefix(bus.InboxPrefix(name)), nats.ErrorHandler(u.note))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.Close)
	return u
}

// conn is a connection as the processes have it.
func (f *fleet) conn(t *testing.T, role, name string) *bus.Conn {
	t.Helper()
	creds, err := f.auth.Mint(role, name)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), name+".creds")
	if err := os.WriteFile(file, creds, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := bus.Dial(t.Context(), bus.Config{InProcess: f.server, Creds: file}, role+"/"+name, natstest.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

var violation = regexp.MustCompile(`Permissions Violation for (Publish to|Subscription to) "([^"]+)"`)

func (u *user) note(_ *nats.Conn, _ *nats.Subscription, err error) {
	m := violation.FindStringSubmatch(err.Error())
	if m == nil {
		return
	}
	u.mu.Lock()
	u.refused[strings.Fields(m[1])[0]+" "+m[2]] = true
	u.mu.Unlock()
	if m[2] == sentinel {
		u.last <- struct{}{}
	}
}

// settled returns what was refused so far. Refusals come in order, so the one of
// the sentinel is the last; the admin, who is refused nothing, needs none.
func (u *user) settled(t *testing.T) map[string]bool {
	t.Helper()
	if err := u.Publish(sentinel, nil); err != nil {
		t.Fatal(err)
	}
	if err := u.FlushTimeout(20 * time.Second); err != nil {
		t.Fatal(err)
	}
	if u.role != bus.AdminRole {
		select {
		case <-u.last:
		case <-time.After(time.Minute):
			t.Fatal("the server did not refuse the sentinel")
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	got := maps.Clone(u.refused)
	clear(u.refused)
	return got
}

// tries publishes a body that no JetStream verb understands and says what was refused.
func (u *user) tries(t *testing.T, subjects ...string) map[string]bool {
	t.Helper()
	for _, s := range subjects {
		if err := u.PublishRequest(s, bus.InboxPrefix(u.name)+".x", []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	return u.settled(t)
}

// subjectRules is who may publish and subscribe, said a second time and by hand.
// OWN is the user's own name, OTHER another's. The admin may do everything.
var subjectRules = []struct{ subject, publish, subscribe string }{
	{"nodes.OWN", "probe", "coordinator client viewer"},
	{"nodes.OTHER", "", "coordinator client viewer"},
	{"nodes.*", "-", "coordinator client viewer"},
	{"snapshots.OWN.host.os", "probe", "client viewer"},
	{"snapshots.OTHER.host.os", "", "client viewer"},
	{"snapshots.*.*.*", "-", "client viewer"},
	{"snapshots.OWN.host.os.more", "", ""},
	{"anomalies.OWN.host.os", "probe", "client viewer"},
	{"anomalies.OTHER.host.os", "", "client viewer"},
	{"changes.OWN.package", "probe ci coordinator gateway", "client viewer"},
	{"changes.OTHER.package", "ci coordinator gateway", "client viewer"},
	{"changes.OTHER.probe", "ci", "client viewer"},
	{"alerts.grafana", "coordinator gateway", "client viewer"},
	{"investigate.request", "coordinator client", "coordinator"},
	{"investigate.run", "client", "coordinator"},
	{"investigate.cancel", "client", "coordinator"},
	{"investigate.status", "client", "coordinator"},
	{"investigate.list", "client", "coordinator"},
	{"investigate.ask", "client", "coordinator"},
	{"investigate.tell", "client", "coordinator"},
	{"investigate.*", "-", "coordinator"},
	{"operator.task.os", "coordinator", ""},
	{"operator.task.*", "-", ""},
	{"schedule.daily", "coordinator", ""},
	{"operator.serves.os", "coordinator", "operator"},
	{"operator.notification.os.n.i", "operator", "coordinator client viewer"},
	{"operator.completion.os.i", "operator", "coordinator client viewer"},
	{"operator.state.os.i", "operator", "client viewer"},
	{"operator.>", "-", ""},
	{"investigations.i.accepted", "coordinator", "client viewer"},
	{"investigations.i.progress", "operator coordinator", "coordinator client viewer"},
	{"investigations.i.finished", "coordinator", "coordinator client viewer"},
	{"insights.critical.causal.i", "coordinator", "client viewer"},
	{"resolutions.group-1", "coordinator", "client viewer"},
	{"journal.coordinator.r", "coordinator", ""},
	{"journal.operator.r", "operator coordinator", ""},
	{"journal.>", "-", ""},
	{"cancelled.r", "coordinator", "operator coordinator"},
	{"people.note.i", "client", "client viewer"},
	{"deadletters.FL_WORK", "operator coordinator gateway", "client viewer"},
	{"agents.prompt.fleetlens.prod.coordinator", "client", "coordinator"},
	{"agents.status.fleetlens.prod.coordinator", "client", "coordinator"},
	{"agents.hb.fleetlens.prod.coordinator", "coordinator", "client viewer"},
	{"agents.prompt.other.prod.coordinator", "", ""},
	{"$SRV.INFO.agents", "", "coordinator"},
	{"probe.OWN.call", "operator", "probe"},
	{"probe.OWN.snapshot", "operator", "probe"},
	{"probe.OWN.words", "coordinator client viewer", "probe"},
	{"probe.OWN.shell", "", ""},
	{"probe.OTHER.call", "operator", ""},
	{"probe.*.call", "-", ""},
	{"$SRV.PING", "", "probe operator coordinator"},
	{"$SRV.INFO.fleetlens-probe", "", "probe"},
	{"$SRV.STATS.fleetlens-operator.x", "", "operator"},
	{"$SRV.PING.fleetlens-coordinator", "", "coordinator"},
	{"$SRV.>", "-", ""},
	{"$KV.fl_state.budget.fleet", "coordinator operator", ""},
	{"$KV.fl_state.triage.x", "coordinator", ""},
	{"$KV.fl_sinks.delivery.team.i", "gateway", ""},
	{"_FL_INBOX.OWN.x", "coordinator", "probe operator coordinator gateway client viewer ci"},
	{"_FL_INBOX.OTHER.x", "coordinator", ""},
	{"_FL_INBOX.*.>", "-", ""},
	{"_FL_INBOX.>", "-", ""},
	{"_INBOX.x", "coordinator", "client viewer"},
	{"$JS.ACK.FL_WORK.operator_os.1.1.1.1.0", "operator coordinator", ""},
	{"$JS.ACK._.hash.FL_WORK.operator_os.1.1.1.1.0", "operator coordinator", ""},
	{"$JS.ACK.FL_SNAPSHOTS.operator_os.1.1.1.1.0", "operator coordinator", ""},
	{"$JS.ACK.FL_WORK.coordinator.1.1.1.1.0", "coordinator", ""},
	{"$JS.ACK._.hash.FL_WORK.coordinator.1.1.1.1.0", "coordinator", ""},
	{"$JS.API.CONSUMER.MSG.NEXT.FL_WORK.coordinator", "coordinator", ""},
	{"$JS.hub.API.CONSUMER.MSG.NEXT.FL_WORK.coordinator", "coordinator", ""},
	{"$JS.API.CONSUMER.INFO.FL_WORK.coordinator", "coordinator client viewer", ""},
	{"$JS.API.CONSUMER.MSG.NEXT.STREAM-OF-REQUESTS.coordinator", "coordinator", ""},
	{"$JS.ACK.STREAM-OF-REQUESTS.coordinator.1.1.1.1.0", "coordinator", ""},
	{"$JS.ACK._.hash.STREAM-OF-REQUESTS.coordinator.1.1.1.1.0", "coordinator", ""},
	{"$JS.ACK.FL_INSIGHTS.reader.1.1.1.1.0", "coordinator gateway", ""},
	{"$JS.FC.FL_WORK.w.x", "", ""},
	{"$JS.SNAPSHOT.ACK.FL_WORK.x", "", ""},
	{"$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.FL_WORK.operator_os", "", ""},
	{"$SYS.REQ.SERVER.PING", "", ""},
	{"anything.else", "", ""},
	{">", "-", ""},
}

// apiRules is who may use which verb of the JetStream API on which streams.
// Objects after the stream's name stand behind the slash of the verb.
var apiRules = []struct{ verb, probe, operator, coordinator, reader string }{
	{"INFO", "", "", "-", ""},
	{"STREAM.NAMES", "", "", "-", "-"},
	{"STREAM.LIST", "", "", "-", "-"},
	{"STREAM.CREATE/", "", "", "all", ""},
	{"STREAM.UPDATE/", "", "", "all", ""},
	{"STREAM.INFO/", "NODES SNAPSHOTS EVENTS", "NODES SNAPSHOTS WORK FINDINGS JOURNAL DEADLETTERS KV_fl_state", "all", "streams"},
	{"STREAM.DELETE/", "", "", "", ""},
	{"STREAM.PURGE/", "", "", "WORK", ""},
	{"STREAM.MSG.GET/", "NODES", "FINDINGS JOURNAL KV_fl_state", "all", "JOURNAL PEOPLE KV_fl_state"},
	{"STREAM.MSG.DELETE/", "", "", "", ""},
	{"STREAM.SNAPSHOT/", "", "", "", ""},
	{"STREAM.RESTORE/", "", "", "", ""},
	{"STREAM.LEADER.STEPDOWN/", "", "", "", ""},
	{"STREAM.PEER.REMOVE/", "", "", "", ""},
	{"STREAM.PEER.EVACUATE/", "", "", "", ""},
	{"STREAM.CANCEL_MOVE/", "", "", "", ""},
	{"STREAM.TEMPLATE.CREATE/", "", "", "", ""},
	{"DIRECT.GET/", "", "NODES SNAPSHOTS", "all", "NODES SNAPSHOTS EVENTS FINDINGS INSIGHTS DEADLETTERS"},
	{"DIRECT.GET/.a.b.c", "", "NODES SNAPSHOTS", "all", "NODES SNAPSHOTS EVENTS FINDINGS INSIGHTS DEADLETTERS"},
	{"CONSUMER.CREATE/", "", "", "", ""},
	{"CONSUMER.CREATE/.x", "", "", "all", ""},
	{"CONSUMER.CREATE/.x.some.filter", "", "", "all", ""},
	{"CONSUMER.DURABLE.CREATE/.x", "", "", "", ""},
	{"CONSUMER.DELETE/.x", "", "", "", ""},
	{"CONSUMER.INFO/.operator_os", "", "WORK SNAPSHOTS", "all", "WORK REQUESTS"},
	{"CONSUMER.MSG.NEXT/.operator_os", "", "WORK SNAPSHOTS", "streams", ""},
	{"CONSUMER.NAMES/", "", "", "all", ""},
	{"CONSUMER.LIST/", "", "", "all", "INSIGHTS"},
	{"CONSUMER.PAUSE/.operator_os", "", "", "", ""},
	{"CONSUMER.RESET/.operator_os", "", "", "", ""},
	{"CONSUMER.UNPIN/.operator_os", "", "", "", ""},
	{"CONSUMER.LEADER.STEPDOWN/.operator_os", "", "", "", ""},
	{"CONSUMER.PEER.REMOVE/.operator_os", "", "", "", ""},
	{"CONSUMER.PEER.EVACUATE/.operator_os", "", "", "", ""},
	{"ACCOUNT.PURGE.x", "", "", "", ""},
	{"ACCOUNT.STREAM.MOVE.x.y", "", "", "", ""},
	{"ACCOUNT.STREAM.CANCEL_MOVE.x.y", "", "", "", ""},
	{"META.LEADER.STEPDOWN", "", "", "", ""},
	{"META.RESCUE", "", "", "", ""},
	{"SERVER.REMOVE", "", "", "", ""},
	{"SERVER.EVACUATE", "", "", "", ""},
}

// gatewayRules is the gateway's column of apiRules, which is empty but for these.
var gatewayRules = map[string]string{
	"STREAM.INFO/":                   "NODES INSIGHTS EVENTS KV_fl_sinks",
	"STREAM.MSG.GET/":                "INSIGHTS KV_fl_sinks",
	"DIRECT.GET/":                    "NODES",
	"DIRECT.GET/.a.b.c":              "NODES",
	"CONSUMER.INFO/.operator_os":     "INSIGHTS",
	"CONSUMER.MSG.NEXT/.operator_os": "INSIGHTS",
}

// TestEachRoleMayDoWhatTheRulesSay tries every subject and every verb on every
// stream, with and without a domain, as every role, against a real server.
func TestEachRoleMayDoWhatTheRulesSay(t *testing.T) {
	f := newFleet(t)
	for _, role := range slices.Sorted(maps.Keys(f.users)) {
		u := f.users[role]
		t.Run(role+" publishes", func(t *testing.T) {
			want := map[string]bool{} // subject → allowed
			for _, r := range subjectRules {
				if r.publish != "-" {
					want[inWords(r.subject, u)] = may(role, r.publish)
				}
			}
			u.check(t, "Publish", want, u.tries(t, slices.Sorted(maps.Keys(want))...))
		})
		t.Run(role+" asks JetStream", func(t *testing.T) {
			want := apiSubjects(role)
			u.check(t, "Publish", want, u.tries(t, slices.Sorted(maps.Keys(want))...))
		})
		t.Run(role+" subscribes", func(t *testing.T) {
			want := map[string]bool{}
			for _, r := range subjectRules {
				s := inWords(r.subject, u)
				want[s] = may(role, r.subscribe)
				if _, err := u.SubscribeSync(s); err != nil {
					t.Fatal(err)
				}
			}
			u.check(t, "Subscription", want, u.settled(t))
		})
	}
}

func (u *user) check(t *testing.T, what string, want, refused map[string]bool) {
	t.Helper()
	for _, subject := range slices.Sorted(maps.Keys(want)) {
		if got := !refused[what+" "+subject]; got != want[subject] {
			t.Errorf("%s to %s as %s: allowed %v, want %v", what, subject, u.role, got, want[subject])
		}
	}
	t.Logf("%d tried, %d refused", len(want), len(refused))
}

func may(role, roles string) bool {
	return role == bus.AdminRole || slices.Contains(strings.Fields(roles), role)
}

func inWords(subject string, u *user) string {
	return strings.NewReplacer("OWN", u.name, "OTHER", "db-9", "STREAM-OF-REQUESTS", bus.Requests.Stream).Replace(subject)
}

// apiSubjects is every verb on every stream, and whether the role may use it.
func apiSubjects(role string) map[string]bool {
	out := map[string]bool{}
	add := func(verb string, allowed bool) {
		out["$JS.API."+verb] = allowed || role == bus.AdminRole
		out["$JS.hub.API."+verb] = allowed || role == bus.AdminRole
	}
	for _, r := range apiRules {
		allowed := map[string]string{"probe": r.probe, "operator": r.operator, "coordinator": r.coordinator, "gateway": gatewayRules[r.verb], "client": r.reader, "viewer": r.reader}[role]
		verb, rest, ofStream := strings.Cut(r.verb, "/")
		if !ofStream {
			add(verb, allowed == "-")
			continue
		}
		for _, s := range bus.Streams() {
			short := strings.TrimPrefix(s.Name, "FL_")
			// A stream of requests apart from the tasks is the coordinators' alone.
			add(verb+"."+s.Name+rest, allowed == "all" || allowed == "streams" || slices.Contains(strings.Fields(allowed), short))
		}
		add(verb+".SOMEBODY_ELSES"+rest, false)
	}
	return out
}

// TestNobodyReadsDirectlyWhatHeWrites holds the first of the two rules of Roles.
func TestNobodyReadsDirectlyWhatHeWrites(t *testing.T) {
	for _, r := range bus.Roles() {
		if r.Name == bus.CoordinatorRole || r.Name == bus.AdminRole {
			continue // they may publish an insight or a task anyway
		}
		for _, s := range bus.Streams() {
			aims := slices.ContainsFunc(r.Publish, func(p string) bool {
				return strings.HasPrefix(p, "$JS.API.DIRECT.GET."+s.Name) || strings.HasPrefix(p, "$JS.API.CONSUMER.MSG.NEXT."+s.Name)
			})
			writes := slices.ContainsFunc(r.Publish, func(p string) bool {
				return slices.ContainsFunc(s.Subjects, func(sub string) bool { return overlaps(p, sub) })
			})
			if aims && writes {
				t.Errorf("%s writes %s and can have the server repeat it under any subject", r.Name, s.Name)
			}
		}
	}
}

// TestAServersAnswerIsNoMessageOfOurs: whoever may publish at all can have such an
// answer stored under any subject (deploy/nats/README.md), so no reader may take it.
func TestAServersAnswerIsNoMessageOfOurs(t *testing.T) {
	for _, answer := range []string{
		`{"stream":"FL_NODES","seq":7}`,
		`{"stream":"FL_NODES","seq":7,"duplicate":true}`,
		`{"type":"io.nats.jetstream.api.v1.stream_info_response","config":{"name":"FL_NODES"},"state":{"messages":1},"ts":"2026-01-01T00:00:00Z"}`,
		`{"type":"io.nats.jetstream.api.v1.stream_msg_get_response","message":{"subject":"nodes.web-1","seq":1,"data":"e30=","time":"2026-01-01T00:00:00Z"}}`,
	} {
		for _, m := range protocol.Types() {
			if kind := m.MessageType(); kind == "call" || kind == "call_reply" {
				continue // asked and answered, never stored; an empty call is no call of a skill
			}
			v := reflect.New(reflect.TypeOf(m))
			if err := json.Unmarshal([]byte(answer), v.Interface()); err != nil {
				continue
			}
			if err := v.Elem().Interface().(protocol.Message).Validate(); err == nil {
				t.Errorf("a %s may be %s", m.MessageType(), answer)
			}
		}
	}
}

// overlaps says whether some subject matches both patterns.
func overlaps(a, b string) bool {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range as {
		switch {
		case i >= len(bs):
			return false
		case as[i] == ">" || bs[i] == ">":
			return true
		case as[i] != bs[i] && as[i] != "*" && bs[i] != "*" && as[i] != bus.UserName && bs[i] != bus.UserName:
			return false
		}
	}
	return len(as) == len(bs)
}

func TestAttacksFail(t *testing.T) {
	f := newFleet(t)
	admin := f.users[bus.AdminRole]
	js, err := jetstream.New(admin.Conn)
	if err != nil {
		t.Fatal(err)
	}
	refusesPublish := func(t *testing.T, role, subject string) {
		t.Helper()
		u := f.users[role]
		if !u.tries(t, subject)["Publish "+subject] {
			t.Errorf("a %s published to %s", role, subject)
		}
	}
	refusesSubscribe := func(t *testing.T, role, subject string) {
		t.Helper()
		u := f.users[role]
		if _, err := u.SubscribeSync(subject); err != nil {
			t.Fatal(err)
		}
		if !u.settled(t)["Subscription "+subject] {
			t.Errorf("a %s subscribed to %s", role, subject)
		}
	}
	stored := func(t *testing.T, stream, subject string) uint64 {
		t.Helper()
		s, err := js.Stream(t.Context(), stream)
		if err != nil {
			t.Fatal(err)
		}
		info, err := s.Info(t.Context(), jetstream.WithSubjectFilter(subject))
		if err != nil {
			t.Fatal(err)
		}
		var n uint64
		for _, c := range info.State.Subjects {
			n += c
		}
		return n
	}
	publish := func(t *testing.T, subject string) {
		t.Helper()
		if _, err := js.Publish(t.Context(), subject, []byte("theirs")); err != nil {
			t.Fatal(err)
		}
	}

	t.Run("a probe publishes another node's snapshot", func(t *testing.T) {
		refusesPublish(t, "probe", "snapshots.db-9.host.os")
		if n := stored(t, bus.Snapshots, "snapshots.db-9.>"); n != 0 {
			t.Errorf("%d messages of db-9 are stored", n)
		}
	})
	t.Run("a probe erases the others' data with a rollup header", func(t *testing.T) {
		publish(t, "snapshots.db-9.host.gc")
		for _, how := range []string{"all", "sub"} {
			m := nats.NewMsg("snapshots.web-1.host.os")
			m.Header.Set("Nats-Rollup", how)
			streamRefuses(t, f.users["probe"], m)
		}
		if n := stored(t, bus.Snapshots, "snapshots.db-9.host.gc"); n != 1 {
			t.Errorf("%d messages of db-9 are left, want 1", n)
		}
	})
	t.Run("a client erases the tasks with a rollup header", func(t *testing.T) {
		publish(t, "operator.task.os")
		before := stored(t, bus.Work, "operator.task.os")
		m := nats.NewMsg("investigate.request")
		m.Header.Set("Nats-Rollup", "all")
		streamRefuses(t, f.users["client"], m)
		if n := stored(t, bus.Work, "operator.task.os"); n != before {
			t.Errorf("%d of %d tasks are left", n, before)
		}
	})
	t.Run("a client has the server publish a task later", func(t *testing.T) {
		m := nats.NewMsg("investigate.request")
		m.Header.Set("Nats-Schedule", "@at "+time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
		m.Header.Set("Nats-Schedule-Target", "operator.task.os")
		streamRefuses(t, f.users["client"], m)
	})
	t.Run("a user who may not ask has the server ask later", func(t *testing.T) {
		for _, role := range []string{"probe", "operator", "client", "viewer", "ci"} {
			u := f.users[role]
			m := nats.NewMsg("schedule.attack")
			m.Header.Set("Nats-Schedule", "@every 1s")
			m.Header.Set("Nats-Schedule-Target", "investigate.request")
			if err := u.PublishMsg(m); err != nil {
				t.Fatal(err)
			}
			if !u.settled(t)["Publish schedule.attack"] {
				t.Errorf("a %s made a schedule", role)
			}
		}
		for role, subject := range map[string]string{"probe": "changes.web-1.os", "operator": "deadletters.FL_WORK", "ci": "changes.web-1.deploy", "client": "people.note.x"} {
			m := nats.NewMsg(subject)
			m.Header.Set("Nats-Schedule", "@every 1s")
			m.Header.Set("Nats-Schedule-Target", "investigate.request")
			streamRefuses(t, f.users[role], m)
		}
	})
	t.Run("a probe has the server repeat its words under another subject", func(t *testing.T) {
		u := f.users["probe"]
		m := nats.NewMsg("nodes.web-1")
		m.Data = []byte(`{"forged":true}`)
		if err := publishAs(t, u, m); err != nil {
			t.Fatal(err)
		}
		const verb = "$JS.API.DIRECT.GET.FL_NODES.nodes.web-1"
		if err := u.PublishRequest(verb, "snapshots.db-9.host.forged", nil); err != nil {
			t.Fatal(err)
		}
		if !u.settled(t)["Publish "+verb] {
			t.Error("the server took the request")
		}
		if n := stored(t, bus.Snapshots, "snapshots.db-9.host.forged"); n != 0 {
			t.Errorf("%d forged snapshots are stored", n)
		}
	})
	t.Run("a client has the server repeat its words as an insight", func(t *testing.T) {
		refusesPublish(t, "client", "$JS.API.DIRECT.GET.FL_PEOPLE")
		refusesPublish(t, "client", "$JS.API.DIRECT.GET.FL_PEOPLE.people.note.x")
	})
	t.Run("a viewer makes a push consumer that delivers to a probe or to the coordinators", func(t *testing.T) {
		u := f.users["viewer"]
		for _, target := range []string{"probe.web-1.call", "investigate.request"} {
			for _, verb := range []string{"$JS.API.CONSUMER.CREATE.FL_NODES.x", "$JS.API.CONSUMER.CREATE.FL_NODES", "$JS.API.CONSUMER.DURABLE.CREATE.FL_NODES.x", "$JS.API.CONSUMER.CREATE.FL_NODES.x.nodes.*"} {
				body := fmt.Sprintf(`{"stream_name":"FL_NODES","config":{"name":"x","deliver_subject":%q,"ack_policy":"none"}}`, target)
				if err := u.PublishRequest(verb, bus.InboxPrefix(u.name)+".x", []byte(body)); err != nil {
					t.Fatal(err)
				}
				if !u.settled(t)["Publish "+verb] {
					t.Errorf("%s to %s was taken", verb, target)
				}
			}
		}
		s, err := js.Stream(t.Context(), bus.Nodes)
		if err != nil {
			t.Fatal(err)
		}
		if n := s.CachedInfo().State.Consumers; n != 0 {
			t.Errorf("%d consumers were made", n)
		}
	})
	t.Run("an operator publishes an insight", func(t *testing.T) {
		refusesPublish(t, "operator", "insights.critical.causal.i")
		refusesPublish(t, "operator", "$JS.API.DIRECT.GET.FL_FINDINGS")
	})
	t.Run("a viewer eavesdrops on another user's inbox", func(t *testing.T) {
		for _, s := range []string{"_FL_INBOX.op-1.>", "_FL_INBOX.*.>", "_FL_INBOX.>", "_FL_INBOX.op-1.*", ">", "*.>", "_FL_INBOX.vi-1x.>"} {
			refusesSubscribe(t, "viewer", s)
		}
	})
	t.Run("a user whose name is a wildcard reads every inbox", func(t *testing.T) {
		for _, name := range []string{"*", ">", "web-1.x", "", "web 1", "{{name()}}", strings.Repeat("x", 129)} {
			for _, r := range bus.Roles() {
				if _, err := f.auth.Mint(r.Name, name); err == nil {
					t.Errorf("a %s called %q was minted", r.Name, name)
				}
			}
		}
	})
	t.Run("a probe answers for another node", func(t *testing.T) {
		refusesSubscribe(t, "probe", "probe.db-9.call")
		refusesSubscribe(t, "probe", "probe.*.call")
		u := f.users["probe"]
		op := f.users["operator"]
		inbox := op.NewInbox()
		answers, err := op.SubscribeSync(inbox)
		if err != nil {
			t.Fatal(err)
		}
		if err := op.PublishRequest("probe.db-9.call", inbox, nil); err != nil {
			t.Fatal(err)
		}
		if err := op.Flush(); err != nil {
			t.Fatal(err)
		}
		refusesPublish(t, "probe", inbox)
		// Its own requests it may answer, once.
		calls, err := u.SubscribeSync("probe.web-1.call")
		if err != nil {
			t.Fatal(err)
		}
		if err := u.Flush(); err != nil {
			t.Fatal(err)
		}
		mine := op.NewInbox()
		mineAnswers, err := op.SubscribeSync(mine)
		if err != nil {
			t.Fatal(err)
		}
		if err := op.PublishRequest("probe.web-1.call", mine, nil); err != nil {
			t.Fatal(err)
		}
		call, err := calls.NextMsg(5 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if err := call.Respond([]byte("answer")); err != nil {
			t.Fatal(err)
		}
		if m, err := mineAnswers.NextMsg(5 * time.Second); err != nil || string(m.Data) != "answer" {
			t.Errorf("the answer to its own request: %v", err)
		}
		refusesPublish(t, "probe", call.Reply)
		if n, _, err := answers.Pending(); err != nil || n > 1 { // one: "no responders"
			t.Errorf("%d answers for db-9, %v", n, err)
		}
	})
	t.Run("an operator takes, acknowledges or deletes the coordinators' work", func(t *testing.T) {
		publish(t, "investigate.request")
		cons, err := js.Consumer(t.Context(), bus.Requests.Stream, bus.Requests.Name)
		if err != nil {
			t.Fatal(err)
		}
		msg, err := cons.Next()
		if err != nil {
			t.Fatal(err)
		}
		refusesPublish(t, "operator", msg.Reply())
		work := bus.Requests.Stream
		for _, verb := range []string{"CONSUMER.MSG.NEXT." + work + ".coordinator", "CONSUMER.MSG.NEXT." + bus.Work + ".coordinator", "STREAM.MSG.DELETE." + work, "STREAM.PURGE." + work, "STREAM.PURGE." + bus.Work, "CONSUMER.DELETE." + work + ".coordinator"} {
			refusesPublish(t, "operator", "$JS.API."+verb)
		}
		if n := stored(t, work, "investigate.request"); n == 0 {
			t.Error("the request is gone")
		}
	})
	t.Run("a client writes a journal record", func(t *testing.T) {
		refusesPublish(t, "client", "journal.operator.r")
		refusesPublish(t, "client", "journal.coordinator.r")
	})
	t.Run("a second user of another role shares the inbox by its name", func(t *testing.T) {
		if _, err := f.auth.Mint(bus.ViewerRole, "op-1"); err == nil {
			t.Error("a viewer called op-1 was minted")
		}
	})
}

// streamRefuses publishes to a stream and fails unless the stream itself says no.
func streamRefuses(t *testing.T, u *user, m *nats.Msg) {
	t.Helper()
	var said *jetstream.APIError
	if err := publishAs(t, u, m); !errors.As(err, &said) {
		t.Errorf("the stream of %s took %v from a %s: %v", m.Subject, m.Header, u.role, err)
	}
}

func publishAs(t *testing.T, u *user, m *nats.Msg) error {
	t.Helper()
	js, err := jetstream.New(u.Conn)
	if err != nil {
		t.Fatal(err)
	}
	_, err = js.PublishMsg(t.Context(), m)
	return err
}
