package probe_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/probe"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// surveying runs a probe that surveys often, until stop is called.
func surveying(t *testing.T, conn *bus.Conn, folder string, changes probe.ChangeFinder, links probe.LinkReader) (stop func()) {
	t.Helper()
	cfg := config()
	cfg.State, cfg.Survey = folder, time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- probe.Run(ctx, cfg, probe.Deps{
			Log: natstest.Log(t), Bus: conn, Skills: []skills.Skill{skill("pantry", one)}, Identity: machine, Changes: changes, Links: links,
		})
	}()
	return sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Error("the probe does not end")
		}
	})
}

// published returns the messages of a subject as they come.
func published[M protocol.Message](t *testing.T, conn *bus.Conn, subject string) chan M {
	t.Helper()
	out := make(chan M, 1000)
	stop, err := conn.Subscribe(subject, func(m bus.Msg) {
		v, err := protocol.Decode[M](m.Data)
		if err != nil {
			t.Error(err)
		}
		out <- v
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	if err := conn.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return out
}

func next[T any](t *testing.T, from chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatal("it does not come")
		panic("unreachable")
	}
}

func TestChangesLeaveTheHostOnceAndWithoutSecrets(t *testing.T) {
	conn := natstest.Setup(t, natstest.Run(t), "test")
	at := time.Now().UTC().Truncate(time.Second)
	change := protocol.Change{
		ID: "c1", Node: "web 1", Source: "probe", What: "config", Text: "password=hunter2-s3cret" + strings.Repeat(" and more", 1000), From: "key sk-ant-" + strings.Repeat("a1B2", 12), To: "v1.2.3", At: at,
	}
	looks := make(chan []byte, 1000)
	finder := func(_ context.Context, keep probe.Keeper) ([]protocol.Change, func() error, error) {
		before, err := keep.Read("seen")
		select {
		case looks <- before:
		default:
		}
		return []protocol.Change{change}, func() error { return keep.Write("seen", []byte("c1")) }, err
	}
	got := published[protocol.Change](t, conn, "changes.>")
	folder := t.TempDir()
	stop := surveying(t, conn, folder, finder, nil)
	defer stop()
	c := next(t, got)
	if strings.Contains(c.Text+c.From, "hunter2") || strings.Contains(c.From, "a1B2a1B2") || !strings.HasPrefix(c.Text, "password=[redacted:password] and more") || len(c.Text) > 2<<10 || c.To != "v1.2.3" || !c.At.Equal(at) {
		t.Errorf("got %+v", c)
	}
	if before := next(t, looks); before != nil {
		t.Errorf("the first look finds %q", before)
	}
	if before := next(t, looks); string(before) != "c1" {
		t.Errorf("the second look finds %q", before)
	}
	stop()
	if b, err := os.ReadFile(folder + "/seen"); err != nil || string(b) != "c1" {
		t.Errorf("the folder holds %q, %v", b, err)
	}
	// It was found at every look, and by another process too.
	stop = surveying(t, conn, folder, finder, nil)
	defer stop()
	for range 3 {
		for len(looks) > 0 {
			<-looks
		}
		next(t, looks)
	}
	stop()
	stored := 0
	for _, err := range conn.Range(t.Context(), bus.Events, "changes.>", 0) {
		if err != nil {
			t.Fatal(err)
		}
		stored++
	}
	if stored != 1 {
		t.Errorf("it is stored %d times", stored)
	}
}

func TestWithoutAFolderWhatWasSeenLastsAsLongAsTheProbe(t *testing.T) {
	conn := natstest.Setup(t, natstest.Run(t), "test")
	looks := make(chan []byte, 1000)
	stop := surveying(t, conn, "", func(_ context.Context, keep probe.Keeper) ([]protocol.Change, func() error, error) {
		before, err := keep.Read("seen")
		select {
		case looks <- before:
		default:
		}
		return nil, func() error { return keep.Write("seen", []byte("c1")) }, err
	}, nil)
	defer stop()
	if first, second := next(t, looks), next(t, looks); first != nil || string(second) != "c1" {
		t.Errorf("the looks find %q and %q", first, second)
	}
}

// speaker is links that change when told.
type speaker struct {
	mu    sync.Mutex
	links protocol.Links
	asked int
	reads chan int
}

func (s *speaker) Links(context.Context) (protocol.Links, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	select {
	case s.reads <- s.asked:
	default:
	}
	if s.asked%2 == 0 {
		return protocol.Links{}, errors.New("it could not be read")
	}
	l := s.links
	l.At = time.Now().UTC()
	return l, nil
}

func (s *speaker) Same(a, b protocol.Links) bool { return slices.Equal(a.Addresses, b.Addresses) }

// set changes the links once they were read some more times.
func (s *speaker) set(t *testing.T, address string) {
	t.Helper()
	for range 5 {
		next(t, s.reads)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links.Addresses = []string{address}
}

func TestLinksAreSaidWhenTheyChange(t *testing.T) {
	conn := natstest.Setup(t, natstest.Run(t), "test")
	s := &speaker{reads: make(chan int), links: protocol.Links{
		Node: "web 1", Addresses: []string{"10.0.0.1"}, Listens: []protocol.Listener{{Port: 80, Process: "pw=hunter2-s3cret"}},
		Peers: []protocol.LinkPeer{{Address: "10.0.0.2", Port: 5432, Process: "pw=hunter2-s3cret", Connections: 1}},
	}}
	got := published[protocol.Links](t, conn, protocol.LinksSubject("web 1"))
	stop := surveying(t, conn, "", nil, s)
	defer stop()
	first := next(t, got)
	if strings.Contains(first.Listens[0].Process+first.Peers[0].Process, "hunter2") {
		t.Errorf("a secret leaves the host: %+v", first)
	}
	for _, address := range []string{"10.0.0.3", "10.0.0.4"} { // none comes in between
		s.set(t, address)
		if l := next(t, got); !cmp.Equal(l.Addresses, []string{address}) {
			t.Errorf("got %v, want %s", l.Addresses, address)
		}
	}
}

func TestASurveyThatHangsOrPanicsHoldsNothingElse(t *testing.T) {
	never := make(chan struct{})
	t.Cleanup(func() { close(never) })
	for name, finder := range map[string]probe.ChangeFinder{
		"hangs": func(context.Context, probe.Keeper) ([]protocol.Change, func() error, error) {
			<-never
			return nil, nil, nil
		},
		"panics": func(context.Context, probe.Keeper) ([]protocol.Change, func() error, error) { panic("no") },
	} {
		t.Run(name, func(t *testing.T) {
			conn := natstest.Setup(t, natstest.Run(t), "test")
			got := published[protocol.Heartbeat](t, conn, protocol.NodeSubject("web 1"))
			stop := surveying(t, conn, "", finder, nil)
			for range 3 {
				next(t, got)
			}
			stop()
		})
	}
}

func TestVersionsAreNoSecrets(t *testing.T) {
	conn := natstest.Setup(t, natstest.Run(t), "test")
	want := protocol.Change{
		ID: "c1", Node: "web 1", Source: "probe", What: "binary", Target: "checkout", At: time.Now().UTC().Truncate(time.Second),
		Text: "packages: 3 upgraded: linux-image-6.1.0-28-amd64 6.1.119-1 to 6.1.123-1, libssl3:amd64 3.0.15-1~deb12u1 to 3.0.16-1~deb12u1, ca-certificates 20230311 to 20240203; checkout.service (java) on port 8080 was started again: process 4712 instead of 4711, which ran since 2026-05-04T12:00:00Z",
		From: "v0.0.0-20260504120000-0a1b2c3d4e5f (22151168 bytes of 2026-05-04T12:00:00Z)", To: "revision 9f8e7d6c5b4a (22151200 bytes of 2026-05-05T12:00:00Z)",
	}
	got := published[protocol.Change](t, conn, "changes.>")
	stop := surveying(t, conn, "", func(context.Context, probe.Keeper) ([]protocol.Change, func() error, error) {
		return []protocol.Change{want}, nil, nil
	}, nil)
	defer stop()
	if diff := cmp.Diff(want, next(t, got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
