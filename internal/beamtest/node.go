// Package beamtest starts real Erlang and Elixir nodes for tests, and has them do what
// the test plants.
package beamtest

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/missing"
)

// patience is how long a node may take to begin, or to do what it is told.
const patience = time.Minute

// Options say what node is started.
type Options struct {
	Elixir bool
	Name   string   // before the @127.0.0.1; empty: one of its own
	Cookie string   // empty: one of its own
	Args   []string // further arguments of erl
	Env    []string // further environment, NAME=value
	// EPMD is the port of an EPMD to be registered with; 0: the node does without, and
	// listens at its Address.
	EPMD int
}

// A Node is a running node. It listens for distribution at Address, without EPMD,
// and ends with its test.
type Node struct {
	Name    string // shop@127.0.0.1
	Cookie  string
	Address string // host:port; empty where EPMD knows it
	PID     int    // of the operating system

	t       testing.TB
	elixir  bool
	cmd     *exec.Cmd
	in      io.Writer
	answers chan string
	mu      sync.Mutex
	said    strings.Builder
}

var names struct {
	sync.Mutex
	n int
}

// packages are Debian's.
var packages = []string{"erlang-base", "erlang-ssl", "erlang-runtime-tools", "erlang-os-mon", "elixir"}

// install installs Erlang and Elixir where they are missing, and root and apt-get are there.
var install = sync.OnceValue(func() error {
	_, erl := exec.LookPath("erl")
	_, elixir := exec.LookPath("elixir")
	if erl == nil && elixir == nil {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Getuid() != 0 {
		return fmt.Errorf("on Debian: apt-get install %s", strings.Join(packages, " "))
	}
	return missing.Install(packages...)
})

// Start starts a node and waits until it does what it is told. Where there is no Erlang
// and none can be installed, the test ends as one that could not be run, see
// [missing.Component].
func Start(t testing.TB, o Options) *Node {
	t.Helper()
	if err := install(); err != nil {
		missing.Component(t, "a real Erlang node", err.Error())
		t.SkipNow()
	}
	n, err := Launch(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	n.t = t
	t.Cleanup(n.Kill)
	return n
}

// Launch starts a node with a folder for its files, outside a test. Kill it.
func Launch(dir string, o Options) (*Node, error) {
	if err := install(); err != nil {
		return nil, err
	}
	names.Lock()
	names.n++
	own := fmt.Sprintf("t%d_%d", os.Getpid(), names.n)
	names.Unlock()
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	n := &Node{
		Name: cmp.Or(o.Name, own) + "@127.0.0.1", Cookie: cmp.Or(o.Cookie, "biscuit"+own),
		Address: address, elixir: o.Elixir, answers: make(chan string, 1),
	}
	_, port, _ := net.SplitHostPort(n.Address)
	flags := []string{"-name", n.Name, "-setcookie", n.Cookie, "-start_epmd", "false", "-kernel", "inet_dist_use_interface", "{127,0,0,1}"}
	if o.EPMD == 0 {
		flags = append(flags, "-erl_epmd_port", port)
	} else {
		n.Address = ""
		o.Env = append(slices.Clone(o.Env), fmt.Sprintf("ERL_EPMD_PORT=%d", o.EPMD))
	}
	flags = append(flags, o.Args...)
	program, args := "erl", append(flags, "-noshell", "-eval", erlangLoop)
	if o.Elixir {
		program, args = "elixir", []string{"--erl", strings.Join(flags, " "), "-e", elixirLoop}
	}
	n.cmd = exec.Command(program, args...)
	n.cmd.Dir = dir
	n.cmd.Env = append(append(os.Environ(), "HOME="+dir, "ERL_CRASH_DUMP="+filepath.Join(dir, "crash")), o.Env...)
	in, err := n.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	n.in, n.cmd.Stderr = in, &tail{n: n}
	if err := n.cmd.Start(); err != nil {
		return nil, err
	}
	n.PID = n.cmd.Process.Pid
	go n.listen(out)
	if _, err := n.Try("ok"); err != nil {
		n.Kill()
		return nil, err
	}
	return n, nil
}

// Do is Try of which an error fails the test.
func (n *Node) Do(code string) string {
	n.t.Helper()
	a, err := n.Try(code)
	if err != nil {
		n.t.Fatal(err)
	}
	return a
}

// Try has the node evaluate expressions, in its own language and on one line, without
// the full stop, and returns the value as the node writes it, or the exception.
func (n *Node) Try(code string) (string, error) {
	line := strings.Join(strings.Fields(code), " ")
	if n.elixir && line == "ok" {
		line = ":ok"
	}
	if !n.elixir {
		line += "."
	}
	if _, err := io.WriteString(n.in, line+"\n"); err != nil {
		return "", fmt.Errorf("%s cannot be told anything: %w\n%s", n.Name, err, n.Said())
	}
	select {
	case a, ok := <-n.answers:
		if !ok {
			return "", fmt.Errorf("%s ended\n%s", n.Name, n.Said())
		}
		if wrong, is := strings.CutPrefix(a, "!"); is {
			return "", fmt.Errorf("%s: %s\nin: %s", n.Name, wrong, line)
		}
		return strings.TrimPrefix(a, "="), nil
	case <-time.After(patience):
		return "", fmt.Errorf("%s does not answer\n%s", n.Name, n.Said())
	}
}

// Kill ends the node at once.
func (n *Node) Kill() {
	_ = n.cmd.Process.Kill()
	_ = n.cmd.Wait()
}

// Said returns what the node wrote that was no answer: its log.
func (n *Node) Said() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.said.String()
}

// mark begins the lines that are answers; the next character is = or !.
const mark = "@@answer"

func (n *Node) listen(out io.Reader) {
	defer close(n.answers)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		if a, is := strings.CutPrefix(lines.Text(), mark); is {
			n.answers <- a
			continue
		}
		_, _ = fmt.Fprintln(&tail{n: n}, lines.Text())
	}
}

