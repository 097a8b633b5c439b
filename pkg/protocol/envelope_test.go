package protocol_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

var sent = time.Date(2026, 3, 14, 9, 26, 53, 589_000_001, time.UTC)

func TestEnvelopeHeaders(t *testing.T) {
	e := protocol.NewEnvelope(protocol.Snapshot{}, "77aa01bc23de45f6", "probe/web-1", sent)
	want := map[string][]string{
		"ce-specversion": {"1.0"},
		"ce-id":          {"77aa01bc23de45f6"},
		"ce-type":        {"fleetlens.v1.snapshot"},
		"ce-source":      {"probe/web-1"},
		"ce-time":        {"2026-03-14T09:26:53.589000001Z"},
	}
	if diff := cmp.Diff(want, e.Header(false)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want["Nats-Msg-Id"] = want["ce-id"]
	if diff := cmp.Diff(want, e.Header(true)); diff != "" {
		t.Errorf("with dedupe (-want +got):\n%s", diff)
	}
}

func TestEnvelopeRoundTrip(t *testing.T) {
	for _, m := range protocol.Types() {
		e := protocol.NewEnvelope(m, protocol.NewID(), "operator/op-3", sent)
		e.TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
		got, err := protocol.ParseEnvelope(e.Header(true))
		if err != nil {
			t.Fatalf("%s: %v", m.MessageType(), err)
		}
		if diff := cmp.Diff(e, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", m.MessageType(), diff)
		}
	}
}

func TestTimeOfAnEnvelopeTravelsInUTC(t *testing.T) {
	e := protocol.Envelope{Time: sent.In(time.FixedZone("", 5*3600))}
	if got, want := e.Header(false)[protocol.HeaderTime][0], "2026-03-14T09:26:53.589000001Z"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestParseEnvelope(t *testing.T) {
	for _, tt := range []struct {
		name   string
		header map[string][]string
		want   string // in the error; empty: none
	}{
		{"no headers, as nats pub sends", nil, ""},
		{"headers of others only", map[string][]string{"X-Mine": {"1"}}, ""},
		{"a header without values", map[string][]string{"ce-id": {}}, ""},
		{"a type of somebody else", map[string][]string{"ce-type": {"com.example.order"}}, `type "com.example.order" is not of fleetlens.v1.*`},
		{"a later version", map[string][]string{"ce-type": {"fleetlens.v2.snapshot"}}, "is not of fleetlens.v1.*"},
		{"a time that is none", map[string][]string{"ce-time": {"noon"}}, "ce-time: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, err := protocol.ParseEnvelope(tt.header)
			switch {
			case tt.want == "" && (err != nil || e != protocol.Envelope{}):
				t.Errorf("got %+v, %v; want the zero envelope", e, err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
}

// Behaviour: 2, 3.
func TestIDs(t *testing.T) {
	id, trace := regexp.MustCompile(`^[0-9a-f]{16}$`), regexp.MustCompile(`^[0-9a-f]{32}$`)
	seen := map[string]bool{}
	for range 1000 {
		a, b := protocol.NewID(), protocol.NewTraceID()
		if !id.MatchString(a) || !trace.MatchString(b) {
			t.Fatalf("NewID %q, NewTraceID %q", a, b)
		}
		if seen[a] || seen[b] {
			t.Fatalf("%s or %s came twice", a, b)
		}
		seen[a], seen[b] = true, true
	}
}

func TestEffectIDIsStable(t *testing.T) {
	// A worker of another release repeats the effects of this one: never change it.
	if got, want := protocol.EffectID("6e2f1d8ba5c30749", "3", "call_1"), "b06cf2f272415f22"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if protocol.EffectID("ab", "c") == protocol.EffectID("a", "bc") {
		t.Error("parts run into each other")
	}
}
