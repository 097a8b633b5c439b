package discover

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"time"
)

const (
	askTimeout = 200 * time.Millisecond
	speakFirst = 20 * time.Millisecond // what a server that does not wait for a request is given
	maxAnswer  = 4 << 10
	maxTries   = 3 // of a listener that does not answer in time
)

// A question is one listener of one process at one address.
type question struct {
	pid   int32
	inode uint64
	at    netip.AddrPort
}

// A page is what a listener is asked for, and what stands near its beginning.
type page struct {
	path string
	has  []string
}

var (
	pprofIndex = page{"/debug/pprof/", []string{"/debug/pprof/", "goroutine"}}
	natsVars   = page{"/varz", []string{`"server_id"`, `"server_name"`}}
)

// An answer is what became of a question.
type answer struct {
	yes, settled bool
	tries        int
}

// serves asks a listener for a page, once in its life. asked tells whether it was asked now.
func (f *Finder) serves(ctx context.Context, q question, p page) (yes, asked bool) {
	a := f.answers[q]
	if a.settled || a.tries >= maxTries {
		return a.yes, false
	}
	a.tries++
	a.yes, a.settled = f.ask(ctx, q.at, p)
	if ctx.Err() == nil { // else nobody knows
		f.answers[q] = a
	}
	return a.yes, true
}

// ask reports whether an address answers with the page, and whether that will stay so. A server that speaks first is no web server and is sent
// nothing: it would log the request as garbage. net/http's client is not used, since
// it writes to the log what such servers say.
func (f *Finder) ask(ctx context.Context, at netip.AddrPort, p page) (yes, settled bool) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	conn, err := f.dial(ctx, "tcp", at.String())
	if err != nil {
		return false, !late(err)
	}
	defer func() { _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	first := make([]byte, 1)
	if err := conn.SetReadDeadline(time.Now().Add(speakFirst)); err != nil {
		return false, false
	}
	if _, err := conn.Read(first); !late(err) {
		return false, true // it spoke, or closed
	}
	if err := conn.SetDeadline(deadline); err != nil {
		return false, false
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: fleetlens-probe\r\nConnection: close\r\n\r\n", p.path, at); err != nil {
		return false, !late(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, maxAnswer)), nil)
	if err != nil {
		return false, !late(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body) // it may be cut off: what is looked for comes early
	yes = resp.StatusCode == http.StatusOK
	for _, mark := range p.has {
		yes = yes && bytes.Contains(body, []byte(mark))
	}
	return yes, yes || !late(err)
}

// late reports whether there was no answer in time: there may be one later.
func late(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// forget drops what is remembered of listeners that are gone: their numbers come again.
func (f *Finder) forget(seen listeners) {
	inodes, pids := map[uint64]bool{}, map[int32]bool{}
	for _, l := range seen.list {
		inodes[l.inode], pids[l.pid] = true, true
	}
	for q := range f.answers {
		if !inodes[q.inode] || !pids[q.pid] {
			delete(f.answers, q)
		}
	}
	for p := range f.programs {
		if !inodes[p.inode] || !pids[p.pid] {
			delete(f.programs, p)
		}
	}
}
