package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/beamtest"
	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/internal/reach/beam/dist"
	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/all"
)

// beamReport is what looking at a BEAM node costs it.
type beamReport struct {
	Release   string     `json:"otp_release"`
	Processes int        `json:"processes"`
	RoundTrip [2]float64 `json:"round_trip_us_p50_p99"` // a question of scalars, with the process that answers it
	Idle      lateness   `json:"idle"`
	Top       scanCost   `json:"top_10_by_queue"`
	Each      scanCost   `json:"one_call_a_process"` // the same answer, asked process by process
	// Collections are of all sources of a BEAM node at the level observe.
	Collection struct {
		Rounds  int     `json:"rounds"`
		Sources int     `json:"sources"`
		NodeCPU float64 `json:"node_cpu_ms"`
		Share   float64 `json:"core_share_percent"`
		Wall    float64 `json:"wall_ms"`
		// Refused are the sources that did not answer in each round.
		Refused []refusal `json:"refused"`
	} `json:"observe_collection"`
}

// A refusal is of a source that a node's owner does not grant, or not so often.
type refusal struct {
	Skill  string `json:"skill"`
	Rounds int    `json:"rounds"`
	Error  string `json:"error"` // the last one
}

// scanCost is what one scan costs, medians.
type scanCost struct {
	Wall    float64  `json:"wall_ms"`
	NodeCPU float64  `json:"node_cpu_ms"` // in hundredths of a second, over all rounds
	Rounds  int      `json:"rounds"`
	Late    lateness `json:"sleeper_1ms"`
}

// lateness is by how much a process of the node that sleeps a millisecond again and
// again wakes too late.
type lateness struct {
	P99 float64 `json:"late_ms_p99"`
	Max float64 `json:"late_ms_max"`
}

func beamCommand() *cobra.Command {
	var processes, rounds int
	cmd := subcommand("beam", "What looking at an Erlang node costs that node",
		`Start a real Erlang node with many idle processes, ten of them with long queues, and
measure: a question's round trip; the ten longest queues, as the probe finds them, and
by one call for each process; how late a process that sleeps a millisecond wakes
meanwhile; and collections of all BEAM sources at the level observe, every 30 s. CPU is
that of the node's operating system process. It takes four minutes.`,
		func(ctx context.Context, b *bench) (any, error) { return b.beam(ctx, processes, rounds) })
	cmd.Flags().IntVar(&processes, "processes", 100_000, "idle processes on the node")
	cmd.Flags().IntVar(&rounds, "rounds", 20, "scans to measure")
	return cmd
}

// plant makes the processes, and the sleeper that keeps the newest 10,000 latenesses.
const plant = `Idle = fun I() -> receive stop -> ok end end,
  _ = [spawn(Idle) || _ <- lists:seq(1, %d)],
  _ = [begin P = spawn(Idle), [P ! {m, I} || I <- lists:seq(1, 1000 * K)] end || K <- lists:seq(1, 10)],
  Sleeper = spawn(fun() -> (fun S(L, N) ->
    receive {report, To} -> To ! {late, L}, S([], 0) after 0 ->
      T = erlang:monotonic_time(microsecond), receive after 1 -> ok end,
      Late = erlang:monotonic_time(microsecond) - T - 1000,
      S(if N < 10000 -> [Late | L]; true -> L end, N + 1) end end)([], 0) end), ok`

// It binds no variable, which would stay bound.
const reportSleeper = `(fun() -> Sleeper ! {report, self()}, receive {late, Late} ->
  Sorted = lists:sort(Late), N = length(Sorted), {N, lists:nth(max(1, N * 99 div 100), [0 | Sorted]), lists:last([0 | Sorted])} end end)()`

func (b *bench) beam(ctx context.Context, processes, rounds int) (*beamReport, error) {
	of, err := beamtest.Launch(b.dir, beamtest.Options{Args: []string{"+P", "1000000"}})
	if err != nil {
		return nil, err
	}
	defer of.Kill()
	if _, err := of.Try(fmt.Sprintf(plant, processes)); err != nil {
		return nil, err
	}
	cookie := filepath.Join(b.dir, "cookie")
	if err := os.WriteFile(cookie, []byte(of.Cookie), 0o600); err != nil {
		return nil, err
	}
	c := beam.Config{Node: of.Name, Address: of.Address, CookieFile: cookie, Cache: time.Nanosecond, Timeout: 30 * time.Second, MaxCPU: 50}
	node := beam.New(c)
	defer node.Close()
	v, err := node.Vitals(ctx)
	if err != nil {
		return nil, err
	}
	r := &beamReport{Release: v.Release, Processes: v.Processes}
	pid, err := strconv.Atoi(v.OSPID)
	if err != nil {
		return nil, err
	}
	b.say("round trips")
	if r.RoundTrip, err = roundTrips(ctx, node); err != nil {
		return nil, err
	}
	if r.Idle, err = idle(of); err != nil {
		return nil, err
	}
	b.say("the ten longest queues of %d processes", v.Processes)
	r.Top, err = scans(of, pid, rounds, func() error { _, err := node.Queues(ctx); return err })
	if err != nil {
		return nil, err
	}
	b.say("the same, one call a process")
	conn, err := dist.Dial(ctx, dist.Options{Me: "fleetlens_bench@127.0.0.1", Node: of.Name, Address: of.Address, Cookie: of.Cookie})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	r.Each, err = scans(of, pid, max(1, rounds/10), func() error { return askEach(ctx, conn) })
	if err != nil {
		return nil, err
	}
	b.say("collections of all sources")
	return r, b.collect(ctx, r, c, pid)
}

