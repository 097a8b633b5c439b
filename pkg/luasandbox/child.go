package luasandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
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
	L      *lua.LState
	meter  *meter
	left   time.Duration // of Limits.Wall
	since  time.Time     // when the script's turn began
	timer  *time.Timer

	mu     sync.Mutex // of what follows, and held for ever by the last report
	unsent strings.Builder
	room   int // bytes of output that are left
	cut    bool
}

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
	debug.SetMemoryLimit(c.limits.SoftMemory)
	debug.SetMaxStack(maxStack)
	if err := confine(c.limits); err != nil {
		return fmt.Errorf("set resource limits: %w", err)
	}
	if err := writeFrame(os.Stdout, report{Kind: kindReady, Token: c.token}); err != nil {
		return fmt.Errorf("send ready: %w", err)
	}
	var script order
	if err := readFrame(os.Stdin, math.MaxInt32, &script); err != nil {
		return fmt.Errorf("read script: %w", err)
	}
	c.run(script)
	return nil
}

// run runs the script and reports its end.
func (c *child) run(script order) {
	c.meter = &meter{Context: context.Background(), limit: c.limits.Instructions, exceeded: c.spent}
	c.L = newState()
	c.L.SetContext(c.meter)
	c.L.SetGlobal("print", c.L.NewFunction(c.print))
	for _, name := range script.Calls {
		c.L.SetGlobal(name, c.L.NewFunction(func(*lua.LState) int { return c.call(name) }))
	}
	c.since = time.Now()
	c.timer = time.AfterFunc(c.left, c.late)
	value, err := c.evaluate(string(script.Source))
	if raised, ok := errors.AsType[*ScriptError](err); ok {
		c.end(report{Kind: kindFailed, Message: raised.Message, Line: raised.Line, Instructions: c.meter.count})
	}
	switch {
	case errors.Is(err, errTooBig):
		c.end(report{Kind: kindLimit, Limit: LimitResult, Instructions: c.meter.count})
	case errors.Is(err, errTooDeep):
		c.end(report{Kind: kindLimit, Limit: LimitNesting, Instructions: c.meter.count})
	case err != nil:
		c.end(report{Kind: kindFailed, Message: "result: " + clip(err.Error()), Instructions: c.meter.count})
	}
	c.end(report{Kind: kindDone, Value: value, Instructions: c.meter.count})
}

func (c *child) evaluate(source string) (json.RawMessage, error) {
	fn, err := compile(c.L, source)
	if err != nil {
		return nil, err
	}
	value, err := execute(c.L, fn)
	if err != nil {
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

// late runs on the timer's goroutine, where it interrupts library functions too.
func (c *child) late() {
	c.end(report{Kind: kindLimit, Limit: LimitWall, Instructions: c.meter.told.Load()})
}

// spent ends the run at the instruction over the limit.
func (c *child) spent() {
	c.end(report{Kind: kindLimit, Limit: LimitInstructions, Line: currentLine(c.L), Instructions: c.meter.count})
}

// print is Lua's print, into the bounded buffer.
func (c *child) print(L *lua.LState) int {
	for i := range L.GetTop() {
		if i > 0 {
			c.write("\t")
		}
		c.write(L.ToStringMeta(L.Get(i + 1)).String())
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
	args := make([]lua.LValue, c.L.GetTop())
	for i := range args {
		args[i] = c.L.Get(i + 1)
	}
	raw, err := encode(args, c.limits.Arguments, c.limits.Nesting+1)
	switch {
	case errors.Is(err, errTooBig):
		c.end(report{Kind: kindLimit, Limit: LimitArguments, Line: currentLine(c.L), Instructions: c.meter.count})
	case errors.Is(err, errTooDeep):
		c.end(report{Kind: kindLimit, Limit: LimitNesting, Line: currentLine(c.L), Instructions: c.meter.count})
	case err != nil:
		c.L.RaiseError("%s: %s", name, err)
	}
	reply, err := c.ask(name, raw)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if reply.Failed {
		c.L.RaiseError("%s: %s", name, reply.Error)
	}
	var value any
	if err := json.Unmarshal(reply.Value, &value); err != nil {
		c.L.RaiseError("%s: %s", name, err)
	}
	c.L.Push(decode(c.L, value))
	return 1
}

func (c *child) ask(name string, args json.RawMessage) (order, error) {
	c.pause()
	defer c.resume()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.send(report{Kind: kindCall, Name: name, Value: args, Instructions: c.meter.count}); err != nil {
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

func (c *child) pause() {
	if !c.timer.Stop() {
		select {} // late has fired and ends the process
	}
	c.left -= time.Since(c.since)
}

func (c *child) resume() {
	c.since = time.Now()
	c.timer.Reset(max(c.left, 0))
}
