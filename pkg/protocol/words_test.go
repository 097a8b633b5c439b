package protocol_test

import (
	"math"
	"reflect"
	"testing"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func goldenWords(t *testing.T) protocol.Words {
	t.Helper()
	for _, g := range goldens(t) {
		if g.name == "words" {
			w, err := protocol.Decode[protocol.Words](g.body)
			if err != nil {
				t.Fatal(err)
			}
			return w
		}
	}
	t.Fatal("no golden words")
	return protocol.Words{}
}

func TestHashOfWordsIsStable(t *testing.T) {
	// Heartbeats of other releases announce it: a change makes everybody fetch all words again.
	if got, want := goldenWords(t).Hash(), "bfbfe90bb7589bd9"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestHashChangesWithAnyWord(t *testing.T) {
	seen := map[string]string{goldenWords(t).Hash(): "the words as they are"}
	for n := 0; ; n++ {
		w := goldenWords(t)
		left := n
		path := change(reflect.ValueOf(&w).Elem(), "words", &left)
		if path == "" {
			break
		}
		h := w.Hash()
		if other, ok := seen[h]; ok {
			t.Errorf("a change of %s gives the hash of %s", path, other)
		}
		seen[h] = path
	}
	if len(seen) < 25 {
		t.Errorf("only %d words were changed", len(seen)-1)
	}
}

// change alters the n-th leaf of v and returns its path, or "" when there are
// fewer. n counts down.
func change(v reflect.Value, path string, n *int) string {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if p := change(v.Field(i), path+"."+v.Type().Field(i).Name, n); p != "" {
				return p
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if p := change(v.Index(i), path, n); p != "" {
				return p
			}
		}
	case reflect.Pointer:
		if !v.IsNil() {
			return change(v.Elem(), path, n)
		}
	default:
		if *n--; *n >= 0 {
			return ""
		}
		switch v.Kind() {
		case reflect.String:
			v.SetString(v.String() + "x")
		case reflect.Float64:
			v.SetFloat(v.Float() + 1)
		case reflect.Interface:
			v.Set(reflect.ValueOf("another"))
		}
		return path
	}
	return ""
}

func TestWordsThatJSONCannotExpressHaveNoHash(t *testing.T) {
	w := protocol.Words{Calls: []protocol.CallDoc{{Params: []protocol.Param{{Default: math.NaN()}}}}}
	if got := w.Hash(); got != "" {
		t.Errorf("got %q, want none", got)
	}
}

func TestMetricOfWords(t *testing.T) {
	w := goldenWords(t)
	if m, ok := w.Metric("memory_available_mb"); !ok || m.Unit != protocol.Mebibytes {
		t.Errorf("got %+v, %v", m, ok)
	}
	if m, ok := w.Metric("memory_of_elephants"); ok {
		t.Errorf("got %+v for a metric that is not there", m)
	}
}
