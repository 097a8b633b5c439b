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
	"strings"
	"sync"
	"testing"
	"time"
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
}

// A Node is a running node. It listens for distribution at Address, without EPMD,
// and ends with its test.
type Node struct {
	Name    string // shop@127.0.0.1
	Cookie  string
	Address string // host:port
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

// Start starts a node and waits until it does what it is told.
func Start(t testing.TB, o Options) *Node {
	t.Helper()
	names.Lock()
	names.n++
	own := fmt.Sprintf("t%d_%d", os.Getpid(), names.n)
	names.Unlock()
	n := &Node{
		Name: cmp.Or(o.Name, own) + "@127.0.0.1", Cookie: cmp.Or(o.Cookie, "biscuit"+own),
		Address: freeAddress(t), t: t, elixir: o.Elixir, answers: make(chan string, 1),
	}
	_, port, _ := net.SplitHostPort(n.Address)
	flags := append([]string{
		"-name", n.Name, "-setcookie", n.Cookie, "-start_epmd", "false", "-erl_epmd_port", port,
		"-kernel", "inet_dist_use_interface", "{127,0,0,1}",
	}, o.Args...)
	program, args := "erl", append(flags, "-noshell", "-eval", erlangLoop)
	if o.Elixir {
		program, args = "elixir", []string{"--erl", strings.Join(flags, " "), "-e", elixirLoop}
	}
	n.cmd = exec.Command(program, args...)
	n.cmd.Dir = t.TempDir()
	n.cmd.Env = append(append(os.Environ(), "HOME="+n.cmd.Dir, "ERL_CRASH_DUMP="+filepath.Join(n.cmd.Dir, "crash")), o.Env...)
	in, err := n.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	n.in, n.cmd.Stderr = in, &tail{n: n}
	if err := n.cmd.Start(); err != nil {
		t.Fatalf("%s: %v (Debian: apt-get install erlang-base erlang-ssl erlang-runtime-tools erlang-os-mon elixir)", program, err)
	}
	n.PID = n.cmd.Process.Pid
	go n.listen(out)
	t.Cleanup(n.Kill)
	n.Do("ok")
	return n
}

// Do has the node evaluate expressions, in its own language and on one line, without
// the full stop, and returns the value as the node writes it. An exception fails the test.
func (n *Node) Do(code string) string {
	n.t.Helper()
	line := strings.Join(strings.Fields(code), " ")
	if n.elixir && line == "ok" {
		line = ":ok"
	}
	if !n.elixir {
		line += "."
	}
	if _, err := io.WriteString(n.in, line+"\n"); err != nil {
		n.t.Fatalf("%s cannot be told anything: %v\n%s", n.Name, err, n.Said())
	}
	select {
	case a, ok := <-n.answers:
		if !ok {
			n.t.Fatalf("%s ended\n%s", n.Name, n.Said())
		}
		if wrong, is := strings.CutPrefix(a, "!"); is {
			n.t.Fatalf("%s: %s\nin: %s", n.Name, wrong, line)
		}
		return strings.TrimPrefix(a, "=")
	case <-time.After(patience):
		n.t.Fatalf("%s does not answer\n%s", n.Name, n.Said())
	}
	return ""
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

// freeAddress returns an address of this machine where nobody listens.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // it was only to learn a free port
	return l.Addr().String()
}
