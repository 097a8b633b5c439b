package dist_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/reach/beam/dist"
	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
)

func TestWhatANodeMayNotLike(t *testing.T) {
	for name, tt := range map[string]struct {
		handle func(p *peer)
		is     error
		want   string
	}{
		"it refuses":                {func(p *peer) { p.message(); p.say([]byte("snot_allowed")...); p.drain() }, dist.ErrRefuse, `"not_allowed"`},
		"it is of another protocol": {func(p *peer) { _, _ = io.WriteString(p, "HTTP/1.1 400 Bad Request\r\n\r\n"); p.drain() }, nil, "does not speak Erlang's distribution"},
		"it hangs up":               {func(p *peer) { p.message() }, io.EOF, ""},
		"it is old": {func(p *peer) {
			p.message()
			p.say([]byte("sok")...)
			p.say([]byte("n\x00\x05\x00\x00\x00\x00\x00\x00\x00\x01shop@127.0.0.1")...)
			p.drain()
		}, dist.ErrOld, ""},
		"it cannot spawn for others": {func(p *peer) { p.message(); p.say([]byte("sok")...); p.challenge(peerName, 1<<24); p.drain() }, dist.ErrOld, ""},
		"another node answers":       {func(p *peer) { p.message(); p.say([]byte("sok")...); p.challenge("other@h", allFlags); p.drain() }, dist.ErrOther, "it is named other@h"},
		"its challenge is malformed": {func(p *peer) { p.message(); p.say([]byte("sok")...); p.say([]byte("N123")...); p.drain() }, nil, "challenge is malformed"},
		"it has another cookie": {func(p *peer) {
			p.message()
			p.say([]byte("sok")...)
			p.challenge(peerName, allFlags)
			p.message()
		}, dist.ErrCookie, ""},
		"it does not prove to have the cookie": {func(p *peer) {
			p.message()
			p.say([]byte("sok")...)
			p.challenge(peerName, allFlags)
			p.message()
			p.say(append([]byte{'a'}, make([]byte, 16)...)...)
			p.drain()
		}, dist.ErrCookie, "does not know the cookie"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := dial(t, listen(t, tt.handle))
			if err == nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %v and %q", err, tt.is, tt.want)
			}
		})
	}
}

func TestAConnectionThatTheNodeStillHoldsIsReplaced(t *testing.T) {
	told := make(chan string, 1)
	address := listen(t, func(p *peer) {
		hello := p.message()
		p.say([]byte("salive")...)
		told <- string(p.message())
		p.in.UnreadByte() //nolint:errcheck // the message is whole
		_ = hello
	})
	_, err := dial(t, address)
	if got := <-told; got != "strue" {
		t.Errorf("it says %q (%v)", got, err)
	}
}

func TestANodeThatSaysNothingIsGivenUpAtTheDeadline(t *testing.T) {
	address := listen(t, func(p *peer) { p.drain() })
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("it was time"))
	defer cancel()
	if _, err := dist.Dial(ctx, dist.Options{Me: "me@h", Node: peerName, Address: address, Cookie: cookie}); err == nil || !strings.Contains(err.Error(), "it was time") {
		t.Error(err)
	}
}

func TestWhatASpawnedProcessEndsWithIsTheAnswer(t *testing.T) {
	c, err := dial(t, listen(t, func(p *peer) {
		if !p.greet() {
			return
		}
		control, payload := p.request()
		if control[0] != etf.Term(int64(29)) {
			p.t.Errorf("it asks %v", control)
		}
		options := control[5].(etf.List)
		if !cmp.Equal(options[1], etf.Term(etf.Tuple{etf.Atom("priority"), etf.Atom("low")})) {
			p.t.Errorf("options %v", options)
		}
		p.answer(control, payload)
		p.drain()
	}))
	if err != nil {
		t.Fatal(err)
	}
	if c.Creation() != 99 {
		t.Errorf("creation %d", c.Creation())
	}
	p, err := c.Spawn(dist.Spawn{Module: "m", Function: "f", Args: etf.List{int64(7)}, Priority: "low", Heap: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if end, err := p.Wait(t.Context()); err != nil || !cmp.Equal(end, etf.Term(etf.List{int64(7)})) {
		t.Errorf("%v, %v", end, err)
	}
}

func TestAProcessIsKilledAtTheDeadlineEvenWhenTheNodeMakesItLate(t *testing.T) {
	killed, late := make(chan etf.Tuple, 1), make(chan struct{})
	c, err := dial(t, listen(t, func(p *peer) {
		if !p.greet() {
			return
		}
		control, _ := p.request()
		<-late
		pid := etf.Pid{Node: peerName, ID: 200, Creation: 99}
		p.control(etf.Tuple{31, control[1], control[2], 2, pid})
		kill, _ := p.request()
		killed <- kill
		p.drain()
	}))
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Spawn(dist.Spawn{Module: "m", Function: "f", Priority: "low", Heap: 1000})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, errors.New("it was time"))
	defer cancel()
	if _, err := p.Wait(ctx); err == nil || err.Error() != "it was time" {
		t.Error(err)
	}
	close(late)
	if k := <-killed; k[0] != etf.Term(int64(8)) || k[3] != etf.Term(etf.Atom("kill")) || k[2].(etf.Pid).ID != 200 {
		t.Errorf("it sends %v", k)
	}
}

func TestATickIsAnswered(t *testing.T) {
	answered := make(chan bool, 1)
	_, err := dial(t, listen(t, func(p *peer) {
		if !p.greet() {
			return
		}
		p.send(nil)
		b, ok := p.frame()
		answered <- ok && len(b) == 0
		p.drain()
	}))
	if err != nil {
		t.Fatal(err)
	}
	if !<-answered {
		t.Error("it is not answered by a tick")
	}
}

func TestAHostilePeerEndsTheConnectionAndNothingElse(t *testing.T) {
	for name, tt := range map[string]struct {
		send []byte
		want string
	}{
		"a frame of four gigabytes": {[]byte{255, 255, 255, 255}, "67108864 is the most"},
		"a fragment":                {[]byte{0, 0, 0, 4, 131, 69, 0, 0}, "a message of the kind 131"},
		"no term":                   {[]byte{0, 0, 0, 3, 112, 131, 1}, "the tag 1 is unknown"},
		"no tuple":                  {[]byte{0, 0, 0, 4, 112, 131, 97, 1}, "none of the protocol's"},
		"half a frame":              {[]byte{0, 0, 1, 0, 112}, "unexpected EOF"},
		"nothing more":              {nil, "the node hung up"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := dial(t, listen(t, func(p *peer) {
				if p.greet() {
					p.request()
					_, _ = p.Write(tt.send)
				}
			}))
			if err != nil {
				t.Fatal(err)
			}
			p, err := c.Spawn(dist.Spawn{Module: "m", Function: "f", Priority: "low", Heap: 1000})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Wait(t.Context()); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("who waits is told %v, want %q", err, tt.want)
			}
			if _, err := c.Spawn(dist.Spawn{Module: "m", Function: "f", Priority: "low", Heap: 1}); err == nil {
				t.Error("another process can be asked for")
			}
		})
	}
}

