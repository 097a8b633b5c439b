package skills

import (
	"context"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// The words of a source are protocol types: they travel to operators, models and people.
type (
	// Metric describes one field of a snapshot.
	Metric = protocol.Metric
	// Check is a threshold as data.
	Check = protocol.Check
	// Param describes one argument of a callback.
	Param = protocol.Param
	// Unit says what a metric's number counts.
	Unit = protocol.Unit
	// MetricKind says how a metric's value moves.
	MetricKind = protocol.MetricKind
)

// A Kind is a kind of target.
type Kind string

// Kinds of target.
const (
	Host       Kind = "host"       // the machine the probe runs on
	Go         Kind = "go"         // a Go service
	Beam       Kind = "beam"       // an Erlang or Elixir node
	Postgres   Kind = "postgres"   // a PostgreSQL server
	NATS       Kind = "nats"       // a NATS server
	Prometheus Kind = "prometheus" // a Prometheus server
	Kubernetes Kind = "kubernetes" // a Kubernetes cluster
)

// A Target is one thing on a node that can be looked into.
type Target struct {
	Name string // one of the node's targets: "checkout"
	Kind Kind
	// Level is what its owner grants, where targets of the kind have levels of their own:
	// "observe", "events" or "trace". Empty: what the probe grants.
	Level string
}

// A Skill is a domain of diagnosis.
type Skill struct {
	Name    string // one lower-case word with underscores: "os"
	Title   string // what people read: "System resources"
	Summary string // one line, by which a coordinator chooses
	Prefix  string // how its callbacks' names begin: "system_"
	Sources []Source
}

// A Source is how one kind of target answers a skill. Of kinds other than Host a
// node may have several targets: see [PerTarget].
type Source struct {
	Kind    Kind
	Prompt  string // what a model should know to read the metrics; Markdown
	Metrics []Metric
	Checks  []Check
	Calls   []Call
	// Snapshot reads every metric once. It must return before ctx ends, is never
	// called twice at a time, and returns what it could read together with an
	// error for what it could not.
	Snapshot func(ctx context.Context) (Data, error)
	// Open returns the source of one target by its name. Nil where the source is
	// of one target already, as that of Host is. A source that must be opened
	// gives its words only: its functions are never called.
	Open func(target string) Source
}

// PerTarget returns a source of a kind of which a node may have several targets.
// Clients are the targets by name; bind makes the source of one of them. It is
// called with the zero client too, for the words.
func PerTarget[C any](clients map[string]C, bind func(C) Source) Source {
	var none C
	src := bind(none)
	src.Open = func(target string) Source { return bind(clients[target]) }
	return src
}

// A Call is a callback: a read-only question.
type Call struct {
	Name    string   // begins with the skill's prefix
	Aliases []string // other names of it, which need no prefix
	Doc     string   // what it returns, field by field with units
	Params  []Param
	Example string // how it is called: system_top_processes(5, "memory")
	Level   string // what the host's configuration must grant: "" (observe), "events", "trace"
	// Run answers. The result must be expressible in JSON. It must return before
	// ctx ends and may be called from several goroutines at once.
	Run func(ctx context.Context, a Args) (any, error)
}

// Words returns what travels of the source of skill s.
func (s Skill) Words(src Source) protocol.Words {
	w := protocol.Words{
		Skill: s.Name, Kind: string(src.Kind), Title: s.Title, Summary: s.Summary,
		Prompt: src.Prompt, Metrics: src.Metrics, Checks: src.Checks,
	}
	for _, c := range src.Calls {
		w.Calls = append(w.Calls, c.Words())
	}
	return w
}

// Words returns what travels of the callback.
func (c Call) Words() protocol.CallDoc {
	return protocol.CallDoc{Name: c.Name, Aliases: c.Aliases, Doc: c.Doc, Params: c.Params, Example: c.Example, Level: c.Level}
}

// Level returns p, for the Warn and Critical of a check and the bounds of a parameter.
func Level(p float64) *float64 { return &p }
