package luasandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestParentDistrustsTheChild(t *testing.T) {
	f := Func{Name: "f", Call: func(context.Context, []any) (any, error) { return 1, nil }}
	for _, tt := range []struct {
		name string
		said report
		want string
	}{
		{"a callback that was not given", report{Kind: kindCall, Name: "rm", Value: json.RawMessage(`[]`)}, `unknown callback "rm" (have f)`},
		{"arguments that are no array", report{Kind: kindCall, Name: "f", Value: json.RawMessage(`{}`)}, "no array"},
		{"arguments over their size", report{Kind: kindCall, Name: "f", Value: json.RawMessage(strings.Repeat(" ", 70<<10))}, "arguments are more than 65,536 bytes"},
		{"arguments nested deep", report{Kind: kindCall, Name: "f", Value: json.RawMessage(strings.Repeat("[", 40) + strings.Repeat("]", 40))}, "nested deeper than 32"},
		{"a result over its size", report{Kind: kindDone, Value: json.RawMessage(strings.Repeat(" ", 70<<10))}, "result is more than 65,536 bytes"},
		{"a result nested deep", report{Kind: kindDone, Value: json.RawMessage(strings.Repeat("[", 40) + strings.Repeat("]", 40))}, "nested deeper than 32"},
		{"a limit that there is not", report{Kind: kindLimit, Limit: "patience"}, "no place here"},
		{"ready a second time", report{Kind: kindReady}, "no place here"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := run{sandbox: New(Limits{}), calls: map[string]Func{"f": f}}
			var err error
			if tt.said.Kind == kindCall {
				_, err = r.call(t.Context(), tt.said)
			} else {
				err = r.end(tt.said)
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestOutputFromAChildThatIgnoresItsLimit(t *testing.T) {
	r := run{sandbox: New(Limits{Output: 5})}
	r.note(report{Output: "abc"})
	r.note(report{Output: "defg"})
	r.note(report{Output: "h"})
	if r.result.Output != "abcde" || !r.result.OutputCut {
		t.Errorf("got %+v", r.result)
	}
}

func TestFrames(t *testing.T) {
	var wire bytes.Buffer
	sent := report{Kind: kindDone, Value: json.RawMessage(`[1]`), Output: "<&>\u2028"}
	if err := writeFrame(&wire, sent); err != nil {
		t.Fatal(err)
	}
	frame := bytes.Clone(wire.Bytes())
	var got report
	if err := readFrame(&wire, len(frame), &got); err != nil || got.Output != sent.Output || string(got.Value) != "[1]" {
		t.Errorf("got %+v and %v, want %+v", got, err, sent)
	}
	if err := readFrame(bytes.NewReader(frame), 10, &got); err == nil || !strings.Contains(err.Error(), "want at most 10") {
		t.Errorf("too long a frame: got %v", err)
	}
	if err := readFrame(bytes.NewReader(frame[:len(frame)-1]), len(frame), &got); err == nil {
		t.Error("a frame cut short was read")
	}
}

func TestNesting(t *testing.T) {
	for _, tt := range []struct {
		raw  string
		want int
	}{
		{`1`, 0},
		{`[]`, 1},
		{`[[1],{"a":[2]}]`, 3},
		{`["[[[", "\"[[", "\\", [1]]`, 2},
	} {
		if got := nesting([]byte(tt.raw)); got != tt.want {
			t.Errorf("nesting(%s) = %d, want %d", tt.raw, got, tt.want)
		}
	}
}

func TestFatalLimit(t *testing.T) {
	for words, want := range map[string]string{
		"fatal error: runtime: out of memory":                        LimitMemory,
		"runtime: goroutine stack exceeds 67108864-byte limit":       LimitStack,
		"fatal error: runtime: cannot allocate memory":               LimitMemory,
		"SIGXCPU: cpu limit exceeded":                                LimitWall,
		"panic: flag redefined: v":                                   "",
		"runtime/cgo: pthread_create failed: Resource unavailable":   LimitMemory,
		"read hello: EOF":                                            "",
		"fatal error: all goroutines are asleep - deadlock!":         "",
		"runtime: failed to create new OS thread (have 5 already; )": LimitMemory,
	} {
		if got := fatalLimit(words); got != want {
			t.Errorf("fatalLimit(%q) = %q, want %q", words, got, want)
		}
	}
}

func TestChildErrorUnwraps(t *testing.T) {
	cause := errors.New("cause")
	if err := (&ChildError{Reason: "start child", Err: cause}); !errors.Is(err, cause) {
		t.Errorf("%v does not wrap its cause", err)
	}
}
