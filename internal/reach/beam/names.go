package beam

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
)

// Module writes a module as its own language does: Shop.Cart, shop_cart.
func Module(m etf.Atom) string { return strings.TrimPrefix(string(m), "Elixir.") }

// compiled is a function that the compiler made of another: -get/2-fun-0-.
var compiled = regexp.MustCompile(`^-(.+?)/(\d+)-.+-$`)

// Function writes a function as its own language does: Shop.Cart.get/2 of Elixir,
// shop_cart:get/2 of Erlang. What the compiler made of a function without a name says
// where that stands: fun in shop_cart:get/2.
func Function(m, f etf.Atom, arity int) string {
	prefix, name := "", string(f)
	if of := compiled.FindStringSubmatch(name); of != nil {
		prefix, name = "fun in ", of[1]
		arity, _ = strconv.Atoi(of[2]) // an overlong number is no arity: 0 says as much
	}
	dot := ":"
	if elixir, is := strings.CutPrefix(string(m), "Elixir."); is {
		m, dot = etf.Atom(elixir), "."
	}
	return fmt.Sprintf("%s%s%s%s/%d", prefix, m, dot, name, arity)
}

// Label writes what names a process: a registered name, a label, or an initial call
// {Module, Function, Arity}. It is empty for what names none: undefined, an empty list.
func Label(t etf.Term) string {
	if f, ok := t.(etf.Tuple); ok && len(f) == 3 {
		m, ok := f[0].(etf.Atom)
		name, ok2 := f[1].(etf.Atom)
		arity, ok3 := f[2].(int64)
		if ok && ok2 && ok3 {
			return Function(m, name, int(arity))
		}
	}
	if p, ok := t.(etf.Pid); ok {
		return p.String()
	}
	s, ok := etf.Text(t)
	if !ok || s == "undefined" || s == "nil" {
		return ""
	}
	return Module(etf.Atom(s))
}

// An MFA is a function: module, name and arity.
type MFA [3]etf.Term

// String writes it as its own language does; empty for nil.
func (f *MFA) String() string {
	if f == nil {
		return ""
	}
	return Label(etf.Tuple(f[:]))
}

// library says whether it is of the libraries that come with Erlang or Elixir and
// only carry what others wrote.
func (f *MFA) library() bool {
	m, _ := f[0].(etf.Atom)
	return slices.Contains(carriers, m) || strings.HasPrefix(string(m), "prim_")
}

var carriers = []etf.Atom{
	"erlang", "erts_internal", "erl_eval", "init", "gen", "gen_server", "gen_statem", "gen_event", "gen_fsm", "proc_lib", "supervisor", "sys",
	"lists", "maps", "timer", "io", "io_lib", "file", "ets", "dets", "mnesia", "global", "rpc", "erpc", "gen_tcp", "gen_udp", "inet", "inet_tcp",
	"ssl", "tls_socket", "ssl_gen_statem", "httpc", "logger", "logger_backend", "binary", "string", "re", "crypto",
	"Elixir.GenServer", "Elixir.Agent", "Elixir.Agent.Server", "Elixir.Task", "Elixir.Task.Supervised", "Elixir.Supervisor", "Elixir.DynamicSupervisor",
	"Elixir.Registry", "Elixir.Process", "Elixir.Enum", "Elixir.Stream", "Elixir.Stream.Reducers", "Elixir.Enumerable.List", "Elixir.IO", "Elixir.Logger",
}
