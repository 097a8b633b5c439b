package arch_test

import (
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/fleetlens/fleetlens/"

// anything stands for every package of ours.
var anything = []string{"..."}

// mayImport says which packages of ours a package may import. A name that ends
// in /... stands for the folders below it too; of several the longest counts.
// Tests are free, since what they import ends in no process.
var mayImport = map[string][]string{
	"cmd/...":                 anything,
	"test/...":                anything,
	"internal/allinone":       anything,
	"internal/docgen/...":     anything,
	"internal/programs":       anything,
	"internal/programs/watch": {"pkg/...", "internal/keys", "internal/probe", "internal/detect", "internal/census", "internal/rollouts", "internal/discover", "internal/journald", "internal/reach/..."},
	"internal/arch":           {},

	"internal/probe/...":       {"pkg/...", "internal/bus", "internal/detect", "internal/redact"},
	"internal/operator/...":    {"pkg/...", "internal/bus", "internal/journal", "internal/llm/...", "internal/proc"},
	"internal/coordinator/...": {"pkg/...", "internal/bus", "internal/journal", "internal/llm/...", "internal/correlate", "internal/triage", "internal/intake", "internal/topology", "internal/proc", "internal/similar", "internal/agentproto"},

	"internal/gateway":         {"pkg/protocol", "pkg/signals", "internal/bus", "internal/intake", "internal/gateway/message", "internal/gateway/sinks"},
	"internal/gateway/message": {"pkg/protocol"},
	"internal/gateway/sinks":   {"pkg/protocol", "internal/gateway/message"},

	"internal/missing":      {},
	"internal/pgtest":       {"internal/missing"},
	"internal/beamtest":     {"internal/missing"},
	"internal/kubetest":     {},
	"internal/endpoint":     {},
	"internal/otlp":         {},
	"internal/telemetry":    {"pkg/signals", "internal/otlp", "internal/endpoint"},
	"internal/keys":         {},
	"internal/proc":         {"internal/keys", "internal/bus", "internal/telemetry", "pkg/protocol", "pkg/signals", "pkg/skills"},
	"internal/bus":          {"pkg/protocol", "pkg/signals"},
	"internal/bus/natsd":    {},
	"internal/bus/natstest": {"internal/bus", "internal/bus/natsd"},
	"internal/journal":      {"internal/bus", "pkg/agent", "pkg/protocol"},
	"internal/llm/...":      {"internal/llm", "internal/llm/record", "internal/llm/rules", "pkg/agent", "pkg/protocol", "pkg/signals"},
	"internal/llm/record":   {"pkg/agent", "pkg/protocol"},
	"internal/budget":       {"internal/bus", "internal/llm", "pkg/protocol"},
	"internal/llm/rules":    {"pkg/agent", "pkg/skills", "internal/correlate", "pkg/protocol"},

	"internal/census":           {"pkg/protocol", "internal/reach/host"},
	"internal/rollouts":         {"pkg/protocol", "internal/reach/kubernetes"},
	"internal/discover":         {"pkg/protocol", "internal/reach/host", "internal/reach/beam"},
	"internal/correlate":        {},
	"internal/triage":           {"pkg/protocol"},
	"internal/intake":           {"pkg/protocol", "internal/bus", "internal/endpoint"},
	"internal/detect":           {},
	"internal/redact":           {},
	"internal/topology":         {"pkg/protocol", "internal/keys"},
	"internal/similar":          {"pkg/protocol"},
	"internal/reading":          {"pkg/protocol", "internal/bus"},
	"internal/agentproto":       {"pkg/protocol", "internal/bus", "internal/reading"},
	"internal/mcp":              {"pkg/protocol", "internal/bus", "internal/reading"},
	"internal/health":           {"pkg/protocol", "internal/bus", "internal/budget"},
	"internal/web":              {"pkg/protocol", "internal/bus", "internal/endpoint", "internal/similar", "internal/reading", "internal/topology", "internal/health", "internal/mcp"},
	"internal/web/bundle":       {},
	"internal/reach/...":        {},
	"internal/reach/logs":       {"internal/reach/logtemplate"},
	"internal/reach/nats":       {"internal/reach/httpapi"},
	"internal/reach/prometheus": {"internal/reach/httpapi"},
	"internal/reach/kubernetes": {"internal/reach/httpapi"},
	"internal/reach/beam":       {"internal/reach/beam/etf", "internal/reach/beam/dist", "internal/reach/logs", "internal/reach/stacktrace"},
	"internal/reach/beam/dist":  {"internal/reach/beam/etf"},
	// The one place that runs a program for a skill.
	"internal/journald": {"internal/reach/logs"},

	"pkg/protocol":            {},
	"pkg/luasandbox":          {},
	"pkg/probe":               {"pkg/skills", "internal/probe", "internal/proc", "internal/programs/watch"},
	"docs/examples/...":       {"pkg/..."},
	"pkg/signals":             {},
	"pkg/signals/signalstest": {"pkg/signals"},
	"pkg/skills":              {"pkg/protocol"},
	"pkg/skills/...":          {"pkg/skills", "pkg/protocol", "internal/reach/..."},
	"pkg/skills/all":          {"pkg/skills/...", "internal/reach/..."},
	"pkg/skills/custom":       {"pkg/skills", "pkg/protocol", "internal/reach/...", "internal/keys"},
	"pkg/skills/skilltest":    {"pkg/skills", "pkg/protocol"},
	// What tests share that start real nodes.
	"pkg/skills/skilltest/nodetest": {"pkg/skills", "pkg/skills/skilltest", "internal/beamtest", "internal/reach/..."},
	"pkg/agent":                     {"pkg/agent/grounding", "pkg/skills", "pkg/protocol", "pkg/signals"},
	"pkg/agent/agenttest":           {"pkg/agent", "pkg/skills", "pkg/protocol"},
	"pkg/agent/grounding":           {"pkg/protocol"},
}

// mayUse says who alone may import packages of others, tests left out.
var mayUse = map[string][]string{
	"github.com/nats-io/": {"internal/bus/...", "internal/allinone", "test/..."},
	// Others know its interfaces only: what sends is chosen in one place.
	"go.opentelemetry.io/otel/sdk":       {"internal/telemetry", "internal/otlp", "pkg/signals/signalstest", "test/..."},
	"go.opentelemetry.io/otel/exporters": {"internal/telemetry", "test/..."},
	"github.com/prometheus/":             {"internal/telemetry", "internal/reach/...", "test/..."},
	"github.com/google/pprof/":           {"internal/reach/gopprof"},
	"github.com/jedib0t/go-pretty/":      {"cmd/fleetlens"},
	"github.com/modelcontextprotocol/":   {"internal/mcp", "test/..."},
}

// mustNotUse says what packages may not import, tests left out.
var mustNotUse = map[string][]string{
	"os/exec": {"pkg/skills/...", "internal/reach/..."},
}

// standardOnly is what a client takes alone.
var standardOnly = []string{"pkg/protocol"}

type pkg struct {
	name    string // below the module
	imports []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var list []pkg
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		list = append(list, pkg{strings.TrimPrefix(words[0], module), words[1:]})
	}
	return list
}

