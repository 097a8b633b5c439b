package skilltest

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/fleetlens/fleetlens/pkg/skills"
)

// Raw runs a callback of a source as a model writes it, system_top_processes(5,
// "memory"), and returns what its function gave. The error is the callback's own, or
// that of arguments it refuses.
func Raw(t testing.TB, src skills.Source, call string) (any, error) {
	t.Helper()
	name, args, err := skills.ParseCall(call)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range src.Calls {
		if c.Name != name {
			continue
		}
		a, err := skills.Bind(c.Words(), args)
		if err != nil {
			return nil, err
		}
		return c.Run(t.Context(), a)
	}
	t.Fatalf("no callback %s", name)
	return nil, nil
}

// Call is [Raw] with the answer as who asked gets it: plain JSON values, numbers float64.
func Call(t testing.TB, src skills.Source, call string) (any, error) {
	t.Helper()
	v, err := Raw(t, src, call)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", call, err)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("%s: the result is not JSON: %v", call, err)
	}
	var out any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out, nil
}

// Object is [Call] for a callback that must answer, and with an object; nil is the
// answer null.
func Object(t testing.TB, src skills.Source, call string) map[string]any {
	t.Helper()
	v, err := Call(t, src, call)
	if err != nil {
		t.Fatal(err)
	}
	out, ok := v.(map[string]any)
	if v != nil && !ok {
		t.Fatalf("%s answers a %T", call, v)
	}
	return out
}
