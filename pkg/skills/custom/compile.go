package custom

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/fleetlens/fleetlens/internal/keys"
	"github.com/fleetlens/fleetlens/internal/reach/endpoint"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// A compiler makes a skill of a file and says for each fault on which line it is.
type compiler struct {
	name      string
	root      *yaml.Node
	file      file
	databases map[string]Database
	errs      []error
	places    map[string]place
	broken    map[string]bool // places that could not be opened, which was said
}

// fault notes what is wrong at a path of keys and positions.
func (c *compiler) fault(path []any, format string, args ...any) {
	node, words := c.root, []string{}
	for _, step := range path {
		var next *yaml.Node
		switch step := step.(type) {
		case string:
			words = append(words, step)
			for i := 0; i+1 < len(node.Content) && node.Kind == yaml.MappingNode; i += 2 {
				if node.Content[i].Value == step {
					next = node.Content[i+1]
				}
			}
		case int:
			words[len(words)-1] += "[" + strconv.Itoa(step) + "]"
			if node.Kind == yaml.SequenceNode && step < len(node.Content) {
				next = node.Content[step]
			}
		}
		if next == nil {
			break // it is missing: the line is that of what should have it
		}
		node = next
	}
	c.errs = append(c.errs, fmt.Errorf("%s:%d: %s: %s", c.name, node.Line, strings.Join(words, "."), fmt.Sprintf(format, args...)))
}

func (c *compiler) compile() (skills.Skill, error) {
	f := c.file
	for key, v := range map[string]string{"name": f.Name, "title": f.Title, "description": f.Description, "prompt": f.Prompt} {
		if strings.TrimSpace(v) == "" {
			c.fault([]any{key}, "it is missing")
		}
	}
	if f.Name == protocol.CustomSkill {
		c.fault([]any{"name"}, "%q stands for all skills that operators were not built with", f.Name)
	}
	if len(f.Metrics) == 0 {
		c.fault([]any{"metrics"}, "a skill has at least one")
	}
	c.readPlaces()
	s := &source{places: c.places}
	src := skills.Source{Kind: skills.Host, Prompt: f.Prompt, Snapshot: s.snapshot}
	for i, m := range f.Metrics {
		src.Metrics = append(src.Metrics, c.metric(i, m))
		s.metrics = append(s.metrics, c.reader(i, m))
	}
	for i, k := range f.Checks {
		src.Checks = append(src.Checks, c.check(i, k))
	}
	for i, k := range f.Callbacks {
		src.Calls = append(src.Calls, c.callback(i, k))
	}
	skill := skills.Skill{Name: f.Name, Title: f.Title, Summary: f.Description, Prefix: f.Name + "_", Sources: []skills.Source{src}}
	if len(c.errs) == 0 { // what the above does not know the registry does
		if _, err := skills.NewRegistry(skill); err != nil {
			c.errs = append(c.errs, fmt.Errorf("%s: %w", c.name, err))
		}
	}
	slices.SortFunc(c.errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return skill, errors.Join(c.errs...)
}

// readPlaces opens what is named in read.
func (c *compiler) readPlaces() {
	c.places, c.broken = map[string]place{}, map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(c.file.Read)) {
		r := c.file.Read[name]
		path := []any{"read", name}
		set := 0
		for _, v := range []string{r.Prometheus, r.JSON, r.Postgres} {
			if v != "" {
				set++
			}
		}
		if set != 1 {
			c.fault(path, "one of prometheus, json and postgres says where it is")
			c.broken[name] = true
			continue
		}
		p := place{}
		if address := r.Prometheus + r.JSON; address != "" {
			cfg := endpoint.Config{URL: address, TokenFile: r.TokenFile}
			if err := cfg.Validate(); err != nil {
				c.fault(path, "%v", err)
			}
			if r.JSON != "" {
				p.json = endpoint.New(cfg)
			} else {
				p.prometheus = endpoint.New(cfg)
			}
		} else if p.database = c.databases[r.Postgres]; p.database == nil {
			c.fault(path, "there is no server %q in targets.postgres (have %s)", r.Postgres, strings.Join(slices.Sorted(maps.Keys(c.databases)), ", "))
			c.broken[name] = true
			continue
		}
		c.places[name] = p
	}
}

var units = []string{
	string(protocol.Count), string(protocol.Percent), string(protocol.Ratio), string(protocol.Bytes), string(protocol.Kibibytes), string(protocol.Mebibytes),
	string(protocol.Seconds), string(protocol.Milliseconds), string(protocol.PerSecond), string(protocol.BytesPerSecond), string(protocol.Load), string(protocol.Text),
}

func (c *compiler) oneOf(path []any, v string, all []string) {
	if !slices.Contains(all, v) {
		c.fault(path, "%q is none of %s; the nearest is %q", v, strings.Join(all, ", "), keys.Nearest(v, all))
	}
}

func (c *compiler) metric(i int, m metric) skills.Metric {
	at := func(key string) []any { return []any{"metrics", i, key} }
	if m.Name == "" {
		c.fault(at("name"), "it is missing")
	}
	if m.Doc == "" {
		c.fault(at("doc"), "it is missing: what the metric counts, for people and models")
	}
	if m.Kind == "" {
		m.Kind = string(protocol.Gauge)
	}
	c.oneOf(at("unit"), m.Unit, units)
	c.oneOf(at("kind"), m.Kind, []string{string(protocol.Gauge), string(protocol.Counter), string(protocol.Info)})
	if m.Rate && m.Unit == string(protocol.Text) {
		c.fault(at("rate"), "a text has none")
	}
	return skills.Metric{Name: m.Name, Unit: skills.Unit(m.Unit), Kind: skills.MetricKind(m.Kind), Doc: m.Doc}
}

