package luasandbox

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"
)

// waitIdle returns when n children wait ready, and their process ids.
func waitIdle(t *testing.T, s *Sandbox, n int) []int {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; runtime.Gosched() {
		s.pool.mu.Lock()
		var pids []int
		for _, i := range s.pool.idle {
			pids = append(pids, i.cmd.Process.Pid)
		}
		s.pool.mu.Unlock()
		if len(pids) == n {
			return pids
		}
		if time.Now().After(end) {
			t.Fatalf("%d children wait, want %d", len(pids), n)
		}
	}
}

func mustRun(t *testing.T, s *Sandbox, script string, want any) {
	t.Helper()
	if got, err := s.Run(t.Context(), script, nil); err != nil || got.Value != want {
		t.Errorf("got %v and %v, want %v", got.Value, err, want)
	}
}

func TestPool(t *testing.T) {
	t.Run("no child is started before the first run", func(t *testing.T) {
		s := New(Limits{})
		defer s.Close()
		waitIdle(t, s, 0)
	})
	t.Run("two wait after it, and each runs one script", func(t *testing.T) {
		s := New(Limits{})
		defer s.Close()
		seen := map[int]bool{}
		for range 4 {
			mustRun(t, s, `leak = (leak or 0) + 1 return leak`, 1.0)
			for _, pid := range waitIdle(t, s, 2) {
				seen[pid] = true
			}
		}
		if len(seen) != 5 { // two, and one for each run after the first
			t.Errorf("%d children were seen, want 5", len(seen))
		}
	})
	t.Run("none waits where none is wanted", func(t *testing.T) {
		s := New(Limits{}, Ahead(0))
		defer s.Close()
		mustRun(t, s, `return 1`, 1.0)
		waitIdle(t, s, 0)
	})
	t.Run("one that died is replaced", func(t *testing.T) {
		s := New(Limits{})
		defer s.Close()
		mustRun(t, s, `return 1`, 1.0)
		waitIdle(t, s, 2)
		s.pool.mu.Lock()
		for _, i := range s.pool.idle {
			i.kill()
		}
		s.pool.mu.Unlock()
		mustRun(t, s, `return 2`, 2.0)
		waitIdle(t, s, 2)
	})
	t.Run("a script is not lost on a child that has just died", func(t *testing.T) {
		s := New(Limits{}, Ahead(1))
		defer s.Close()
		for range 20 {
			mustRun(t, s, `return 1`, 1.0)
			waitIdle(t, s, 1)
			s.pool.mu.Lock()
			child := s.pool.idle[0]
			s.pool.mu.Unlock()
			child.kill()
			<-child.watched
			mustRun(t, s, `return 2`, 2.0)
		}
	})
	t.Run("one that speaks unasked is not used", func(t *testing.T) {
		s := New(Limits{}, Ahead(1))
		defer s.Close()
		mustRun(t, s, `return 1`, 1.0)
		waitIdle(t, s, 1)
		s.pool.mu.Lock()
		child := s.pool.idle[0]
		s.pool.mu.Unlock()
		if err := writeFrame(child.orders, order{Kind: kindScript, Source: []byte("return 3")}); err != nil {
			t.Fatal(err)
		}
		<-child.watched
		mustRun(t, s, `return 2`, 2.0)
	})
}

func TestClose(t *testing.T) {
	s := New(Limits{})
	mustRun(t, s, `return 1`, 1.0)
	waitIdle(t, s, 2)
	s.pool.mu.Lock()
	idle := s.pool.idle
	s.pool.mu.Unlock()
	s.Close()
	s.Close()
	for _, i := range idle {
		if !i.reaped {
			t.Error("a child waits on after Close")
		}
	}
	if _, err := s.Run(t.Context(), `return 1`, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

func TestCloseDuringRuns(t *testing.T) {
	s := New(Limits{})
	entered, release := make(chan struct{}), make(chan struct{})
	wait := Func{Name: "wait", Call: func(context.Context, []any) (any, error) {
		entered <- struct{}{}
		<-release
		return 5, nil
	}}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if got, err := s.Run(t.Context(), `return wait()`, []Func{wait}); err != nil || got.Value != 5.0 {
				t.Errorf("got %v and %v, want 5", got.Value, err)
			}
		})
	}
	for range 4 {
		<-entered
	}
	s.Close() // the runs under way go on
	close(release)
	all.Wait()
}

func TestWatchThatIsCalledOffBeforeItBegins(t *testing.T) {
	s := New(Limits{}, Ahead(0))
	defer s.Close()
	child, _, err := s.pool.fresh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.pool.giveBack(child)
	i := &idler{process: child, watched: make(chan struct{})}
	if err := child.said.SetReadDeadline(time.Unix(1, 0)); err != nil { // as wake does, before the watch has begun
		t.Fatal(err)
	}
	i.watch(s.pool)
	if i.wake() != child {
		t.Error("the child is taken for dead")
	}
}
