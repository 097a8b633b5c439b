package protocol_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func TestToken(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"a plain name stays", "web-1", "web-1"},
		{"letters of both cases and digits stay", "Web01", "Web01"},
		{"an underscore stays", "gc_pauses", "gc_pauses"},
		{"a dot is escaped", "web-1.example.org", "web-1_2Eexample_2Eorg"},
		{"a space is escaped", "my host", "my_20host"},
		{"each byte of a letter beyond ASCII is escaped", "größe", "gr_C3_B6_C3_9Fe"},
		{"the wildcard of one token is escaped", "a*", "a_2A"},
		{"the wildcard of many tokens is escaped", ">", "_3E"},
		{"an at sign and a colon are escaped", "app@10.0.0.1:4369", "app_4010_2E0_2E0_2E1_3A4369"},
		{"a slash is escaped", "a/b", "a_2Fb"},
		{"a line break is escaped", "a\nb", "a_0Ab"},
		{"bytes that are no UTF-8 are escaped", "\xff\x00", "_FF_00"},
		{"a name with a dot", "a.", "a_2E"},
		{"an underscore that reads as an escape is escaped", "a_2E", "a_5F2E"},
		{"lower-case hex does not read as an escape", "a_2e", "a_2e"},
		{"an underscore at the end stays", "a_", "a_"},
		{"an underscore before one hex digit stays", "a_2", "a_2"},
		{"an underscore before an escape stays", "_.", "__2E"},
		{"an empty name has no token", "", ""},
		{"the longest that stays whole", strings.Repeat("n", 128), strings.Repeat("n", 128)},
		{"a longer one is cut and ends in a hash", strings.Repeat("n", 129), strings.Repeat("n", 111) + "-0bf2917cc7e3d671"},
		{"an underscore at the cut needs no escape any more", strings.Repeat("n", 108) + "_2E" + strings.Repeat("n", 40), strings.Repeat("n", 108) + "_2-4413eda6a7898c7c"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := protocol.Token(tt.in)
			if got != tt.want {
				t.Errorf("Token(%q) = %q, want %q", tt.in, got, tt.want)
			}
			if len(tt.in) <= protocol.MaxToken && protocol.Name(got) != tt.in {
				t.Errorf("Name(%q) = %q, want %q", got, protocol.Name(got), tt.in)
			}
		})
	}
}

func TestLongNamesThatBeginAlikeHaveTheirOwnTokens(t *testing.T) {
	a, b := protocol.Token(strings.Repeat("n", 200)+"a"), protocol.Token(strings.Repeat("n", 200)+"b")
	if a == b {
		t.Errorf("both are %q", a)
	}
}

func FuzzToken(f *testing.F) {
	for _, s := range []string{
		"web-1", "a.b", "a_2E", "_", "__", "_5F", "_5F2E", "größe", "*", ">", "\xff", strings.Repeat("n", 129), strings.Repeat(".", 64),
		strings.Repeat("n", 108) + "_2E" + strings.Repeat("n", 40),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		token := protocol.Token(name)
		if len(token) > protocol.MaxToken {
			t.Errorf("Token(%q) has %d bytes", name, len(token))
		}
		if bad := strings.Trim(token, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"); bad != "" {
			t.Errorf("Token(%q) = %q has %q in it", name, token, bad)
		}
		if name != "" && token == "" {
			t.Errorf("Token(%q) is empty", name)
		}
		// What parses a subject may build the same one again, cut or not.
		if again := protocol.Token(protocol.Name(token)); again != token {
			t.Errorf("Token(Name(%q)) = %q", token, again)
		}
		// Name is the inverse of what was not cut, and a shorter token never was.
		if len(token) < 100 && protocol.Name(token) != name {
			t.Errorf("Name(%q) = %q, want %q", token, protocol.Name(token), name)
		}
	})
}

