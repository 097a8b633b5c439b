package luasandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// FuzzRun compiles and runs any script behind the inner wall alone, within this
// process: it ends within its limits, and nothing that is not Lua's escapes.
func FuzzRun(f *testing.F) {
	for _, script := range []string{
		`return add(1, 2)`,
		`local t = {} for i = 1, 10 do t[i] = {i} end print(#t) return t, nil`,
		`return pcall(error, {a = {1, 2}}, "x", nil)`,
		`return ((((`,
		`return {[1] = 1, ["1"] = 2}`,
		`return string.format("%#v", print), ("x"):rep(10), ("abc"):gsub("%w", "%0%0")`,
		"goto a; ::b:: ::a::",
		"\xff\x00",
		"local a <const> = 7 // 2 return a .. 0x1p4 .. '\\u{20AC}\\z \\x41'",
		"for k, v in pairs(_G) do for l, w in pairs(type(v) == 'table' and v or {}) do pcall(w, k, l, w, 1, -1, 2^53, {}, print) end end",
		"return table.concat(table.pack(('a,b'):byte(1, -1)), ','), json.encode(json.decode('[1,{}]')), os.date('!%c', 1)",
		"local t = setmetatable({}, {__index = function(t, k) return k end}) table.sort({3, 1, 2}, function(a, b) return t[a] > t[b] end)",
	} {
		f.Add(script)
	}
	families, err := filepath.Glob("testdata/hostile/*.txt")
	if err != nil || len(families) == 0 {
		f.Fatalf("no hostile scripts: %v", err)
	}
	for _, family := range families {
		text, err := os.ReadFile(family)
		if err != nil {
			f.Fatal(err)
		}
		for part := range bytes.SplitSeq(text, []byte("\n=== ")) {
			_, script, _ := strings.Cut(string(part), "\n")
			f.Add(script)
		}
	}
	f.Fuzz(func(t *testing.T, script string) {
		l := Limits{Instructions: 20_000, Memory: 32 << 20, Result: 1000}.orDefaults()
		if len(script) > l.Source {
			return
		}
		begin := time.Now()
		value, limit, err := runInside(l, script)
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("took %s", took)
		}
		_, isFault := errors.AsType[*ScriptError](err)
		_, isDepth := errors.AsType[depthError](err)
		if err != nil && !isFault && !isDepth {
			t.Errorf("error that is not the script's: %v", err)
		}
		if strings.Contains(value+errorText(err), "runtime error") && !strings.Contains(script, "runtime error") {
			t.Errorf("a fault of Go's: %s %v", value, err)
		}
		if bound, _ := l.bound(limit); limit != "" && bound == "" {
			t.Errorf("no limit: %q", limit)
		}
	})
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// runInside runs a script in this process as a child would. Where the child
// ends its process, this ends its goroutine.
func runInside(l Limits, script string) (value, limit string, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		m := newMeter(l, func(reached string) {
			limit = reached
			runtime.Goexit()
		})
		clock := time.AfterFunc(300*time.Millisecond, func() { m.late.Store(true) })
		defer clock.Stop()
		begun := time.Now()
		vm := newMachine(l, m)
		vm.began = func() time.Duration { return time.Since(begun) }
		proto, _, compileErr := compile(script, known())
		if compileErr != nil {
			err = compileErr
			return
		}
		result, runErr := vm.execute(proto)
		if runErr != nil {
			err = runErr
			return
		}
		raw, encodeErr := encode(result, l.Result, l.Nesting)
		if encodeErr == nil && !json.Valid(raw) {
			err = errors.New("result is not JSON")
		}
		value = string(raw)
	}()
	<-done
	return value, limit, err
}

// FuzzTranslate has the translator and gopher-lua's parser agree on lines: what
// one counts in a script, the other does in its translation.
func FuzzTranslate(f *testing.F) {
	for _, script := range []string{"return 1 // 2", "--[[\n]] x = [[\n\n]]", "'\\z\n\n' \"\\\n\"", "a <const> = 1", "#!x\ny", "0x1p", "1..2", "a;;b", "\r\n\r"} {
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, script string) {
		if len(script) > 64<<10 {
			return
		}
		translated, err := translate(script)
		if err != nil {
			return
		}
		if got, want := strings.Count(translated, "\n"), strings.Count(script, "\n"); got != want {
			t.Errorf("%d lines of %d", got, want)
		}
		again, err := translate(" " + strings.ReplaceAll(translated, "/ not not not", "//"))
		if err != nil || strings.Join(strings.Fields(again), "") != strings.Join(strings.Fields(translated), "") {
			t.Errorf("translated again %q, %v, want %q", again, err, translated)
		}
	})
}