// covers says whether a pattern of a rule stands for a package.
func covers(pattern, name string) bool {
	if pattern == "..." {
		return true
	}
	folder, below := strings.CutSuffix(pattern, "/...")
	return name == folder || below && strings.HasPrefix(name, folder+"/")
}

func anyCovers(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return covers(p, name) })
}

// ruleOf returns the rule of a package: its own, or that of the longest pattern.
func ruleOf(name string) ([]string, bool) {
	if rule, ok := mayImport[name]; ok {
		return rule, true
	}
	var best string
	for _, pattern := range slices.Sorted(maps.Keys(mayImport)) {
		if covers(pattern, name) && len(pattern) > len(best) {
			best = pattern
		}
	}
	return mayImport[best], best != ""
}

func TestImportsPointTheRightWay(t *testing.T) {
	for _, p := range packages(t) {
		rule, ok := ruleOf(p.name)
		if !ok {
			t.Errorf("%s has no rule: say in mayImport of internal/arch what it may import", p.name)
			continue
		}
		for _, imported := range p.imports {
			name, ours := strings.CutPrefix(imported, module)
			if ours && !anyCovers(rule, name) {
				t.Errorf("%s must not import %s (may import %s)", p.name, name, strings.Join(rule, ", "))
			}
		}
	}
}

func TestOnlySomePackagesKnowOthers(t *testing.T) {
	for _, p := range packages(t) {
		for prefix, users := range mayUse {
			for _, imported := range p.imports {
				if strings.HasPrefix(imported, prefix) && !anyCovers(users, p.name) {
					t.Errorf("%s must not import %s: only %s may", p.name, imported, strings.Join(users, ", "))
				}
			}
		}
	}
}

func TestNoSkillRunsAProgram(t *testing.T) {
	for _, p := range packages(t) {
		for denied, names := range mustNotUse {
			if anyCovers(names, p.name) && slices.Contains(p.imports, denied) {
				t.Errorf("%s must not import %s", p.name, denied)
			}
		}
	}
}

func TestTheWireNeedsTheStandardLibraryOnly(t *testing.T) {
	for _, p := range packages(t) {
		for _, imported := range p.imports {
			first, _, _ := strings.Cut(imported, "/")
			if anyCovers(standardOnly, p.name) && strings.Contains(first, ".") {
				t.Errorf("%s must not import %s: it is not of the standard library", p.name, imported)
			}
		}
	}
}

func TestRulesOf(t *testing.T) {
	for _, tt := range []struct{ name, pkg, rule string }{
		{"its own rule", "pkg/skills", "pkg/skills"},
		{"its own rule before a folder's", "pkg/skills/all", "pkg/skills/all"},
		{"a folder's rule", "pkg/skills/gc", "pkg/skills/..."},
		{"the rule of the folder itself", "internal/operator", "internal/operator/..."},
		{"a name that only begins alike has none", "internal/operatorx", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := ruleOf(tt.pkg)
			if want := mayImport[tt.rule]; ok != (tt.rule != "") || !slices.Equal(got, want) {
				t.Errorf("ruleOf(%q) = %q, want %q", tt.pkg, got, want)
			}
		})
	}
}