// subjectCases are the subject functions with what each gives for these names.
var subjectCases = []struct {
	name    string
	subject string
	want    string
	prefix  string
	names   []string
}{
	{"node", protocol.NodeSubject("web.1"), "nodes.web_2E1", "nodes", []string{"web.1"}},
	{"snapshot", protocol.SnapshotSubject("web.1", "host", "os"), "snapshots.web_2E1.host.os", "snapshots", []string{"web.1", "host", "os"}},
	{"anomaly", protocol.AnomalySubject("web.1", "app@web", "gc"), "anomalies.web_2E1.app_40web.gc", "anomalies", []string{"web.1", "app@web", "gc"}},
	{"change", protocol.ChangeSubject("web-1", "ci/cd"), "changes.web-1.ci_2Fcd", "changes", []string{"web-1", "ci/cd"}},
	{"alert", protocol.AlertSubject("alertmanager"), "alerts.alertmanager", "alerts", []string{"alertmanager"}},
	{"task", protocol.TaskSubject("os"), "operator.task.os", "operator.task", []string{"os"}},
	{"serves", protocol.ServesSubject("os"), "operator.serves.os", "operator.serves", []string{"os"}},
	{"notification", protocol.NotificationSubject("os", "web-1", "9f2c"), "operator.notification.os.web-1.9f2c", "operator.notification", []string{"os", "web-1", "9f2c"}},
	{"completion", protocol.CompletionSubject("os", "9f2c"), "operator.completion.os.9f2c", "operator.completion", []string{"os", "9f2c"}},
	{"state", protocol.StateSubject("os", "9f2c"), "operator.state.os.9f2c", "operator.state", []string{"os", "9f2c"}},
	{"investigation", protocol.InvestigationSubject("9f2c", protocol.PhaseFinished), "investigations.9f2c.finished", "investigations", []string{"9f2c", "finished"}},
	{"insight", protocol.InsightSubject("critical", "causal", "9f2c"), "insights.critical.causal.9f2c", "insights", []string{"critical", "causal", "9f2c"}},
	{"journal", protocol.JournalSubject(protocol.OperatorAgent, "6e2f"), "journal.operator.6e2f", "journal", []string{"operator", "6e2f"}},
	{"cancelled", protocol.CancelledSubject("6e2f"), "cancelled.6e2f", "cancelled", []string{"6e2f"}},
	{"people", protocol.PeopleSubject("note", "9f2c"), "people.note.9f2c", "people", []string{"note", "9f2c"}},
	{"dead letter", protocol.DeadLetterSubject("FL_WORK"), "deadletters.FL_WORK", "deadletters", []string{"FL_WORK"}},
	{"probe", protocol.ProbeSubject("web.1", "call"), "probe.web_2E1.call", "probe", []string{"web.1", "call"}},
}

func TestSubjects(t *testing.T) {
	for _, tt := range subjectCases {
		t.Run(tt.name, func(t *testing.T) {
			if tt.subject != tt.want {
				t.Errorf("got %q, want %q", tt.subject, tt.want)
			}
			got, err := protocol.ParseSubject(tt.subject, tt.prefix, len(tt.names))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.names, got); diff != "" {
				t.Errorf("ParseSubject (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnyIsAWildcardInSubjects(t *testing.T) {
	if got, want := protocol.SnapshotSubject(protocol.Any, protocol.Any, "os"), "snapshots.*.*.os"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestParseSubjectSaysWhatIsWrong(t *testing.T) {
	for _, tt := range []struct {
		name, subject, prefix string
		names                 int
		want                  string
	}{
		{"another prefix", "insights.a.b.c", "snapshots", 3, `does not begin with "snapshots."`},
		{"the prefix alone", "nodes", "nodes", 1, `does not begin with "nodes."`},
		{"a word that only begins like it", "nodesx.a", "nodes", 1, `does not begin with "nodes."`},
		{"too few names", "snapshots.a.b", "snapshots", 3, `has 2 names after "snapshots", want 3`},
		{"too many names", "nodes.a.b", "nodes", 1, `has 2 names after "nodes", want 1`},
		{"an empty token", "snapshots.a..c", "snapshots", 3, "has an empty token"},
		{"an empty subject", "", "nodes", 1, "does not begin"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := protocol.ParseSubject(tt.subject, tt.prefix, tt.names)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("ParseSubject(%q): %v, want an error with %q", tt.subject, err, tt.want)
			}
		})
	}
}
