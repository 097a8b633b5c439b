package luasandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// childName is argument zero of a child. It is followed by the run's token.
const childName = "fleetlens-luasandbox-child"

const tokenLen = 32

// init takes the process over where it was started as a child. Everywhere else it returns at once.
func init() {
	if startedAsChild() {
		runChild()
	}
}

// startedAsChild reports whether the arguments and the two pipes are those a
// parent gives. Whether that parent is ours, the token tells later.
func startedAsChild() bool {
	return len(os.Args) == 2 && os.Args[0] == childName && len(os.Args[1]) == tokenLen &&
		isPipe(os.Stdin) && isPipe(os.Stdout)
}

func isPipe(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&fs.ModeNamedPipe != 0
}

// runChild runs one script and exits. It never returns: the program's main is
// no part of a child, not even after a failed handshake.
func runChild() {
	c := &child{token: os.Args[1]}
	if err := c.serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// A child is one script's process, seen from inside.
type child struct {
	token  string
	limits Limits
	vm     *machine
	meter  *meter
	left   time.Duration // of Limits.Wall
	begun  time.Time     // when the script began
	since  time.Time     // when the script's turn began
	timer  *time.Timer   // to the end of the wall time, and then to that of patience

	mu     sync.Mutex // of what follows, and held for ever by the last report
	unsent strings.Builder
	room   int // bytes of output that are left
	cut    bool
}

// serve prepares everything that needs no script, says ready, and waits for the
// script. A parent that closes the pipe instead has no use for this child.
func (c *child) serve() error {
	var hello order
	if err := readFrame(os.Stdin, math.MaxInt32, &hello); err != nil {
		return fmt.Errorf("read hello: %w", err)
	}
	if hello.Kind != kindHello || hello.Token != c.token || hello.Limits == nil {
		return errors.New("hello without this child's token")
	}
	c.limits = *hello.Limits
	c.room, c.left = c.limits.Output, c.limits.Wall
	debug.SetMaxStack(maxStack)
	c.meter = newMeter(c.limits, c.exceeded)
	debug.SetMemoryLimit(int64(c.meter.base) + c.limits.Memory)
	if hello.Ahead {
		warm(c.limits)
	}
	c.vm = newMachine(c.limits, c.meter)
	c.vm.began = func() time.Duration { return time.Since(c.begun) }
	c.vm.SetGlobal("print", c.vm.function(c.print))
	if err := confine(c.limits); err != nil {
		return fmt.Errorf("set resource limits: %w", err)
	}
	if err := writeFrame(os.Stdout, report{Kind: kindReady, Token: c.token}); err != nil {
		return fmt.Errorf("send ready: %w", err)
	}
	var script order
	if err := readFrame(os.Stdin, math.MaxInt32, &script); err != nil {
		if errors.Is(err, io.EOF) {
			return nil
		}
		return fmt.Errorf("read script: %w", err)
	}
	c.run(script)
	return nil
}

// warm runs a script of no consequence in a machine of its own, so that the real
// one finds in memory what it needs of this program: a child that waits has the time.
func warm(l Limits) {
	vm := newMachine(l, newMeter(l, func(string) {}))
	proto, _, err := compile(`
		local t = {}
		for i, word in ipairs({"b", "a"}) do t[#t + 1] = string.format("%s %d %.1f", word, i, i / 2) end
		table.sort(t, function(a, b) return a < b end)
		for k, v in pairs({x = 1}) do t[k] = tostring(v):gsub("%d", "%0"):match("%d") .. "|" end
		pcall(error, "x")
		return json.decode(json.encode(t))`, maps.Clone(known()))
	if err != nil {
		return // the script's own fault is told when it runs
	}
	if value, err := vm.execute(proto); err == nil {
		raw, _ := encode(value, l.Result, l.Nesting)
		_ = writeFrame(io.Discard, report{Kind: kindCall, Value: raw})
	}
	_ = vm.currentLine()
}

// run runs the script and reports its end.
func (c *child) run(script order) {
	for _, name := range script.Calls {
		c.vm.SetGlobal(name, c.vm.function(func(*machine) int { return c.call(name) }))
	}
	c.begun = time.Now()
	c.resume()
	value, err := c.evaluate(string(script.Source), script.Calls)
	last := report{Kind: kindDone, Value: value}
	if deep, ok := errors.AsType[depthError](err); ok {
		last = report{Kind: kindLimit, Limit: LimitSyntax, Line: int(deep)}
	} else if raised, ok := errors.AsType[*ScriptError](err); ok {
		last = report{Kind: kindFailed, Message: raised.Message, Line: raised.Line}
	} else if errors.Is(err, errTooBig) {
		last = report{Kind: kindLimit, Limit: LimitResult}
	} else if errors.Is(err, errTooDeep) {
		last = report{Kind: kindLimit, Limit: LimitNesting}
	} else if err != nil {
		last = report{Kind: kindFailed, Message: "result: " + clip(err.Error())}
	}
	last.Instructions = c.meter.count
	c.end(last)
}

func (c *child) evaluate(source string, calls []string) (json.RawMessage, error) {
	names := maps.Clone(known())
	for _, name := range calls {
		names[name] = true
	}
	proto, notes, err := compile(source, names)
	if err != nil {
		return nil, err
	}
	value, err := c.vm.execute(proto)
	if err != nil {
		if raised, ok := errors.AsType[*ScriptError](err); ok {
			raised.absent(notes)
		}
		return nil, err
	}
	return encode(value, c.limits.Result, c.limits.Nesting)
}

// end sends the last report and exits. The lock is kept, so that of a script's
// end and its timer only one is reported; and because the process ends here,
// there is no unwinding that a script could catch.
func (c *child) end(last report) {
	c.mu.Lock()
	if err := c.send(last); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// send adds what was printed to r and sends it. The caller holds mu.
func (c *child) send(r report) error {
	r.Output, r.OutputCut = c.unsent.String(), c.cut
	c.unsent.Reset()
	return writeFrame(os.Stdout, r)
}

// exceeded ends the run at the instruction that reached a limit.
func (c *child) exceeded(limit string) {
	c.end(report{Kind: kindLimit, Limit: limit, Line: c.vm.currentLine(), Instructions: c.meter.count})
}

// resume lets the script's clock run. When it is up the meter ends the run, and
// knows the line; where the script hangs in something that never asks the meter,
// the timer's own goroutine ends it.
func (c *child) resume() {
	c.since = time.Now()
	c.timer = time.AfterFunc(max(c.left, 0), func() {
		c.meter.late.Store(true)
		time.Sleep(unheard)
		c.end(report{Kind: kindLimit, Limit: LimitWall, Instructions: c.meter.told.Load()})
	})
}

// pause stops the script's clock.
func (c *child) pause() {
	if !c.timer.Stop() {
		c.exceeded(LimitWall)
	}
	c.left -= time.Since(c.since)
}

// print is Lua's print, into the bounded buffer.
func (c *child) print(vm *machine) int {
	for i := range vm.GetTop() {
		if i > 0 {
			c.write("\t")
		}
		c.write(vm.shown(vm.Get(i + 1)))
	}
	c.write("\n")
	return 0
}

func (c *child) write(s string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(s) > c.room {
		s, c.cut = s[:c.room], true
	}
	c.room -= len(s)
	c.unsent.WriteString(s)
}

// call asks the parent to make one callback and waits, its clock stopped.
func (c *child) call(name string) int {
	args := make([]lua.LValue, c.vm.GetTop())
	for i := range args {
		args[i] = c.vm.Get(i + 1)
	}
	raw, err := encode(args, c.limits.Arguments, c.limits.Nesting+1)
	switch {
	case errors.Is(err, errTooBig):
		c.exceeded(LimitArguments)
	case errors.Is(err, errTooDeep):
		c.exceeded(LimitNesting)
	case err != nil:
		c.vm.RaiseError("%s: %s", name, err)
	}
	reply, err := c.ask(name, raw)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if reply.Failed {
		c.vm.RaiseError("%s: %s", name, reply.Error)
	}
	c.meter.reserve(8 * len(reply.Value)) // it is gone over a few times
	var value any
	if err := json.Unmarshal(reply.Value, &value); err != nil {
		c.vm.RaiseError("%s: %s", name, err)
	}
	return c.vm.give(c.vm.decode(value))
}

func (c *child) ask(name string, args json.RawMessage) (order, error) {
	c.pause()
	defer c.resume()
	c.mu.Lock()
	defer c.mu.Unlock()
	asked := report{Kind: kindCall, Name: name, Value: args, Line: c.vm.currentLine(), Instructions: c.meter.count}
	if err := c.send(asked); err != nil {
		return order{}, fmt.Errorf("send call: %w", err)
	}
	var reply order
	if err := readFrame(os.Stdin, math.MaxInt32, &reply); err != nil {
		return order{}, fmt.Errorf("read reply: %w", err)
	}
	if reply.Kind != kindReply {
		return order{}, fmt.Errorf("got %q, want a reply", reply.Kind)
	}
	return reply, nil
}