func TestMessagesThatAreNotForUsAreLeftAlone(t *testing.T) {
	c, err := dial(t, listen(t, func(p *peer) {
		if !p.greet() {
			return
		}
		control, payload := p.request()
		me := control[2].(etf.Pid)
		stranger := etf.Pid{Node: peerName, ID: 1, Creation: 99}
		unknown := me
		unknown.ID = 4000
		p.control(etf.Tuple{2, etf.Atom(""), unknown}, etf.Atom("hello"))
		p.control(etf.Tuple{6, stranger, etf.Atom(""), etf.Atom("rex")}, etf.Atom("hello"))
		p.control(etf.Tuple{21, stranger, me, etf.Ref{Node: peerName, Len: 3}, etf.Atom("normal")})
		p.control(etf.Tuple{31, etf.Atom("x"), me, 0, stranger})
		p.control(etf.Tuple{1, stranger, me})
		p.control(etf.Tuple{19, stranger, unknown, etf.Ref{Node: peerName, Len: 3, ID: [5]uint32{7}}})
		if down, _ := p.request(); len(down) != 5 || down[0] != etf.Term(int64(21)) || down[4] != etf.Term(etf.Atom("noproc")) {
			p.t.Errorf("who watches a process that is not there is told %v", down)
		}
		p.control(etf.Tuple{35, 5, stranger, me})
		if ack, _ := p.request(); len(ack) != 4 || ack[0] != etf.Term(int64(36)) {
			p.t.Errorf("an unlink is answered by %v", ack)
		}
		p.answer(control, payload)
		p.drain()
	}))
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Spawn(dist.Spawn{Module: "m", Function: "f", Args: etf.List{}, Priority: "low", Heap: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(t.Context()); err != nil {
		t.Error(err)
	}
}

// epmd answers one question.
func epmd(t *testing.T, answer func(question []byte) []byte) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		var head [2]byte
		_, _ = io.ReadFull(c, head[:])
		q := make([]byte, binary.BigEndian.Uint16(head[:]))
		_, _ = io.ReadFull(c, q)
		_, _ = c.Write(answer(q))
	}()
	return l.Addr().String()
}

func TestEPMD(t *testing.T) {
	port, err := dist.Lookup(t.Context(), epmd(t, func(q []byte) []byte {
		if !bytes.Equal(q, []byte("zshop")) {
			t.Errorf("it is asked %q", q)
		}
		return []byte{'w', 0, 0xa3, 0x93, 'M', 0, 0, 6, 0, 5, 0, 4, 's', 'h', 'o', 'p', 0, 0}
	}), "shop")
	if err != nil || port != 41875 {
		t.Errorf("%d, %v", port, err)
	}
	if _, err := dist.Lookup(t.Context(), epmd(t, func([]byte) []byte { return []byte{'w', 1} }), "shop"); !errors.Is(err, dist.ErrNotRegistered) || !strings.Contains(err.Error(), `does not know "shop"`) {
		t.Error(err)
	}
	for _, answer := range []string{"", "w", "HTTP/1.1", "w\x00"} {
		if _, err := dist.Lookup(t.Context(), epmd(t, func([]byte) []byte { return []byte(answer) }), "shop"); err == nil {
			t.Errorf("%q is taken for an answer", answer)
		}
	}
	names, err := dist.Names(t.Context(), epmd(t, func([]byte) []byte {
		return []byte("\x00\x00\x11\x11name shop at port 41875\nname\nname cart at port 99999999\nname till at port 7\n")
	}))
	if diff := cmp.Diff([]dist.Registration{{Name: "shop", Port: 41875}, {Name: "till", Port: 7}}, names); err != nil || diff != "" {
		t.Error(err, diff)
	}
}
