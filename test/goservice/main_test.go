package goservice_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/all"
	"github.com/fleetlens/fleetlens/test/goservice"
)

// A watched service has all skills on it.
type watched struct {
	*goservice.Service
	t    *testing.T
	list []skills.Skill
	open map[string]skills.Source
}

// watch starts a service and opens every skill's source of it.
func watch(t *testing.T, c gopprof.Config, args ...string) *watched {
	t.Helper()
	s := goservice.Start(t, args...)
	c.URL, c.Cache = s.URL, 10*time.Millisecond
	w := look(t, c)
	w.Service = s
	return w
}

// look opens every skill's source of the service of a configuration.
func look(t *testing.T, c gopprof.Config) *watched {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	list := all.Skills(all.Options{Clients: all.Targets{Go: map[string]gopprof.Config{"checkout": c}}.Open()})
	return &watched{t: t, list: list, open: map[string]skills.Source{}}
}

// skillsOfGo are those that look into Go services.
func (w *watched) skillsOfGo() (names []string) {
	for _, s := range w.list {
		for _, src := range s.Sources {
			if src.Kind == skills.Go {
				names = append(names, s.Name)
			}
		}
	}
	return names
}

func (w *watched) source(skill string) skills.Source {
	w.t.Helper()
	for _, s := range w.list {
		for _, src := range s.Sources {
			if s.Name == skill && src.Kind == skills.Go {
				if _, ok := w.open[skill]; !ok {
					w.open[skill] = src.Open("checkout")
				}
				return w.open[skill]
			}
		}
	}
	w.t.Fatalf("no skill %s looks into Go services", skill)
	return skills.Source{}
}

func (w *watched) snapshot(skill string) skills.Data {
	w.t.Helper()
	d, err := w.source(skill).Snapshot(w.t.Context())
	if err != nil {
		w.t.Fatalf("snapshot of %s: %v", skill, err)
	}
	return d
}

// until takes snapshots, as far apart as a rate needs, until one is as it should be.
func (w *watched) until(skill, what string, is func(skills.Data) bool) skills.Data {
	w.t.Helper()
	tick := time.NewTicker(1100 * time.Millisecond)
	defer tick.Stop()
	late := time.After(time.Minute)
	for {
		d := w.snapshot(skill)
		if is(d) {
			return d
		}
		select {
		case <-tick.C:
		case <-late:
			w.t.Fatalf("not within a minute: %s; the last snapshot of %s is %s", what, skill, plain(w.t, d))
		}
	}
}

// crossed returns what the crossed checks of a snapshot say, by their metrics.
func (w *watched) crossed(skill string, d skills.Data) map[string]string {
	says := map[string]string{}
	for _, x := range skills.Evaluate(w.source(skill).Checks, d) {
		says[x.Check.Metric] = x.Says
	}
	return says
}

// untilCrossed takes snapshots until a check is crossed that names who is responsible.
func (w *watched) untilCrossed(skill, metric string, names ...string) skills.Data {
	w.t.Helper()
	d := w.until(skill, metric+" is crossed and says "+strings.Join(names, ", "), func(d skills.Data) bool {
		says := w.crossed(skill, d)[metric]
		return says != "" && !slices.ContainsFunc(names, func(n string) bool { return !strings.Contains(says, n) })
	})
	w.t.Log(w.crossed(skill, d)[metric])
	return d
}

// ask makes a call as it is written, and returns its answer as JSON has it.
func (w *watched) ask(skill, call string) (any, error) {
	w.t.Helper()
	name, args, err := skills.ParseCall(call)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range w.source(skill).Calls {
		if c.Name != name {
			continue
		}
		a, err := skills.Bind(c.Words(), args)
		if err != nil {
			return nil, err
		}
		v, err := c.Run(w.t.Context(), a)
		if err != nil {
			return nil, err
		}
		var out any
		if err := json.Unmarshal([]byte(plain(w.t, v)), &out); err != nil {
			w.t.Fatal(err)
		}
		return out, nil
	}
	w.t.Fatalf("skill %s has no callback %s", skill, name)
	return nil, nil
}

// get is ask of what must be answered, as a map.
func (w *watched) get(skill, call string) map[string]any {
	w.t.Helper()
	v, err := w.ask(skill, call)
	if err != nil {
		w.t.Fatalf("%s: %v", call, err)
	}
	m, ok := v.(map[string]any)
	if !ok {
		w.t.Fatalf("%s answers %s", call, plain(w.t, v))
	}
	return m
}

// row returns a row of a list in an answer.
func row(t *testing.T, answer map[string]any, list string, i int) map[string]any {
	t.Helper()
	rows, _ := answer[list].([]any)
	if i >= len(rows) {
		t.Fatalf("%s has %d rows: %s", list, len(rows), plain(t, answer))
	}
	return rows[i].(map[string]any)
}

func plain(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
