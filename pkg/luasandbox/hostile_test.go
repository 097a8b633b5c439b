package luasandbox_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"text/template"
	"time"

	"github.com/fleetlens/fleetlens/pkg/luasandbox"
)

// A hostileScript is one of testdata/hostile. A file there has scripts of one
// family; a line "=== name | verdict" begins each. A verdict is one of these, or
// several with " or " between them, where which of two limits comes first may
// depend on the machine:
//
//	ok             the script runs to its end
//	ok JSON        and returns that
//	error TEXT     it fails, and its error has that text
//	limit NAME     that limit ends it
//
// <<repeat 3 "x">> and <<bytes "00ff">> stand for what is too long or too odd to
// be written out.
type hostileScript struct {
	family, name, verdict, source string
}

func hostileScripts(t testing.TB) []hostileScript {
	t.Helper()
	files, err := filepath.Glob("testdata/hostile/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []hostileScript
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		family := strings.TrimSuffix(filepath.Base(file), ".txt")
		for _, part := range strings.Split("\n"+string(text), "\n=== ")[1:] {
			head, source, ok := strings.Cut(part, "\n")
			name, verdict, okHead := strings.Cut(head, " | ")
			if !ok || !okHead {
				t.Fatalf("%s: no script, or no verdict: %q", file, head)
			}
			all = append(all, hostileScript{family, name, verdict, expand(t, source)})
		}
	}
	return all
}

