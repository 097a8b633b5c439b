package agent

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	schemagen "github.com/eino-contrib/jsonschema"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A Tool is one thing a decider may do.
type Tool struct {
	Name   string
	Doc    string
	Schema *schemagen.Schema // of the arguments
	// Ends says that the run is over when the tool succeeded.
	Ends bool

	run        func(ctx context.Context, c Call) (Outcome, error)
	fold       func(effect json.RawMessage) error
	checks     *jsonschema.Schema
	schemaText string // Schema as JSON
	digest     [sha256.Size]byte
}

// A Call is one use of a tool.
type Call struct {
	RunID string
	Step  int
	N     int       // position among the calls of the step, from 0
	At    time.Time // when the step was decided, or its call before this one had its result: the same on every replay
	// Stopping is closed when the worker wants to hand the run back.
	Stopping <-chan struct{}

	// Model is what decided the step: of a set, the member that answered.
	Model string
	// Instead says why another decider than the run's decided; empty: the run's own did.
	Instead string
	// Usage is what the run's decisions used so far.
	Usage protocol.Usage

	slot Slot
}

// EffectID returns the id of what this call causes; a repeated call gives the same.
func (c Call) EffectID(parts ...string) string {
	return protocol.EffectID(append([]string{c.RunID, fmt.Sprint(c.Step), fmt.Sprint(c.N)}, parts...)...)
}

// Address returns the address of this call's result, for evidence.
func (c Call) Address() string { return ResultAddress(c.RunID, c.Step, c.N) }

// ResultAddress returns the address of the result of the n-th call of a step.
func ResultAddress(run string, step, n int) string {
	if n == 0 {
		return fmt.Sprintf("%s/%d", run, step)
	}
	return fmt.Sprintf("%s/%d.%d", run, step, n)
}

// An Outcome is what a tool gives: what the decider reads, and what changed.
type Outcome struct {
	Content any // a string as it is, anything else as JSON
	Effect  any // what the fold gets, as JSON; nil: nothing changed
}

// errStopping says that a call was left because the worker stops; it is made again.
var errStopping = errors.New("the worker stops")

// newTool makes a tool whose arguments are a struct of type A and whose effect
// is of type E. run must not change state: fold does, live and on replay.
func newTool[A, E any](name, doc string, run func(ctx context.Context, c Call, args A) (Outcome, error), fold func(E) error) Tool {
	schema := schemaOf[A](name)
	t := Tool{Name: name, Doc: doc, Schema: schema.schema, checks: schema.checks, schemaText: schema.text}
	t.digest = sha256.Sum256([]byte(name + "\x00" + doc + "\x00" + schema.text))
	t.run = func(ctx context.Context, c Call) (Outcome, error) {
		var args A
		raw, _ := ctx.Value(argsKey{}).(string)
		if err := json.Unmarshal([]byte(raw), &args); err != nil {
			return Outcome{}, err
		}
		return run(ctx, c, args)
	}
	if fold != nil {
		t.fold = func(raw json.RawMessage) error {
			var e E
			if err := json.Unmarshal(raw, &e); err != nil {
				return fmt.Errorf("effect of %s: %w", name, err)
			}
			return fold(e)
		}
	}
	return t
}

type argsKey struct{}

// compiled is the schema of a tool's arguments, ready to validate.
type compiled struct {
	schema *schemagen.Schema
	checks *jsonschema.Schema
	text   string
}

// schemas holds what was compiled, by the type of the arguments: every run has
// the same tools, and compiling them takes longer than a step.
var schemas sync.Map // reflect.Type → compiled

func schemaOf[A any](name string) compiled {
	key := reflect.TypeFor[A]()
	if known, ok := schemas.Load(key); ok {
		return known.(compiled)
	}
	var zero A
	reflector := schemagen.Reflector{DoNotReference: true, Anonymous: true}
	schema := reflector.Reflect(&zero)
	schema.Version = ""
	raw, err := json.Marshal(schema)
	if err != nil {
		panic(fmt.Sprintf("agent: schema of %s: %v", name, err)) // a fault of this package
	}
	sortRequired(schema)
	c := compiled{schema: schema, checks: compile(name, raw), text: string(raw)}
	schemas.Store(key, c)
	return c
}

// sortRequired sorts the names of required fields. A client of a provider does so where
// they are, which runs share: what is sorted it leaves alone.
func sortRequired(s *schemagen.Schema) {
	if s == nil {
		return
	}
	slices.Sort(s.Required)
	sortRequired(s.Items)
	for pair := s.Properties.Oldest(); pair != nil; pair = pair.Next() {
		sortRequired(pair.Value)
	}
}

func compile(name string, raw []byte) *jsonschema.Schema {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(raw)))
	if err != nil {
		panic(fmt.Sprintf("agent: schema of %s: %v", name, err))
	}
	at := "fleetlens:" + name // no path: it would be looked for from the current folder, which may be gone
	c := jsonschema.NewCompiler()
	if err := c.AddResource(at, doc); err != nil {
		panic(fmt.Sprintf("agent: schema of %s: %v", name, err))
	}
	return c.MustCompile(at)
}

// arguments returns a call's arguments when they are what the tool takes. An
// argument that is null is one that was left out, as some models write it. The
// error names each fault in words that a model can act upon.
func (t Tool) arguments(args string) (string, error) {
	if strings.TrimSpace(args) == "" {
		args = "{}"
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(args))
	if err != nil {
		return "", fmt.Errorf("arguments of %s are not JSON: %w", t.Name, err)
	}
	given, ok := v.(map[string]any)
	if v == nil {
		given, ok = map[string]any{}, true
	}
	if ok {
		maps.DeleteFunc(given, func(_ string, v any) bool { return v == nil })
		v = given
	}
	err = t.checks.Validate(v)
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		if err != nil {
			return "", err
		}
		plain, err := json.Marshal(v)
		return string(plain), err
	}
	var faults []string
	var walk func(e *jsonschema.ValidationError)
	walk = func(e *jsonschema.ValidationError) {
		if len(e.Causes) == 0 {
			at := strings.Join(e.InstanceLocation, ".")
			if at != "" {
				at += ": "
			}
			faults = append(faults, at+strings.TrimPrefix(e.Error(), "jsonschema validation failed with "))
		}
		for _, c := range e.Causes {
			walk(c)
		}
	}
	walk(invalid)
	for i, f := range faults {
		if _, rest, ok := strings.Cut(f, "- at "); ok {
			faults[i] = strings.TrimSpace(rest)
		}
	}
	return "", fmt.Errorf("arguments of %s: %s", t.Name, strings.Join(faults, "; "))
}