func roundTrips(ctx context.Context, node *beam.Node) ([2]float64, error) {
	var took []time.Duration
	for range 2000 {
		began := time.Now()
		if _, err := node.Vitals(ctx); err != nil {
			return [2]float64{}, err
		}
		took = append(took, time.Since(began))
	}
	return [2]float64{us(percentile(took, 50)), us(percentile(took, 99))}, nil
}

// idle is how late the sleeper is while nobody asks anything.
func idle(of *beamtest.Node) (lateness, error) {
	if _, err := late(of); err != nil { // of before
		return lateness{}, err
	}
	time.Sleep(2 * time.Second)
	return late(of)
}

// late reads the sleeper.
func late(of *beamtest.Node) (lateness, error) {
	text, err := of.Try(reportSleeper)
	if err != nil {
		return lateness{}, err
	}
	var n, p99, most int64 // microseconds
	if _, err := fmt.Sscanf(text, "{%d,%d,%d}", &n, &p99, &most); err != nil {
		return lateness{}, fmt.Errorf("the sleeper says %.80s: %w", text, err)
	}
	return lateness{ms(time.Duration(p99) * time.Microsecond), ms(time.Duration(most) * time.Microsecond)}, nil
}

func scans(of *beamtest.Node, pid, rounds int, scan func() error) (scanCost, error) {
	if _, err := late(of); err != nil {
		return scanCost{}, err
	}
	before, err := cpuTime(pid)
	if err != nil {
		return scanCost{}, err
	}
	var took []time.Duration
	for range rounds {
		began := time.Now()
		if err := scan(); err != nil {
			return scanCost{}, err
		}
		took = append(took, time.Since(began))
	}
	after, err := cpuTime(pid)
	if err != nil {
		return scanCost{}, err
	}
	l, err := late(of)
	return scanCost{Wall: ms(percentile(took, 50)), NodeCPU: ms(per(after-before, rounds)), Rounds: rounds, Late: l}, err
}

// askEach asks each process for the length of its queue, one after the other.
func askEach(ctx context.Context, conn *dist.Conn) error {
	ask := func(m, f etf.Atom, args etf.List) (etf.Term, error) {
		p, err := conn.Spawn(dist.Spawn{Module: "erpc", Function: "execute_call", Args: etf.List{etf.Atom("r"), m, f, args}, Priority: "low", Heap: 32 << 20})
		if err != nil {
			return nil, err
		}
		end, err := p.Wait(ctx)
		if err != nil {
			return nil, err
		}
		t, ok := end.(etf.Tuple)
		if !ok || len(t) != 3 {
			return nil, fmt.Errorf("%s:%s ended otherwise", m, f)
		}
		return t[2], nil
	}
	list, err := ask("erlang", "processes", etf.List{})
	if err != nil {
		return err
	}
	for _, pid := range list.(etf.List) {
		if _, err := ask("erlang", "process_info", etf.List{pid, etf.Atom("message_queue_len")}); err != nil {
			return err
		}
	}
	return nil
}

// collect takes snapshots of all sources of the node, as often as a probe does.
func (b *bench) collect(ctx context.Context, r *beamReport, c beam.Config, pid int) error {
	c.Cache, c.MaxCPU = 0, 0 // the defaults
	node := beam.New(c)
	defer node.Close()
	type source struct {
		skills.Source
		refusal
	}
	var sources []source
	for _, s := range all.Skills(all.Options{Clients: all.Clients{Beam: map[string]*beam.Node{"node": node}}}) {
		for _, src := range s.Sources {
			if src.Kind == skills.Beam {
				sources = append(sources, source{src.Open("node"), refusal{Skill: s.Name}})
			}
		}
	}
	const every, rounds = 30 * time.Second, 6
	r.Collection.Sources, r.Collection.Rounds = len(sources), rounds
	var nodeCPU time.Duration
	var took []time.Duration
	next := time.NewTicker(every)
	defer next.Stop()
	for i := range rounds + 1 { // the first has scripts parsed
		before, err := cpuTime(pid)
		if err != nil {
			return err
		}
		began := time.Now()
		for k := range sources {
			if _, err := sources[k].Snapshot(ctx); err != nil && i > 0 {
				sources[k].Rounds, sources[k].Error = sources[k].Rounds+1, err.Error()
			}
		}
		wall := time.Since(began)
		after, err := cpuTime(pid)
		if err != nil {
			return err
		}
		if i > 0 {
			nodeCPU, took = nodeCPU+after-before, append(took, wall)
			b.say("collection %d of %d", i, rounds)
		}
		if i < rounds {
			select {
			case <-next.C:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	r.Collection.Refused = []refusal{}
	for _, src := range sources {
		if src.Rounds > 0 {
			r.Collection.Refused = append(r.Collection.Refused, src.refusal)
		}
	}
	r.Collection.NodeCPU, r.Collection.Wall = ms(per(nodeCPU, rounds)), ms(percentile(took, 50))
	r.Collection.Share = round(100 * per(nodeCPU, rounds).Seconds() / every.Seconds())
	return nil
}
