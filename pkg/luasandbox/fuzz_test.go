package luasandbox_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/pkg/luasandbox"
)

func FuzzRun(f *testing.F) {
	for _, script := range []string{
		`return add(1, 2)`,
		`local t = {} for i = 1, 10 do t[i] = {i} end print(#t) return t, nil`,
		`return pcall(echo, {a = {1, 2}}, "x", nil)`,
		`return ((((`,
		`return {[1] = 1, ["1"] = 2}`,
		`return string.format("%#v", print), ("x"):rep(10), ("abc"):gsub("%w", "%0%0")`,
		"goto a; ::b:: ::a::",
		"\xff\x00",
	} {
		f.Add(script)
	}
	limits := luasandbox.Limits{Wall: time.Second, Instructions: 50_000, Output: 100, Result: 1000}
	box := luasandbox.New(limits)
	f.Fuzz(func(t *testing.T, script string) {
		got, err := box.Run(t.Context(), script, []luasandbox.Func{add, echo})
		_, limit := errors.AsType[*luasandbox.LimitError](err)
		_, fault := errors.AsType[*luasandbox.ScriptError](err)
		if err != nil && !limit && !fault {
			t.Errorf("error that is neither a limit nor the script's: %v", err)
		}
		if len(got.Output) > limits.Output {
			t.Errorf("output of %d bytes", len(got.Output))
		}
		if _, err := json.Marshal(got.Value); err != nil {
			t.Errorf("value is not JSON: %v", err)
		}
	})
}
