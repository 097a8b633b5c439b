package docgen

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fleetlens/fleetlens/internal/telemetry"
	"github.com/fleetlens/fleetlens/pkg/signals"
)

// telemetryPage makes the page of signals, with what stands for each event of the
// reference. It fails when an event has nothing, and no reason either.
func telemetryPage(table []signals.Signal) (string, error) {
	var b strings.Builder
	b.WriteString(head("Telemetry", "pkg/signals/table.go and internal/docgen/reference.go"))
	b.WriteString(telemetryIntro)
	b.WriteString("## Spans\n\n| span | attributes | what it is |\n|---|---|---|\n")
	for _, s := range table {
		if s.Kind == signals.KindSpan {
			row(&b, code(s.Name), attrs(s), prose(s.Doc))
		}
	}
	b.WriteString("\n## Events on spans\n\n| event | attributes | what happened |\n|---|---|---|\n")
	for _, s := range table {
		if s.Kind == signals.KindEvent {
			row(&b, code(s.Name), attrs(s), prose(s.Doc))
		}
	}
	b.WriteString("\n## Metrics\n\nLabels never hold the name or the id of a node, a run or a person.\n\n| metric | on /metrics | kind | unit | labels | what it says |\n|---|---|---|---|---|---|\n")
	for _, s := range table {
		if s.Kind != signals.KindSpan && s.Kind != signals.KindEvent {
			row(&b, code(s.Name), code(telemetry.PrometheusName(s)), string(s.Kind), strings.Trim(s.Unit, "{}"), attrs(s), prose(s.Doc))
		}
	}
	b.WriteString("\n## Events of Beamlens\n\nFleetlens does what [Beamlens](https://github.com/beamlens/beamlens) 0.4 does in one Erlang VM. Each of its\ntelemetry events, and what stands for it here. Those in italics are emitted there, but not in its own list.\n\n| event | here |\n|---|---|\n")
	if err := mapping(&b, table); err != nil {
		return "", err
	}
	return b.String(), nil
}

const telemetryIntro = `Every process serves ` + "`/metrics`" + ` for Prometheus, ` + "`/healthz`" + ` (200 while it lives) and ` + "`/readyz`" + ` (200 only while it is
connected to NATS and takes work, else 503 and why) at the address of ` + "`--http`" + `: 127.0.0.1:4230 of ` + "`fleetlens up`" + `,
:4231 of probes, :4232 of operators, :4233 of coordinators. ` + "`--http=`" + ` turns it off. A second process of a kind on one
machine finds the address taken, says so, and goes on without: name another. An address that other machines reach
needs ` + "`--http-token-file`" + `; ` + "`/metrics`" + ` then asks for ` + "`Authorization: Bearer …`" + `.

Spans, metrics and logs go to an OpenTelemetry collector when the environment names one, by OTLP over HTTP, in JSON:
` + "`OTEL_EXPORTER_OTLP_ENDPOINT`" + ` or ` + "`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, `…_METRICS_…`, `…_LOGS_…`" + `. The other standard variables hold too:
` + "`OTEL_TRACES_EXPORTER`, `OTEL_METRICS_EXPORTER`, `OTEL_LOGS_EXPORTER` (`otlp` or `none`), `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`," + `
` + "`OTEL_TRACES_SAMPLER`, `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_SDK_DISABLED`" + `. Without them nothing is sent anywhere. A collector that is
down costs nothing but what it would have been told: queues are bounded, and one warning in five minutes says so.

A trace goes through NATS in the header ` + "`traceparent`" + `, from the request to its insights. A request without one begins a trace;
its id is the ` + "`trace_id`" + ` of tasks and notifications, also where no process records spans. Snapshots and heartbeats have none.

Texts in attributes are cut to 256 bytes.

`

func attrs(s signals.Signal) string {
	var out []string
	for _, a := range s.Attrs {
		out = append(out, code(string(a)))
	}
	return strings.Join(out, " ")
}

func mapping(b *strings.Builder, table []signals.Signal) error {
	ours := map[string][]signals.Signal{}
	for _, s := range table {
		for _, of := range s.For {
			ours[of] = append(ours[of], s)
		}
	}
	var errs []error
	for _, e := range reference {
		list, name := ours[e.name], code(e.name)
		delete(ours, e.name)
		if !e.listed {
			name = "*" + name + "*"
		}
		switch {
		case len(list) == 0 && e.none == "":
			errs = append(errs, fmt.Errorf("nothing stands for %s of the reference: say so in pkg/signals/table.go, or why not in internal/docgen/reference.go", e.name))
		case len(list) > 0 && e.none != "":
			errs = append(errs, fmt.Errorf("%s of the reference has %s, and a reason for having nothing", e.name, list[0].Name))
		case len(list) == 0:
			row(b, name, "none: "+e.none)
		default:
			row(b, name, standsFor(e, list))
		}
	}
	for _, of := range slices.Sorted(maps.Keys(ours)) {
		errs = append(errs, fmt.Errorf("%s stands for %s, which is no event of the reference", ours[of][0].Name, of))
	}
	return errors.Join(errs...)
}

// standsFor says which signals stand for an event: of a tool's span, which tool's.
func standsFor(e event, list []signals.Signal) string {
	var out []string
	for _, s := range list {
		text := string(s.Kind) + " " + code(s.Name)
		if s.Name == string(signals.ExecuteTool) {
			text = "span " + code(s.Name+" "+e.tool())
		}
		out = append(out, text)
	}
	text := strings.Join(out, ", ")
	if e.how != "" {
		text += ", " + e.how
	}
	return text
}

// tool returns the tool that an event of an agent is about.
func (e event) tool() string {
	agent, name, _ := strings.Cut(e.name, ".")
	if agent == "tool" {
		return "{tool}"
	}
	for _, suffix := range []string{"_start", "_complete", "_error"} {
		name = strings.TrimSuffix(name, suffix)
	}
	return name
}
