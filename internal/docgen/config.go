package docgen

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/fleetlens/fleetlens/internal/coordinator"
	"github.com/fleetlens/fleetlens/internal/gateway/sinks"
	"github.com/fleetlens/fleetlens/internal/intake"
	"github.com/fleetlens/fleetlens/internal/llm"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/internal/programs"
	"github.com/fleetlens/fleetlens/internal/programs/watch"
	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/internal/reach/httpapi"
	"github.com/fleetlens/fleetlens/internal/reach/kubernetes"
	"github.com/fleetlens/fleetlens/internal/reach/logs"
	"github.com/fleetlens/fleetlens/internal/reach/postgres"
)

// sections are the parts of the configuration file that are no flags.
var sections = []struct {
	key, what, doc string
	entry          any // what stands in it, or under a name in it
	folder         string
}{
	{
		"anomaly", "probe, fleetlens up",
		"How the node's [detector](../explanation/anomalies-and-triage.md) is set. The proposal that Fleetlens is made from has an example with other values than these " +
			"defaults: `collection_interval_ms: 60_000`, `learning_duration_ms: 300_000`, `z_threshold: 3.0`, `consecutive_required: 3`, `cooldown_duration_ms: 900_000`, " +
			"`auto_trigger: true`, `max_triggers_per_hour: 3`. It may be copied as it is: five minutes of learning know no hour and no day, so expect more that is told and turns out usual.",
		watch.Anomaly{}, "internal/programs/watch",
	},
	{"logs", "probe, fleetlens up", "Which logs the probe reads.", logs.Config{}, "internal/reach/logs"},
	{"targets.go.NAME", "probe, fleetlens up", "Go services to look into, by a name of one's own.", gopprof.Config{}, "internal/reach/gopprof"},
	{"targets.postgres.NAME", "probe, fleetlens up", "PostgreSQL servers to look into, by a name of one's own.", postgres.Config{}, "internal/reach/postgres"},
	{"targets.nats.NAME", "probe, fleetlens up", "NATS servers to look into through their monitoring port, by a name of one's own.", httpapi.Config{}, "internal/reach/httpapi"},
	{"targets.prometheus.NAME", "probe, fleetlens up", "Prometheus servers to ask through their HTTP API, by a name of one's own.", httpapi.Config{}, "internal/reach/httpapi"},
	{"targets.kubernetes.NAME", "probe, fleetlens up", "Kubernetes clusters to ask through their API, by a name of one's own: see [Kubernetes](../how-to/kubernetes.md).", kubernetes.Config{}, "internal/reach/kubernetes"},
	{"targets.beam.NAME", "probe, fleetlens up", "Erlang and Elixir nodes to look into, by a name of one's own: see [Erlang and Elixir nodes](beam.md).", beam.Config{}, "internal/reach/beam"},
	{"models.NAME", "operator, coordinator, fleetlens", "Models by a name of one's own, which requests and sets use.", llm.Model{}, "internal/llm"},
	{"sets.NAME", "operator, coordinator, fleetlens", "Several models under one name.", llm.Set{}, "internal/llm"},
	{"recurring.NAME", "coordinator", "Investigations that come again and again, by name.", coordinator.Recurring{}, "internal/coordinator"},
	{"intakes.FORMAT", "coordinator, fleetlens gateway, fleetlens up", "The secrets of senders that sign their alerts and changes: cloudevents, github, gitlab, grafana, pagerduty. See [Intakes](intakes.md).", intake.Source{}, "internal/intake"},
	{"sinks.NAME", "fleetlens gateway, fleetlens up", "Where insights are sent, by a name of one's own: see [Sinks](sinks.md).", sinks.Config{}, "internal/gateway/sinks"},
}

// configPage lists every option of every program.
func configPage(root string) (string, error) {
	var b strings.Builder
	b.WriteString(head("Configuration", "the programs' flags and the comments of their settings"))
	b.WriteString(`Each program reads its options from the command line, from the environment and
from a YAML file that ` + code("--config") + ` or ` + code("FLEETLENS_CONFIG") + ` names; what comes first holds. The
environment variable of ` + code("--log-level") + ` is ` + code("FLEETLENS_LOG_LEVEL") + `, its key in the file is
` + code("log-level") + `. Besides options the file has [sections](#sections). An option or a key that
does not exist is refused, with its line and the nearest that does.

Requests have options of their own, see [request](protocol.md#request).
`)
	for _, p := range programs.All() {
		cmd := proc.Command(p.Name, p.Doc, p.Settings, nil)
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| option | environment | default | meaning |\n|---|---|---|---|\n", p.Name, firstLine(p.Doc))
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			kind, usage := pflag.UnquoteUsage(f)
			row(&b, code(strings.TrimSpace("--"+f.Name+" "+kind)), code(proc.EnvName(f.Name)), defaultOf(f), prose(usage))
		})
	}
	b.WriteString("\n## Sections\n")
	for _, s := range sections {
		src, err := readSource(filepath.Join(root, s.folder))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "\n### %s\n\n%s Read by: %s.\n\n| key | type | meaning |\n|---|---|---|\n", section(s.key), s.doc, s.what)
		if err := keys(&b, src, s.key, reflect.TypeOf(s.entry)); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

// section is the key of a section, without what stands for a name in it.
func section(key string) string {
	return strings.TrimSuffix(strings.TrimSuffix(key, ".NAME"), ".FORMAT")
}

func firstLine(doc string) string {
	line, _, _ := strings.Cut(doc, "\n")
	return line
}

func defaultOf(f *pflag.Flag) string {
	if f.DefValue == "" || f.DefValue == "[]" {
		return ""
	}
	return code(f.DefValue)
}

// keys lists what a struct reads, with what the structs in it read.
func keys(b *strings.Builder, src source, path string, t reflect.Type) error {
	for f := range t.Fields() {
		name := f.Tag.Get("yaml")
		if name == "" || name == "-" || !f.IsExported() {
			continue
		}
		comment := src.comments[t.Name()+"."+f.Name]
		of := f.Type
		for of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		if of.Kind() == reflect.Struct {
			if comment == "" {
				comment = src.comments[of.Name()]
			}
			row(b, code(path+"."+name), "map", prose(comment))
			if err := keys(b, src, path+"."+name, of); err != nil {
				return err
			}
			continue
		}
		if comment == "" {
			return fmt.Errorf("%s.%s has no comment for the page of options: %w", t.Name(), f.Name, fs.ErrNotExist)
		}
		row(b, code(path+"."+name), kindOf(of), prose(strings.TrimPrefix(strings.TrimPrefix(comment, f.Name+" "), "is ")))
	}
	return nil
}

// kindOf names a type as somebody who writes YAML would.
func kindOf(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "duration"
	case t.Kind() == reflect.Slice:
		return "list of " + kindOf(t.Elem()) + "s"
	case t.Kind() == reflect.Map:
		return "map of " + kindOf(t.Elem()) + "s"
	case slices.Contains([]reflect.Kind{reflect.Int, reflect.Int64}, t.Kind()):
		return "number"
	case slices.Contains([]reflect.Kind{reflect.Float32, reflect.Float64}, t.Kind()):
		return "decimal"
	case t.Kind() == reflect.Bool:
		return "true or false"
	}
	return t.Kind().String()
}
