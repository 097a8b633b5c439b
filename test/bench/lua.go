package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	lua "github.com/yuin/gopher-lua"
	"golang.org/x/sync/errgroup"

	"github.com/fleetlens/fleetlens/pkg/luasandbox"
)

// smallScript is about what a model writes: three callbacks and some arithmetic.
const smallScript = `
local busy = {}
for _, host in ipairs{"web-1", "web-2", "db-1"} do
	local cpu = cpu_used_pct(host)
	if cpu > 50 then busy[#busy + 1] = string.format("%s %.1f", host, cpu) end
end
return {busy = busy, n = #busy}`

// luaReport is what a small script costs.
type luaReport struct {
	Runs      int        `json:"runs"`
	Callbacks int        `json:"callbacks_per_script"`
	Ahead     luaLatency `json:"child_started_ahead"`
	Cold      luaLatency `json:"child_cold"`
	Naive     luaLatency `json:"naive_gopher_lua"` // a state of its own in this process, with a context: no wall
	Workers   int        `json:"throughput_workers"`
	PerSecond figure     `json:"scripts_per_s"`
	NaivePerS figure     `json:"naive_scripts_per_s"`
	Idle      idleChild  `json:"idle_child"`
}

type luaLatency struct {
	P50 figure `json:"p50_ms"`
	P99 figure `json:"p99_ms"`
}

// idleChild is what one child that waits keeps.
type idleChild struct {
	RSS  figure `json:"rss_mb"`       // pages of this program's file among them, which all share
	Anon figure `json:"anonymous_mb"` // its own
}

func luaCommand() *cobra.Command {
	var runs int
	var length time.Duration
	cmd := subcommand("lua", "A small script in the sandbox, and in gopher-lua alone",
		`Run a script of three callbacks through both walls of pkg/luasandbox: in a child
that was started ahead (with a pause between two runs, as a model takes longer) and
in one that is started for it. Then as many as it can, on all cores. The same with
gopher-lua as its README shows it, in this process: what the walls cost.
The child is this program, which links all that an operator does.`,
		func(ctx context.Context, b *bench) (any, error) { return b.lua(ctx, runs, length) })
	cmd.Flags().IntVar(&runs, "runs", 400, "scripts of each kind")
	cmd.Flags().DurationVar(&length, "length", 8*time.Second, "how long scripts are run one after the other")
	return cmd
}

func (b *bench) lua(ctx context.Context, runs int, length time.Duration) (*luaReport, error) {
	if err := luasandbox.Check(); err != nil {
		return nil, err
	}
	calls := []luasandbox.Func{{Name: "cpu_used_pct", Call: func(context.Context, []any) (any, error) { return 61.25, nil }}}
	in := func(box *luasandbox.Sandbox) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := box.Run(ctx, smallScript, calls)
			return err
		}
	}
	r := &luaReport{Runs: runs, Callbacks: 3, Workers: runtime.GOMAXPROCS(0)}

	ahead := luasandbox.New(luasandbox.DefaultLimits())
	defer ahead.Close()
	if err := in(ahead)(ctx); err != nil {
		return nil, err
	}
	b.say("%d scripts, each in a child started ahead", runs)
	took, err := luaLatencies(ctx, runs, 40*time.Millisecond, in(ahead))
	if err != nil {
		return nil, err
	}
	r.Ahead = luaLatency{atMost(ms(percentile(took, 50)), 2), measured(ms(percentile(took, 99)))}
	if err := pause(ctx, 200*time.Millisecond); err != nil {
		return nil, err
	}
	if r.Idle, err = readIdle(); err != nil {
		return nil, err
	}

	b.say("%d scripts, each in a cold child", runs)
	cold := luasandbox.New(luasandbox.DefaultLimits(), luasandbox.Ahead(0))
	defer cold.Close()
	if took, err = luaLatencies(ctx, runs, 0, in(cold)); err != nil {
		return nil, err
	}
	r.Cold = luaLatency{measured(ms(percentile(took, 50))), measured(ms(percentile(took, 99)))}

	b.say("%d scripts in gopher-lua alone", runs)
	if took, err = luaLatencies(ctx, runs, 0, naive); err != nil {
		return nil, err
	}
	r.Naive = luaLatency{measured(ms(percentile(took, 50))), measured(ms(percentile(took, 99)))}

	b.say("scripts for %s, %d at once, in the sandbox and then in gopher-lua alone", length, r.Workers)
	perSecond, err := luaThroughput(ctx, r.Workers, length, in(ahead))
	if err != nil {
		return nil, err
	}
	r.PerSecond = measured(perSecond)
	if perSecond, err = luaThroughput(ctx, r.Workers, length/4, naive); err != nil {
		return nil, err
	}
	r.NaivePerS = measured(perSecond)
	return r, nil
}

// luaLatencies returns how long each of n runs took, with a pause after each.
func luaLatencies(ctx context.Context, n int, wait time.Duration, run func(context.Context) error) ([]time.Duration, error) {
	took := make([]time.Duration, 0, n)
	for range n {
		begin := time.Now()
		if err := run(ctx); err != nil {
			return nil, err
		}
		took = append(took, time.Since(begin))
		if wait > 0 {
			if err := pause(ctx, wait); err != nil {
				return nil, err
			}
		}
	}
	return took, nil
}

// luaThroughput returns how many runs there are in a second, by so many workers.
func luaThroughput(ctx context.Context, workers int, length time.Duration, run func(context.Context) error) (float64, error) {
	group, ctx := errgroup.WithContext(ctx)
	counts := make([]int, workers)
	begin := time.Now()
	for i := range workers {
		group.Go(func() error {
			for ; time.Since(begin) < length; counts[i]++ {
				if err := run(ctx); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	total := 0
	for _, n := range counts {
		total += n
	}
	return float64(total) / time.Since(begin).Seconds(), nil
}

// naive runs the script as gopher-lua's README does: a state, its libraries, and
// a deadline that its library functions do not heed.
func naive(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	L := lua.NewState()
	defer L.Close()
	L.SetContext(ctx)
	L.SetGlobal("cpu_used_pct", L.NewFunction(func(L *lua.LState) int {
		L.CheckString(1)
		L.Push(lua.LNumber(61.25))
		return 1
	}))
	if err := L.DoString(smallScript); err != nil {
		return err
	}
	result, ok := L.Get(-1).(*lua.LTable)
	if !ok || result.RawGetString("n") != lua.LNumber(3) {
		return fmt.Errorf("naive script returned %v", L.Get(-1))
	}
	return nil
}

// readIdle returns the memory of one of this process's children.
func readIdle() (idleChild, error) {
	lists, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		return idleChild{}, err
	}
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil || len(text) == 0 {
			continue // a thread that has ended, or one without children
		}
		pid, err := strconv.Atoi(strings.Fields(string(text))[0])
		if err != nil {
			return idleChild{}, err
		}
		m, err := readMemory(pid)
		return idleChild{measured(m.rss), measured(m.anon)}, err
	}
	return idleChild{}, fmt.Errorf("no child waits")
}