// place returns the place that an entry reads, when it says how in the way of that place.
func (c *compiler) place(list string, i int, name, series, field, sql string) (p place, ok bool) {
	at := func(key string) []any { return []any{list, i, key} }
	if c.broken[name] {
		return p, false
	}
	p, ok = c.places[name]
	if !ok {
		c.fault(at("from"), "%q is no name in read (have %s)", name, strings.Join(slices.Sorted(maps.Keys(c.places)), ", "))
		return p, false
	}
	before := len(c.errs)
	for key, given := range map[string]bool{"series": series != "" && p.prometheus == nil, "sql": sql != "" && p.database == nil, "field": field != "" && p.json == nil} {
		if given {
			c.fault(at(key), "%s has none: it is read by %s", name, p.by())
		}
	}
	switch {
	case p.prometheus != nil && series == "", p.database != nil && sql == "", p.json != nil && field == "" && list == "metrics":
		c.fault([]any{list, i}, "it needs %q: %s is read by it", p.by(), name)
	}
	return p, len(c.errs) == before
}

func (c *compiler) check(i int, k check) skills.Check {
	at := func(key string) []any { return []any{"checks", i, key} }
	var names []string
	for _, m := range c.file.Metrics {
		names = append(names, m.Name)
	}
	c.oneOf(at("metric"), k.Metric, names)
	if k.Says == "" {
		c.fault(at("says"), "it is missing: what is wrong, with {value} in it")
	}
	for _, field := range skills.Placeholders(k.Says, k.Metric) {
		c.oneOf(at("says"), field, names)
	}
	out := skills.Check{Metric: k.Metric, Op: protocol.Above, Says: k.Says, Ask: k.Ask, Advice: k.Advice, Resource: k.Resource}
	l := k.Above
	switch {
	case (k.Above == nil) == (k.Below == nil):
		c.fault([]any{"checks", i}, "it has either above or below, with the levels warning and critical")
		return out
	case k.Below != nil:
		out.Op, l = protocol.Below, k.Below
	}
	if out.Warn, out.Critical = l.Warning, l.Critical; l.Warning == nil && l.Critical == nil {
		c.fault([]any{"checks", i}, "it needs a level: warning, critical or both")
	}
	if k.Ask != "" {
		var calls []string
		for _, b := range c.file.Callbacks {
			calls = append(calls, b.Name)
		}
		name, _, err := skills.ParseCall(k.Ask)
		if err != nil {
			c.fault(at("ask"), "%v", err)
		} else if !slices.Contains(calls, name) {
			c.fault(at("ask"), "there is no callback %q (have %s)", name, strings.Join(calls, ", "))
		}
	}
	return out
}

func (c *compiler) callback(i int, k callback) skills.Call {
	at := func(key string) []any { return []any{"callbacks", i, key} }
	if !strings.HasPrefix(k.Name, c.file.Name+"_") {
		c.fault(at("name"), "%q must begin with %s_", k.Name, c.file.Name)
	}
	if k.Doc == "" {
		c.fault(at("doc"), "it is missing: what it answers, field by field")
	}
	call := skills.Call{Name: k.Name, Doc: k.Doc, Example: k.Example}
	if k.Example == "" {
		call.Example = k.Name + "()"
	}
	var names []string
	for n, p := range k.Params {
		c.param([]any{"callbacks", i, "params", n}, p)
		names = append(names, p.Name)
		call.Params = append(call.Params, skills.Param{Name: p.Name, Type: p.Type, Doc: p.Doc, Default: plain(p.Default), Min: p.Min, Max: p.Max, Enum: p.Enum})
	}
	for _, param := range k.Query {
		if !slices.Contains(names, param) {
			c.fault(at("query"), "%q is no parameter of it (have %s)", param, strings.Join(names, ", "))
		}
	}
	if name, args, err := skills.ParseCall(call.Example); err != nil || name != k.Name {
		c.fault(at("example"), "%q is no call of %s", call.Example, k.Name)
	} else if _, err := skills.Bind(call.Words(), args); err != nil {
		c.fault(at("example"), "%v", err)
	}
	p, ok := c.place("callbacks", i, k.From, k.Series, k.Field, k.SQL)
	if len(k.Query) > 0 && p.json == nil {
		c.fault(at("query"), "only an address of JSON has one")
	}
	if sel, err := parseSelector(k.Series); k.Series != "" && err != nil {
		c.fault(at("series"), "%v", err)
	} else if ok {
		call.Run = p.answer(k, sel)
	}
	return call
}

func (c *compiler) param(path []any, p param) {
	if p.Name == "" {
		c.fault(append(path, "name"), "it is missing")
	}
	c.oneOf(append(path, "type"), p.Type, []string{"string", "number", "integer", "boolean"})
}

// plain returns a value of YAML as JSON has it.
func plain(v any) any {
	switch n := v.(type) {
	case int:
		return float64(n)
	case int64:
		return float64(n)
	case uint64:
		return float64(n)
	}
	return v
}
