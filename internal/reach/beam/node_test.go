package beam

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/beamtest"
	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
)

// until waits for something to hold.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func TestVitalsOfErlangAndElixir(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]beamtest.Options{"erlang": {}, "elixir": {Elixir: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			of := beamtest.Start(t, o)
			v, err := with(t, of).Vitals(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if v.Processes < 20 || v.ProcessLimit < v.Processes || v.Ports < 1 || v.Atoms < 1000 || v.AtomLimit < v.Atoms || v.Online < 1 || v.UptimeMS < 1 || v.Reductions < 1 ||
				v.Memory["total"] < 1<<20 || v.Memory["binary"] == 0 || v.WordBytes != 8 || v.Release == "" || v.Persistent.Count == 0 {
				t.Errorf("%+v", v)
			}
			if (v.Elixir != nil) != o.Elixir {
				t.Errorf("elixir: %v", v.Elixir)
			}
		})
	}
}

func TestTheProbeIsHiddenAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	n := with(t, of)
	if _, err := n.Vitals(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := of.Do("{erlang:nodes(), length(erlang:nodes(hidden)), erlang:system_info(atom_count), erlang:system_info(process_count), length(code:all_loaded())}")
	if !strings.HasPrefix(before, "{[],1,") {
		t.Errorf("it is seen as %s", before)
	}
	for range 20 {
		if _, err := n.Vitals(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "the processes that answered to be gone", func() bool {
		return of.Do("{erlang:nodes(), length(erlang:nodes(hidden)), erlang:system_info(atom_count), erlang:system_info(process_count), length(code:all_loaded())}") == before
	})
	n.Close()
	until(t, "the node to see that we are gone", func() bool { return of.Do("erlang:nodes(hidden)") == "[]" })
	if said := of.Said(); strings.Contains(said, "rror") {
		t.Errorf("its log says %s", said)
	}
}

func TestTermsComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	n := with(t, of)
	large, _ := new(big.Int).SetString("-340282366920938463463374607431768211456", 10)
	for _, v := range []etf.Term{
		int64(-1), int64(math.MinInt64), large, 1.25, etf.Atom("ü"), []byte{0, 255}, etf.List{}, etf.List{int64(1), int64(70000)}, etf.Improper{Elems: []etf.Term{int64(1)}, Tail: int64(2)},
		etf.Tuple{}, etf.Map{{Key: int64(1), Value: etf.List{}}}, etf.BitString{Bytes: []byte{0xe0}, Bits: 3}, etf.Export{Module: "lists", Function: "map", Arity: 2},
	} {
		got, err := n.ask(t.Context(), find("t_echo"), args{"Value": v})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(v, got, cmp.Comparer(func(a, b *big.Int) bool { return a.Cmp(b) == 0 })); diff != "" {
			t.Error(diff)
		}
	}
}