type tail struct{ n *Node }

// Write implements io.Writer.
func (w *tail) Write(b []byte) (int, error) {
	w.n.mu.Lock()
	defer w.n.mu.Unlock()
	if w.n.said.Len() < 1<<20 {
		w.n.said.Write(b)
	}
	return len(b), nil
}

// The loops read a line at a time. What they bind stays bound; in Erlang a variable
// that is bound must not be bound anew.
const erlangLoop = `
F = fun Loop(B) -> case io:get_line("") of
  eof -> erlang:halt();
  Line ->
    Next = try {ok, Ts, _} = erl_scan:string(Line), {ok, Es} = erl_parse:parse_exprs(Ts),
      {value, V, B1} = erl_eval:exprs(Es, B), io:format("` + mark + `=~0tp~n", [V]), B1
    catch C:R:St -> io:format("` + mark + `!~0tp~n", [{C, R, St}]), B end,
    Loop(Next) end end, spawn(fun() -> F([]) end).`

const elixirLoop = `
defmodule BeamtestLoop do
  def run(b) do
    case IO.gets("") do
      :eof -> System.halt(0)
      line ->
        next = try do
          {v, b1} = Code.eval_string(line, b)
          IO.puts("` + mark + `=" <> inspect(v, limit: :infinity))
          b1
        catch c, r -> IO.puts("` + mark + `!" <> inspect({c, r})); b end
        run(next)
    end
  end
end
BeamtestLoop.run([])`

// EPMD starts Erlang's port mapper at a port of its own, until the test ends.
func EPMD(t testing.TB) (port int) {
	t.Helper()
	if err := install(); err != nil {
		missing.Component(t, "Erlang's port mapper", err.Error())
		t.SkipNow()
	}
	address, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := net.SplitHostPort(address)
	cmd := exec.Command("epmd", "-port", text, "-address", "127.0.0.1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for end := time.Now().Add(patience); ; {
		if c, err := net.Dial("tcp", address); err == nil {
			_ = c.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatal("epmd does not listen")
		}
		<-time.After(10 * time.Millisecond)
	}
	port, err = strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// freeAddress returns an address of this machine where nobody listens.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
