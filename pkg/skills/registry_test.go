package skills_test

import (
	"context"
	"slices"
	"strings"
	"testing"

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
		{"an alias that is another's name", func(_ *skills.Skill, src *skills.Source) { src.Calls[0].Aliases = []string{src.Calls[0].Name} }, "declared twice"},
		{"an alias that no script could write", func(_ *skills.Skill, src *skills.Source) { src.Calls[0].Aliases = []string{"what is there?"} }, `callback name "what is there?" must match`},
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

func TestPerTargetOpensOneSourceForEachTarget(t *testing.T) {
	src := skills.PerTarget(map[string]string{"a": "one", "b": "two"}, func(client string) skills.Source {
		return skills.Source{Kind: skills.Go, Snapshot: func(context.Context) (skills.Data, error) { return skills.Data{"client": client}, nil }}
	})
	if src.Kind != skills.Go {
		t.Errorf("the words are those of kind %q", src.Kind)
	}
	for target, want := range map[string]string{"a": "one", "b": "two"} {
		opened := src.Open(target)
		if d, err := opened.Snapshot(t.Context()); err != nil || d["client"] != want || opened.Open != nil {
			t.Errorf("%s reads %v, %v", target, d, err)
		}
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