func TestWhatCannotBeAnsweredIsSaidWithoutWhatItHolds(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	n := with(t, of)
	for name, want := range map[string]string{
		"t_heap":   "more than 32 MiB",
		"t_fault":  "cannot answer t_fault: error, …",
		"t_wrong":  "does not understand the script",
		"t_events": "grants the level observe and this needs events",
	} {
		if _, err := n.ask(t.Context(), find(name), nil); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
	if _, err := n.Vitals(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestWhatTakesTooLongIsKilledOnTheNode(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	n := with(t, of)
	if _, err := n.Vitals(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := of.Do("erlang:system_info(process_count)")
	n.cfg.Timeout = 200 * time.Millisecond
	if _, err := n.ask(t.Context(), find("t_sleep"), nil); err == nil || !strings.Contains(err.Error(), "did not answer within 200ms") {
		t.Error(err)
	}
	until(t, "the process to be gone", func() bool { return of.Do("erlang:system_info(process_count)") == before })
}

func TestAProbeThatIsKilledLeavesNoConnection(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	n := with(t, of)
	if _, err := n.Vitals(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.conn.Close() // as the kernel does it for a process that is killed
	until(t, "the node to see it", func() bool { return of.Do("erlang:nodes(hidden)") == "[]" })
	if _, err := n.Vitals(t.Context()); err != nil {
		t.Errorf("it does not connect again: %v", err)
	}
}

func TestWhyANodeCannotBeReached(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	frozen := beamtest.Start(t, beamtest.Options{})
	if err := syscall.Kill(frozen.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(frozen.PID, syscall.SIGCONT) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := l.Addr().String()
	_ = l.Close()
	wrong := filepath.Join(t.TempDir(), "wrong")
	if err := os.WriteFile(wrong, []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		of     *beamtest.Node
		change func(*Config)
		why    string
		want   string
	}{
		"wrong cookie":            {of, func(c *Config) { c.CookieFile = wrong }, WhyCookie, "has another cookie"},
		"no cookie":               {of, func(c *Config) { c.CookieFile = wrong + "x" }, WhyCookie, "no such file"},
		"nobody there":            {of, func(c *Config) { c.Address = nobody }, WhyNotFound, "nobody listens"},
		"no EPMD":                 {of, func(c *Config) { c.Address, c.EPMD = "", nobody }, WhyNotFound, "nobody listens"},
		"another node there":      {of, func(c *Config) { c.Node = "shop@127.0.0.1" }, WhyRefused, "it is named " + of.Name},
		"it does not answer":      {frozen, func(c *Config) { c.Timeout = 300 * time.Millisecond }, WhySilent, "does not answer within 300ms"},
		"TLS where there is none": {of, func(c *Config) { c.TLS = &TLS{CA: wrong} }, WhyUnreachable, "holds no certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			n := with(t, tt.of, tt.change)
			_, err := n.Vitals(t.Context())
			d, ok := errors.AsType[*DialError](err)
			if !ok || d.Why != tt.why || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s and %q", err, tt.why, tt.want)
			}
			if err != nil && (strings.Contains(err.Error(), of.Cookie) || strings.Contains(err.Error(), "another\n")) {
				t.Error("the error tells a cookie")
			}
		})
	}
}

func TestANodeThatBeganAnewIsAnotherRun(t *testing.T) {
	t.Parallel()
	first := beamtest.Start(t, beamtest.Options{Name: "phoenix", Cookie: "ash"})
	n := with(t, first)
	if _, err := n.Vitals(t.Context()); err != nil {
		t.Fatal(err)
	}
	created, restarts := n.Run()
	first.Kill()
	second := beamtest.Start(t, beamtest.Options{Name: "phoenix", Cookie: "ash"})
	n.cfg.Address = second.Address
	until(t, "it to answer again", func() bool { _, err := n.Vitals(t.Context()); return err == nil })
	if again, r := n.Run(); again == created || restarts != 0 || r != 1 {
		t.Errorf("run %d after %d, %d restarts", again, created, r)
	}
}

func TestANodeIsNotDialledAgainAtOnce(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	dialled := make(chan struct{}, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			dialled <- struct{}{}
			_ = c.Close()
		}
	}()
	n := with(t, &beamtest.Node{Name: "x@h", Cookie: "c", Address: l.Addr().String()})
	for range 5 {
		if _, err := n.Vitals(t.Context()); err == nil {
			t.Fatal("it answers")
		}
	}
	if len(dialled) != 1 {
		t.Errorf("it was dialled %d times", len(dialled))
	}
}

func TestScansAreBoundedInWhatTheyCost(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	n := with(t, of, func(c *Config) { c.MaxCPU = 0.01 })
	if _, err := n.ask(t.Context(), find("t_scan"), nil); err != nil {
		t.Errorf("a scan of few processes: %v", err)
	}
	if _, err := n.ask(t.Context(), find("t_burn"), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := n.ask(t.Context(), find("t_scan"), nil); err == nil || !strings.Contains(err.Error(), "more than max_cpu_pct 0.01 allows: ask again in") {
		t.Errorf("after one that cost more than a minute's share: %v", err)
	}
	if _, err := n.Vitals(t.Context()); err != nil {
		t.Errorf("what is no scan: %v", err)
	}
}

func TestACrowdedNodeIsScannedOnceAMinute(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{Args: []string{"+S", "1:1"}})
	n := with(t, of)
	of.Do("Spin = fun S() -> S() end, Crowd = [spawn(Spin) || _ <- lists:seq(1, 300)], ok")
	_, err := n.ask(t.Context(), find("t_scan"), nil)
	if err == nil || !strings.Contains(err.Error(), "is overloaded:") {
		t.Fatalf("got %v", err)
	}
	if _, err := n.ask(t.Context(), find("t_scan"), nil); err != nil {
		t.Errorf("the one of this minute: %v", err)
	}
	if _, err := n.ask(t.Context(), find("t_scan"), nil); err == nil || !strings.Contains(err.Error(), "is overloaded:") {
		t.Errorf("one more: got %v", err)
	}
}

func TestWhoAsksTheSameMeanwhileHasTheSameAnswer(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	n := with(t, of, func(c *Config) { c.Cache = 30 * time.Second })
	answers := make(chan *Vitals, 10)
	for range 10 {
		go func() {
			v, err := n.Vitals(context.WithoutCancel(t.Context()))
			if err != nil {
				t.Error(err)
			}
			answers <- v
		}()
	}
	first := <-answers
	for range 9 {
		if v := <-answers; v != first {
			t.Error("it was asked twice")
		}
	}
}

func TestANodeIsFoundThroughEPMD(t *testing.T) {
	t.Parallel()
	port := beamtest.EPMD(t)
	of := beamtest.Start(t, beamtest.Options{EPMD: port})
	at := fmt.Sprintf("127.0.0.1:%d", port)
	n := with(t, of, func(c *Config) { c.EPMD = at })
	if _, err := n.Vitals(t.Context()); err != nil {
		t.Error(err)
	}
	_, err := with(t, of, func(c *Config) { c.EPMD, c.Node = at, "till@127.0.0.1" }).Vitals(t.Context())
	if d, ok := errors.AsType[*DialError](err); !ok || d.Why != WhyNotFound || !strings.Contains(err.Error(), "it does not run, or without -name or -sname") || !Down(err) {
		t.Errorf("of a node that is not registered: %v", err)
	}
}

func TestANodeThatStopsAnsweringIsDownAndComesBack(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	n := with(t, of)
	v, err := n.Vitals(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(v.OSPID)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	n.cfg.Timeout = 200 * time.Millisecond
	_, err = n.Vitals(t.Context())
	cont := syscall.Kill(pid, syscall.SIGCONT)
	if err == nil || !Down(err) || !strings.Contains(err.Error(), "did not answer within 200ms: its schedulers are stuck") || cont != nil {
		t.Errorf("frozen: %v, %v", err, cont)
	}
	until(t, "it to answer again", func() bool { _, err := n.Vitals(t.Context()); return err == nil })
	if _, restarts := n.Run(); restarts != 0 {
		t.Errorf("%d restarts", restarts)
	}
}
