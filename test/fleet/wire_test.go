package fleet

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"
)

// wireTo returns a wire, and what arrives at its end.
func wireTo(t *testing.T, w *Wire) (net.Conn, io.Reader) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	w.addr, w.open, w.dice = l.Addr().String(), map[*wired]bool{}, rand.New(rand.NewPCG(1, 1))
	c, err := w.InProcessConn()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	end, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = end.Close() })
	return c, end
}

func expect(t *testing.T, from io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(from, got); err != nil || string(got) != want {
		t.Errorf("arrived %q, %v; want %q", got, err, want)
	}
}

const (
	first  = "PUB snapshots.a.host.os 1\r\n1\r\n"
	second = "PUB snapshots.a.host.os 1\r\n2\r\n"
)

func TestAWireCarriesWhatItIsGivenInAnyPieces(t *testing.T) {
	c, end := wireTo(t, &Wire{})
	all := "CONNECT {}\r\nPING\r\n" + first + "HPUB x 3 5\r\nabc\r\n\r\n" + second
	for i := range len(all) {
		if _, err := io.WriteString(c, all[i:i+1]); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, end, all)
}

func TestAWireReordersDoublesAndDelaysMessagesOfTheNode(t *testing.T) {
	for _, tt := range []struct {
		name string
		delivery
		want string
	}{
		{"reordered", delivery{reordered: 1}, second + first},
		{"doubled", delivery{doubled: 1}, first + second + "PING\r\n" + first + second},
		{"late", delivery{late: 1, by: 20 * time.Millisecond}, "PING\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := &Wire{}
			c, end := wireTo(t, w)
			d := tt.delivery
			if tt.name == "doubled" {
				d.by = 50 * time.Millisecond
			}
			w.set(d)
			if _, err := io.WriteString(c, first+second+"PING\r\n"); err != nil {
				t.Fatal(err)
			}
			if tt.name == "reordered" {
				expect(t, end, tt.want)
				return
			}
			got := make([]byte, len(first+second+"PING\r\n"))
			if tt.name == "doubled" {
				got = append(got, make([]byte, len(first+second))...)
			}
			if _, err := io.ReadFull(end, got); err != nil {
				t.Fatal(err)
			}
			for _, m := range []string{first, second} {
				want := 1
				if tt.name == "doubled" {
					want = 2
				}
				if n := strings.Count(string(got), m); n != want {
					t.Errorf("%q arrived %d times in %q, want %d", m, n, got, want)
				}
			}
			if tt.name == "late" && !bytes.HasPrefix(got, []byte("PING")) {
				t.Errorf("what is late was first: %q", got)
			}
		})
	}
}

func TestAWireSetsTheTimesOfTheNodesMessagesByItsClock(t *testing.T) {
	c, end := wireTo(t, &Wire{clock: -time.Minute})
	send := func(subject, at string) string { return "PUB " + subject + " 29\r\n{\"at\":\"" + at + "\"}\r\n" }
	in := send("nodes.a", "2026-03-14T09:26:53Z") + send("other", "2026-03-14T09:26:53Z")
	want := send("nodes.a", "2026-03-14T09:25:53Z") + send("other", "2026-03-14T09:26:53Z")
	if _, err := io.WriteString(c, strings.ReplaceAll(in, " 29\r", " 29\r")); err != nil {
		t.Fatal(err)
	}
	expect(t, end, want)
}

func TestACutWireEndsConnectionsAndTakesNone(t *testing.T) {
	w := &Wire{}
	c, end := wireTo(t, w)
	w.Cut(true)
	if _, err := end.Read(make([]byte, 1)); err == nil {
		t.Error("the other side still hears")
	}
	if _, err := c.Write([]byte(first)); err == nil {
		t.Error("it still takes messages")
	}
	if _, err := w.InProcessConn(); err == nil {
		t.Error("it takes connections")
	}
}