func expand(t testing.TB, source string) string {
	t.Helper()
	parsed, err := template.New("script").Delims("<<", ">>").Funcs(template.FuncMap{
		"repeat": func(n int, s string) string { return strings.Repeat(s, n) },
		"bytes":  func(s string) (string, error) { b, err := hex.DecodeString(s); return string(b), err },
	}).Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := parsed.Execute(&out, nil); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// ended returns how a run ended, in the words of a verdict.
func ended(t testing.TB, value any, err error) string {
	t.Helper()
	if reached, ok := errors.AsType[*luasandbox.LimitError](err); ok {
		return "limit " + reached.Limit
	}
	if fault, ok := errors.AsType[*luasandbox.ScriptError](err); ok {
		return "error " + fault.Message
	}
	if err != nil {
		return fmt.Sprintf("%T: %v", err, err)
	}
	raw, err := json.Marshal(value)
	if err != nil {
		t.Error(err)
	}
	return "ok " + string(raw)
}

// meets reports whether a run that ended so meets a verdict.
func meets(verdict, ended string) bool {
	for want := range strings.SplitSeq(verdict, " or ") {
		kind, _, _ := strings.Cut(ended, " ")
		text, isError := strings.CutPrefix(want, "error ")
		if strings.HasPrefix(want, "limit ") && ended == "limit wall time" {
			return true // which on a slow machine, and with the race detector, comes before any other
		}
		if want == kind || want == ended || isError && kind == "error" && strings.Contains(ended, text) {
			return true
		}
	}
	return false
}

// hostileCalls are the callbacks of the hostile scripts.
func hostileCalls(box *luasandbox.Sandbox) []luasandbox.Func {
	list := func(depth int) any {
		var v any = []any{}
		for range depth {
			v = []any{v}
		}
		return v
	}
	huge := sync.OnceValue(func() string { return strings.Repeat("x", 50<<20) })
	calls := []luasandbox.Func{
		add,
		echo,
		{Name: "huge", Call: func(context.Context, []any) (any, error) { return huge(), nil }},
		{Name: "wide", Call: func(_ context.Context, args []any) (any, error) {
			return make([][0]int, int(args[0].(float64))), nil
		}},
		{Name: "deep", Call: func(context.Context, []any) (any, error) { return list(100), nil }},
		{Name: "nan", Call: func(context.Context, []any) (any, error) { return math.NaN(), nil }},
		{Name: "hang", Call: func(ctx context.Context, _ []any) (any, error) { <-ctx.Done(); return nil, ctx.Err() }},
		{Name: "slow", Call: func(ctx context.Context, _ []any) (any, error) {
			timer := time.NewTimer(20 * time.Millisecond)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
			return nil, nil
		}},
	}
	return append(calls, luasandbox.Func{Name: "again", Call: func(ctx context.Context, args []any) (any, error) {
		got, err := box.Run(ctx, args[0].(string), []luasandbox.Func{add})
		return got.Value, err
	}})
}

const (
	graceOfLimits = 250 * time.Millisecond // past its limits, within which a run is over
	mostGrowth    = 100 << 20              // of this process, while all run
)

// Behaviour: defect 5.
func TestHostileScriptsAreContained(t *testing.T) {
	limits := luasandbox.Limits{
		Wall:         500 * time.Millisecond,
		CallbackTime: 250 * time.Millisecond,
		Instructions: 3_000_000,
		Callbacks:    50,
	}
	grace := graceOfLimits
	if withRaceDetector() { // everything takes four times as long and more; make test runs it without too
		limits.Wall, limits.CallbackTime, grace = 4*limits.Wall, 4*limits.CallbackTime, 4*grace
	}
	box := luasandbox.New(limits)
	defer box.Close()
	calls := hostileCalls(box)
	scripts := hostileScripts(t)
	if len(scripts) < 120 {
		t.Errorf("%d scripts, want at least 120", len(scripts))
	}
	runtime.GC()
	before := resetPeak(t)

	var table strings.Builder
	rows := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	tell(rows, "family\tscript\tended by\tms\tms in callbacks\n")
	verdicts := map[string]int{}
	var worst time.Duration
	var mu sync.Mutex // of the table
	one := func(script hostileScript) func(t *testing.T) {
		return func(t *testing.T) {
			t.Parallel()
			var got luasandbox.Result
			var err error
			var how string
			var u luasandbox.Usage
			var late bool
			for range 3 { // other programs of a busy machine may make it late, but not each time
				got, err = box.Run(t.Context(), script.source, calls)
				how, u = ended(t, got.Value, err), got.Usage
				if late = u.Wall > limits.Wall+grace || u.CallbackTime > limits.CallbackTime+grace; !late && meets(script.verdict, how) {
					break
				}
			}
			if !meets(script.verdict, how) {
				t.Errorf("got %q, want %q", short(how), script.verdict)
			}
			if late {
				t.Errorf("ran for %s and %s in callbacks, want at most %s and %s, and %s", u.Wall, u.CallbackTime, limits.Wall, limits.CallbackTime, grace)
			}
			if len(got.Output) > luasandbox.DefaultLimits().Output {
				t.Errorf("output of %d bytes", len(got.Output))
			}
			next, err := box.Run(t.Context(), `return ("x"):rep(add(1, 2)) .. math.floor(2.5) .. tostring(leak)`, calls)
			if err != nil || next.Value != "xxx2nil" {
				t.Errorf("the next run got %v and %v, want xxx2nil", next.Value, err)
			}
			runtime.GC() // the 50 MB that a callback keeps would allow as much garbage; what a run takes shows all the same
			mu.Lock()
			defer mu.Unlock()
			kind, name, _ := strings.Cut(how, " ")
			if kind == "limit" {
				kind += " " + name
			}
			verdicts[kind]++
			worst = max(worst, u.Wall)
			tell(rows, "%s\t%s\t%s\t%.1f\t%.1f\n", script.family, script.name, short(how), milliseconds(u.Wall), milliseconds(u.CallbackTime))
		}
	}
	t.Run("scripts", func(t *testing.T) {
		for _, script := range scripts {
			t.Run(script.family+"/"+script.name, one(script))
		}
	})
	grew := peak(t) - before
	if grew > mostGrowth && !withRaceDetector() { // which takes several times what it watches
		t.Errorf("this process grew by %d MB, want at most %d", grew>>20, mostGrowth>>20)
	}
	if err := rows.Flush(); err != nil {
		t.Error(err)
	}
	t.Logf("\n%s%d scripts: %v; worst %.0f ms; this process grew by %d MB", &table, len(scripts), verdicts, milliseconds(worst), grew>>20)
}

func withRaceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

func tell(w io.Writer, format string, args ...any) { fmt.Fprintf(w, format, args...) }

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func short(s string) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\n", " "), "?")
	if len(s) > 90 {
		return s[:90] + "…"
	}
	return s
}

func TestCallbackThatIgnoresItsContextIsLeftBehind(t *testing.T) {
	release, returned := make(chan struct{}), make(chan struct{})
	deaf := luasandbox.Func{Name: "deaf", Call: func(context.Context, []any) (any, error) {
		defer close(returned)
		<-release
		return nil, nil
	}}
	box := luasandbox.New(luasandbox.Limits{CallbackTime: 10 * time.Millisecond})
	defer box.Close()
	_, err := box.Run(t.Context(), "\ndeaf()", []luasandbox.Func{deaf})
	if reached, ok := errors.AsType[*luasandbox.LimitError](err); !ok || reached.Limit != luasandbox.LimitCallbackTime || reached.Line != 2 {
		t.Errorf("got %v, want the limit of callback time in line 2", err)
	}
	close(release)
	<-returned
}

func TestCallbackThatEndsItsGoroutineFails(t *testing.T) {
	quit := luasandbox.Func{Name: "quit", Call: func(context.Context, []any) (any, error) {
		runtime.Goexit()
		return nil, nil
	}}
	box := luasandbox.New(luasandbox.Limits{})
	defer box.Close()
	got, err := box.Run(t.Context(), `return select(2, pcall(quit))`, []luasandbox.Func{quit})
	if err != nil || got.Value != "script:1: quit: callback ended without returning" {
		t.Errorf("got %v and %v", got.Value, err)
	}
}
