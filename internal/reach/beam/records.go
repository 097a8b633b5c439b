package beam

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
	"github.com/fleetlens/fleetlens/internal/reach/logs"
	"github.com/fleetlens/fleetlens/internal/reach/stacktrace"
)

// tracesKept is how many exceptions are remembered.
const tracesKept = 500

// A logTail is what the node logged since it was first asked for.
type logTail struct {
	watch   *watch
	node    string
	book    *logs.Book
	found   *stacktrace.Collector
	crashes *crashes
	lost    atomic.Int64 // entries that the probe did not take in time
}

func newLogTail(node string) *logTail {
	l := &logTail{
		watch: newWatch("watch_logs"), node: node, book: logs.NewBook(time.Now), found: stacktrace.NewKeeping(tracesKept), crashes: &crashes{},
	}
	l.watch.take, l.watch.refused = l.take, refusedLogs
	l.watch.began = func(etf.Tuple) { l.book.Begin() }
	return l
}

func refusedLogs(m etf.Tuple) error {
	if m[1] == etf.Atom("watched") {
		return fmt.Errorf("another probe has its log handlers there already: one probe a node")
	}
	return fmt.Errorf("the node takes no log handler of ours: its release of Erlang is too old for one that writes to a process")
}

// Watch has the node's log told to the probe from now on, as long as somebody goes on
// to ask at least each 90 seconds. The error says why it is not.
func (n *Node) Watch(ctx context.Context) error {
	if err := n.needs(Events); err != nil {
		return err
	}
	if err := n.logs.watch.hold(ctx, n, nil); err != nil {
		return err
	}
	n.logs.settle(time.Now())
	return nil
}

// Book is what the node logged, since [Node.Watch] was first called. States, messages
// and arguments that crash reports hold are not in it. It is nil for a nil node.
func (n *Node) Book() *logs.Book {
	if n == nil {
		return nil
	}
	return n.logs.book
}

// Exceptions are the crashes among what the node logged. It is nil for a nil node.
func (n *Node) Exceptions() *stacktrace.Collector {
	if n == nil {
		return nil
	}
	return n.logs.found
}

// LogLosses returns how many entries the node had to drop because the probe did not take
// them in time. What is too much for its second is not among them: the node drops that
// without a word.
func (n *Node) LogLosses() int64 { return n.logs.lost.Load() }

// Watching returns how the agent stands that tells of logs.
func (n *Node) Watching() WatchState { return n.logs.watch.now() }

// A record is one entry of the node's log as its formatter wrote it: see watch_logs.erl.
type record struct {
	at     time.Time
	level  logs.Level
	pid    string
	mfa    string // module:function/arity
	line   int
	domain string // [otp,sasl]
	text   string
	cut    bool
}

// fieldsBefore are how many fields a record has before its text.
const fieldsBefore = 6

// longestRecord is what the formatter lets through, and a little more.
const longestRecord = 9 << 10

func readRecord(b []byte, now time.Time) (*record, bool) {
	s := strings.ToValidUTF8(string(b[:min(len(b), longestRecord)]), "\ufffd")
	parts := strings.SplitN(s, "\v", fieldsBefore+1)
	if len(parts) <= fieldsBefore {
		return nil, false
	}
	r := &record{at: now, pid: pidOf(parts[2]), mfa: parts[3], domain: parts[5], text: strings.TrimRight(parts[6], "\n")}
	if at, err := time.Parse(time.RFC3339, parts[0]); err == nil {
		r.at = dated(at.UnixMilli(), now)
	}
	r.level, _ = logs.ParseLevel(parts[1])
	r.line, _ = strconv.Atoi(parts[4])
	r.cut = strings.HasSuffix(r.text, "...")
	return r, true
}

func pidOf(s string) string {
	if strings.HasPrefix(s, "<") && strings.HasSuffix(s, ">") && len(s) < 40 {
		return s
	}
	return ""
}

// take takes in what the agent tells.
func (l *logTail) take(m etf.Tuple) {
	if m[0] == etf.Atom("dropped") {
		n, _ := m[1].(int64)
		l.lost.Add(n)
	}
	if m[0] != etf.Atom("log") {
		return
	}
	b, ok := m[1].([]byte)
	if !ok {
		return
	}
	now := time.Now()
	r, ok := readRecord(b, now)
	if !ok {
		return
	}
	rep, message := understand(r)
	e := logs.Entry{Time: r.at, Level: r.level, Source: l.node, Process: r.pid, Message: message, Line: r.line, Cut: r.cut}
	e.Module, e.Func = whereOf(r.mfa)
	e.Domain = strings.Trim(r.domain, "[]")
	if rep != nil && rep.process != "" {
		e.Process = rep.process
		e.Module = cmp.Or(moduleOf(rep.top()), e.Module) // not that of the library that tells
		e.Func, e.Line = "", 0
	}
	l.book.Add(&e, false)
	if rep != nil && rep.crash {
		l.crashes.add(rep, r.at, r.level.String(), now)
		l.settle(now)
	}
}

// whereOf reads module:function/arity as the formatter writes it.
func whereOf(mfa string) (module, function string) {
	module, function, ok := strings.Cut(mfa, ":")
	if !ok {
		return "", ""
	}
	return Module(etf.Atom(strings.Trim(module, "'"))), strings.ReplaceAll(function, "'", "")
}

// moduleOf returns the module of a function as Function writes it.
func moduleOf(function string) string {
	function = strings.TrimPrefix(function, "fun in ")
	if m, _, erlang := strings.Cut(function, ":"); erlang {
		return m
	}
	name, _, _ := strings.Cut(function, "/")
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		return name[:i]
	}
	return ""
}

// settle makes exceptions of the crashes of which nothing more is to come.
func (l *logTail) settle(now time.Time) {
	for _, c := range l.crashes.whole(now) {
		t := stacktrace.Trace{
			Time: c.at, Language: stacktrace.Erlang, Kind: c.kind, Type: c.kindOf, Message: c.says, Frames: c.frames,
			Source: l.node, Module: cmp.Or(c.process, c.pid), Level: c.level, Under: c.under,
		}
		if c.elixir {
			t.Language = stacktrace.Elixir
		}
		l.found.Put(t)
	}
}
