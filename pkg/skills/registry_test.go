package skills_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
)

func TestRegistryTakesAWellFormedSkill(t *testing.T) {
	skilltest.Run(t, pantry())
}

func TestRegistryRefuses(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(s *skills.Skill, src *skills.Source)
		want  string
	}{
		{"a name with capitals", func(s *skills.Skill, _ *skills.Source) { s.Name = "Pantry" }, `skill "Pantry": its name must match`},
		{"no title", func(s *skills.Skill, _ *skills.Source) { s.Title = "" }, "a title and a summary"},
		{"no source", func(s *skills.Skill, _ *skills.Source) { s.Sources = nil }, "it has no source"},
		{"a source without a kind", func(_ *skills.Skill, src *skills.Source) { src.Kind = "" }, "source 0 has no kind"},
		{"no snapshot", func(_ *skills.Skill, src *skills.Source) { src.Snapshot = nil }, "a snapshot function"},
		{"no prompt", func(_ *skills.Skill, src *skills.Source) { src.Prompt = "" }, "needs a prompt"},
		{"a metric without a unit", func(_ *skills.Skill, src *skills.Source) { src.Metrics[0].Unit = "" }, `metric "used_pct" needs`},
		{"a metric twice", func(_ *skills.Skill, src *skills.Source) { src.Metrics[1].Name = "used_pct" }, "declared twice"},
		{"a callback without the prefix", func(_ *skills.Skill, src *skills.Source) { src.Calls[0].Name = "top" }, `needs the prefix "pantry_"`},
		{"a callback without a function", func(_ *skills.Skill, src *skills.Source) { src.Calls[0].Run = nil }, "a doc, an example and a function"},
		{"an example that is no call", func(_ *skills.Skill, src *skills.Source) { src.Calls[0].Example = "pantry_top" }, "is not a call"},
		{"a check of a metric that is not declared", func(_ *skills.Skill, src *skills.Source) { src.Checks[0].Metric = "room" }, `names the metric "room"`},
		{"a check without a level", func(_ *skills.Skill, src *skills.Source) { src.Checks[0].Warn, src.Checks[0].Critical = nil, nil }, "an op, a threshold and words"},
		{"a check with an unknown op", func(_ *skills.Skill, src *skills.Source) { src.Checks[0].Op = "over" }, "an op, a threshold and words"},
		{"a check that asks a callback that is not there", func(_ *skills.Skill, src *skills.Source) { src.Checks[0].Ask = "pantry_who()" }, `asks "pantry_who()"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := pantry()
			tt.spoil(&s, &s.Sources[0])
			_, err := skills.NewRegistry(s)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want a fault that says %q", err, tt.want)
			}
		})
	}
}

func TestRegistryNamesEveryFaultAtOnce(t *testing.T) {
	one, two := pantry(), pantry()
	one.Title, one.Sources[0].Prompt = "", ""
	two.Name, two.Sources = "cellar", nil
	_, err := skills.NewRegistry(one, two, pantry())
	if err == nil {
		t.Fatal("it is accepted")
	}
	for _, want := range []string{"a title and a summary", "needs a prompt", `skill "cellar": it has no source`, `skill "pantry" is listed twice`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the fault %q does not say %q", err, want)
		}
	}
}

// Behaviour: 68.
func TestRegistryFinds(t *testing.T) {
	cellar := pantry()
	cellar.Name, cellar.Prefix = "cellar", "cellar_"
	cellar.Sources[0].Calls, cellar.Sources[0].Checks = nil, nil
	r, err := skills.NewRegistry(pantry(), cellar)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Names(); !slices.Equal(got, []string{"pantry", "cellar"}) {
		t.Errorf("the names are %v", got)
	}
	if w := r.Words(); len(w) != 2 || w[0].Skill != "pantry" || w[1].Skill != "cellar" || len(w[0].Calls) != 1 {
		t.Errorf("the words are %+v", w)
	}
	if _, err := r.Lookup("celar"); err == nil || !strings.Contains(err.Error(), `unknown skill "celar" (have pantry, cellar)`) {
		t.Errorf("an unknown skill gives %v", err)
	}
	if s, err := r.Lookup("cellar"); err != nil || s.Name != "cellar" {
		t.Errorf("got %q, %v", s.Name, err)
	}
}

func TestRegistryListsAreCopies(t *testing.T) {
	r, err := skills.NewRegistry(pantry())
	if err != nil {
		t.Fatal(err)
	}
	r.Names()[0], r.All()[0].Name = "spoilt", "spoilt"
	if r.Names()[0] != "pantry" || r.All()[0].Name != "pantry" {
		t.Error("a caller can change the registry")
	}
}

func TestRegistryFindsCallbacks(t *testing.T) {
	r, err := skills.NewRegistry(pantry())
	if err != nil {
		t.Fatal(err)
	}
	now := func() skills.Time { return skills.Time{Timestamp: "2026-01-02T03:04:05Z", UnixMS: 1} }
	node := func(context.Context) (skills.Node, error) { return skills.Node{Name: "web-1", OSType: "linux"}, nil }
	base := skills.BaseCalls(now, node)

	b, err := r.Call(skills.Host, "pantry_top", base)
	if err != nil || b.Skill != "pantry" {
		t.Errorf("got %q, %v", b.Skill, err)
	}
	b, err = r.Call(skills.Host, "get_node_info", base)
	if err != nil || b.Skill != "" {
		t.Fatalf("got %q, %v", b.Skill, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if got, err := b.Call.Run(ctx, skills.Args{}); err != nil || got.(skills.Node).Name != "web-1" {
		t.Errorf("get_node_info says %v, %v", got, err)
	}
	for _, kind := range []skills.Kind{skills.Host, skills.Go} {
		_, err = r.Call(kind, "pantry_tops", base)
		if err == nil || !strings.Contains(err.Error(), `unknown callback "pantry_tops" (a `+string(kind)+" target has ") || !strings.Contains(err.Error(), "get_current_time, get_node_info") {
			t.Errorf("an unknown callback of a %s target gives %v", kind, err)
		}
	}
	if _, err := r.Call(skills.Go, "pantry_top", base); err == nil {
		t.Error("a callback of the host is found on a Go service")
	}
}

func TestWordsAreAllThatTravels(t *testing.T) {
	s := pantry()
	w := s.Words(s.Sources[0])
	if err := w.Validate(); err != nil {
		t.Error(err)
	}
	if m, ok := w.Metric("fullest"); !ok || m.Unit != protocol.Text {
		t.Errorf("got %+v, %v", m, ok)
	}
	other := pantry()
	other.Sources[0].Checks[0].Warn = skills.Level(84)
	if w.Hash() == other.Words(other.Sources[0]).Hash() {
		t.Error("another threshold does not change the hash of the words")
	}
	if again := pantry(); w.Hash() != again.Words(again.Sources[0]).Hash() {
		t.Error("the same words have two hashes")
	}
}
