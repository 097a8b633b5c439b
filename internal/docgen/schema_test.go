package docgen_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// compile returns the schema of each type of message.
func compile(t *testing.T) map[string]*jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.DefaultDraft(jsonschema.Draft7) // a schema must name its own draft
	out := map[string]*jsonschema.Schema{}
	for name, content := range files(t) {
		kind, ok := strings.CutPrefix(strings.TrimSuffix(name, ".json"), "schemas/")
		if !ok {
			continue
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := c.AddResource(name, doc); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		s, err := c.Compile(name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if s.DraftVersion != 2020 {
			t.Errorf("%s is of draft %d", name, s.DraftVersion)
		}
		out[kind] = s
	}
	return out
}

// golden returns the golden messages of pkg/protocol by their file names.
func golden(t *testing.T) map[string]map[string]any {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, "pkg/protocol/testdata/v1/*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden messages: %v", err)
	}
	out := map[string]map[string]any{}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimSuffix(filepath.Base(p), ".json")] = parse(t, b)
	}
	return out
}

func parse(t *testing.T, b []byte) map[string]any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return v.(map[string]any)
}

func kindOf(file string) string {
	kind, _, _ := strings.Cut(file, ".")
	return kind
}

func TestGoldenMessagesAreOfTheirSchemas(t *testing.T) {
	schemas := compile(t)
	for name, m := range golden(t) {
		if err := schemas[kindOf(name)].Validate(m); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSchemasLetLaterFieldsThrough(t *testing.T) {
	schemas := compile(t)
	for name, m := range golden(t) {
		m["from_a_later_version"] = []any{map[string]any{"n": 1}}
		if err := schemas[kindOf(name)].Validate(m); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSchemasRefuseFieldsOfTheWrongType(t *testing.T) {
	schemas := compile(t)
	free := map[string]bool{"value": true, "data": true} // of a call_reply and of a record: any JSON
	for name, m := range golden(t) {
		for field, was := range m {
			if free[field] && kindOf(name) != "snapshot" && kindOf(name) != "anomaly" {
				continue
			}
			wrong := any("text")
			if _, ok := was.(string); ok {
				wrong = json.Number("5")
			}
			m[field] = wrong
			if err := schemas[kindOf(name)].Validate(m); err == nil {
				t.Errorf("%s: %q may be %v", name, field, wrong)
			}
			m[field] = was
		}
	}
}

func TestSchemasAndReadersAgree(t *testing.T) {
	schemas := compile(t)
	readers := map[string]func([]byte) error{
		"alert": reads[protocol.Alert], "call": reads[protocol.Call], "feedback": reads[protocol.Feedback], "insight": reads[protocol.Insight],
		"notification": reads[protocol.Notification], "request": reads[protocol.Request], "snapshot": reads[protocol.Snapshot], "task": reads[protocol.Task], "told": reads[protocol.Told],
	}
	for name, m := range golden(t) {
		reader := readers[kindOf(name)]
		if reader == nil {
			continue
		}
		agree := func(what string, m map[string]any) {
			b, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			bySchema, byReader := schemas[kindOf(name)].Validate(m), reader(b)
			if (bySchema == nil) != (byReader == nil) {
				t.Errorf("%s with %s: the schema says %v, the reader says %v", name, what, bySchema, byReader)
			}
		}
		for field := range m {
			without := maps.Clone(m)
			delete(without, field)
			agree("no "+field, without)
		}
		for field, odd := range map[string]any{
			"strategy": "guess", "verdict": "meh", "state": "over", "correlation_type": "odd", "confidence": "total", "args": json.Number("5"),
			"data": map[string]any{"disks": []any{}},
		} {
			if _, ok := m[field]; ok {
				with := maps.Clone(m)
				with[field] = odd
				agree("an odd "+field, with)
			}
		}
	}
}

func reads[M protocol.Message](b []byte) error {
	_, err := protocol.Decode[M](b)
	return err
}

func TestWhatGoSendsForNilIsOfTheSchema(t *testing.T) {
	schemas := compile(t)
	b, err := json.Marshal(protocol.Insight{CorrelationType: protocol.None, Severity: protocol.SeverityInfo, Confidence: protocol.Low})
	if err != nil {
		t.Fatal(err)
	}
	if err := schemas["insight"].Validate(parse(t, b)); err != nil {
		t.Error(err)
	}
}
