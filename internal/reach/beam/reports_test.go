package beam

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/reach/logs"
)

// held stands in the texts for what a program had at hand.
const heldState = `#{s => "` + secret + `",token => <<"` + secret + `">>}`

const heldElixir = `%{s: "` + secret + `", list: [1, "` + secret + `"], pid: #PID<0.1.0>}`

// What the node's formatter writes of reports, and what is kept of them.
func TestOfAReportOnlyNamesAreKept(t *testing.T) {
	t.Parallel()
	frames := `[{shop_cart,price,[a,` + heldState + `],[{file,"shop_cart.erl"},{line,7}]},
      {gen_server,try_handle_call,4,[{file,"gen_server.erl"},{line,1149}]}]`
	for _, tt := range []struct{ name, domain, text, want string }{
		{
			"a server of Erlang", "[otp]",
			"    client_info: {<0.9.0>,{<0.9.0>,[{web,get,[" + heldState + "],[]}]}}\n    label: {gen_server,terminate}\n    last_message: {m," + heldState + "}\n    log: []\n    name: shop_cart\n    reason: {{badmatch," + heldState + "},\n             " + frames + "}\n    state: " + heldState,
			"gen_server shop_cart ended by error badmatch in shop_cart:price/2",
		},
		{
			"a server that waited in vain", "[otp]",
			"    label: {gen_server,terminate}\n    last_message: x\n    name: {local,shop_cart}\n    reason: {{timeout,{gen_server,call,[db_pool,{get," + heldState + "},50]}},\n             " + frames + "}\n    state: " + heldState,
			"gen_server shop_cart ended by exit timeout: in a call of db_pool in shop_cart:price/2",
		},
		{
			"a server whose callee had an error", "[otp]",
			"    label: {gen_server,terminate}\n    name: web\n    reason: {{{badmatch,{error,econnrefused}},[{db,get,1,[]}]},{gen_server,call,[db_pool,x]}}\n    state: x",
			"gen_server web ended by exit badmatch: {error,econnrefused}, in a call of db_pool",
		},
		{
			"a state machine", "[otp]",
			"    label: {gen_statem,terminate}\n    modules: [st]\n    name: door\n    queue: [{x," + heldState + "}]\n    reason: {exit,{bad_door," + heldState + "},\n                  " + frames + "}\n    state: {locked," + heldState + "}",
			"gen_statem door ended by exit bad_door in shop_cart:price/2",
		},
		{
			"a handler of events", "[otp]",
			"    handler: ev\n    label: {gen_event,terminate}\n    last_message: " + heldState + "\n    name: bus\n    reason: {'EXIT',{{badmatch," + heldState + "},\n                     " + frames + "}}\n    state: " + heldState,
			"gen_event bus ended by error badmatch in shop_cart:price/2",
		},
		{
			"proc_lib", "[otp,sasl]",
			"    label: {proc_lib,crash}\n    report: [[{initial_call,{shop_cart,init,['Argument__1']}},\n              {pid,<0.95.0>},\n              {registered_name,[]},\n              {error_info,{throw,{oops," + heldState + "},\n                   " + frames + "}},\n              {dictionary,[{x," + heldState + "}]}],\n             []]",
			"process shop_cart:init/1 ended by throw oops in shop_cart:price/2",
		},
		{
			"a supervisor whose child does not start", "[otp,sasl]",
			"    label: {supervisor,start_error}\n    report: [{supervisor,{local,sp}},\n             {errorContext,start_error},\n             {reason,{no_luck," + heldState + "}},\n             {offender,[{pid,undefined},{id,kid},{mfargs,{sp,bad,[" + heldState + "]}}]}]",
			"child kid ended by exit no_luck: start_error, under sp",
		},
		{
			"a supervisor that gives up", "[otp,sasl]",
			"    label: {supervisor,shutdown}\n    report: [{supervisor,{local,sp}},\n             {errorContext,shutdown},\n             {reason,reached_max_restart_intensity},\n             {offender,[{pid,<0.1.0>},{id,kid},{mfargs,{sp,bad,[" + heldState + "]}}]}]",
			"supervisor sp ended by message reached_max_restart_intensity: it gave up, its last child was kid",
		},
		{
			"a task of Elixir", "[otp,elixir]",
			"    label: {'Elixir.Task.Supervisor',terminating}\n    report: #{args => [" + heldState + "],function => fun 'Elixir.Shop.Cart':t/1,\n              name => <0.125.0>,\n              reason =>\n                  {#{'__exception__' => true,'__struct__' => 'Elixir.KeyError',\n                     key => a,message => nil,term => " + heldState + "},\n                   [{'Elixir.Shop.Cart',t,1,[{file,\"e.exs\"},{line,19}]}]},\n              starter => <0.103.0>}",
			"task <0.125.0> ended by error KeyError: key a not found in Shop.Cart.t/1",
		},
		{
			"a message that nobody handles", "[otp]",
			"    label: {gen_server,no_handle_info}\n    message: {msg," + heldState + "}\n    module: 'Elixir.Shop.Cart'",
			"gen_server <0.7.0> got a message for which Shop.Cart has no clause of handle_info",
		},
		{
			"a process that nobody watches over", "",
			"Error in process <0.100.0> with name 'Elixir.Shop' on node 'x@127.0.0.1' with exit value:\n{{case_clause," + heldState + "},\n " + frames + "}\n",
			"process Shop ended by error case_clause in shop_cart:price/2",
		},
		{
			"a report of a kind that is not known", "[otp]",
			"    label: {some_server,surprise}\n    what: " + heldState,
			"some_server says surprise",
		},
		{
			"an old kind of message", "",
			"    args: [old,\n           {m," + heldState + "},\n           " + heldState + ",\n           {badarg,[{old,f,[" + heldState + "],[]}]}]\n    format: ** Generic server ~p terminating~n** Last message in was ~p~n** When Server state == ~p~n** Reason for termination == ~n** ~p~n\n    label: {error_logger,error_msg}",
			"** Generic server old terminating …: an exception was logged by <0.7.0>: error badarg in old:f/1",
		},
		{
			"an old kind of report", "",
			"    label: {error_logger,error_report}\n    report: [{type,my},{state," + heldState + "},\n             {reason,{badmatch," + heldState + "}}]",
			"report, type my, state …, reason {badmatch,…}",
		},
		{
			"a server for the web that logs a stack", "",
			"Ranch listener http, connection process <0.9.0>, stream 1 had its request process <0.9.0> exit with reason {badmatch," + heldState + "} and stacktrace " + frames,
			"Ranch listener http, connection process <0.9.0>, stream 1 had its request process <0.9.0> exit with reason {badmatch,…} and stacktrace: an exception was logged by <0.7.0>: exit badmatch in shop_cart:price/2",
		},
		{
			"a report of the program's own with a stack", "[shop]",
			"    msg: boo\n    reason: {{badmatch," + heldState + "},\n             " + frames + "}",
			"msg: boo …: an exception was logged by <0.7.0>: error badmatch in shop_cart:price/2",
		},
		{
			"a report of the program's own", "[shop]",
			"    order: 7\n    state: " + heldState + "\n    what: sold",
			"order: 7, state: …, what: sold",
		},
		{
			"Elixir's words for a server", "[otp]",
			"GenServer Shop.Cart terminating\n** (KeyError) key :nope not found in: " + heldElixir + "\n    cart.ex:3: Shop.Cart.price(:x, " + heldElixir + ")\n    (stdlib 4.2) gen_server.erl:1149: :gen_server.try_handle_call/4\nLast message (from #PID<0.103.0>): {:m, " + heldElixir + "}\nState: " + heldElixir + "\nClient #PID<0.103.0> is alive\n\n    web.ex:9: Shop.Web.index(" + heldElixir + ")",
			"gen_server Shop.Cart ended by error KeyError: key :nope not found in: … in Shop.Cart.price/2",
		},
		{
			"Elixir's words for a call that was not answered", "[otp]",
			"GenServer #PID<0.12.0> terminating\n** (stop) exited in: GenServer.call(Shop.Db, {:get, " + heldElixir + "}, 5000)\n    ** (EXIT) time out\n    (elixir 1.15.7) lib/gen_server.ex:1074: GenServer.call/3\n    (shop 0.1.0) lib/cart.ex:12: Shop.Cart.load/1\nLast message: :load\nState: " + heldElixir,
			"gen_server <0.12.0> ended by exit timeout: in a call of Shop.Db in Shop.Cart.load/1",
		},
		{
			"Elixir's words for the child of a supervisor", "[otp,sasl]",
			"Child Shop.Cart of Supervisor Shop.Supervisor terminated\n** (exit) an exception was raised:\n    ** (MatchError) no match of right hand side value: " + heldElixir + "\n        (shop 0.1.0) lib/cart.ex:12: Shop.Cart.handle_call/3\nPid: #PID<0.44.0>\nStart Call: Shop.Cart.start_link(" + heldElixir + ")",
			"child Shop.Cart ended by exit MatchError: no match of right hand side value: … in Shop.Cart.handle_call/3, under Shop.Supervisor",
		},
		{
			"Elixir's words for a task", "[otp,elixir]",
			"Task #PID<0.125.0> started from #PID<0.103.0> terminating\n** (CaseClauseError) no case clause matching: 42\n    cart.ex:19: Shop.Cart.t/1\nFunction: &Shop.Cart.t/1\n    Args: [" + heldElixir + "]",
			"task <0.125.0> ended by error CaseClauseError: no case clause matching: … in Shop.Cart.t/1",
		},
		{
			"an exception that was caught and logged", "[elixir]",
			"** (FunctionClauseError) no function clause matching in Shop.Cart.price/2    \n    \n    The following arguments were given to Shop.Cart.price/2:\n    \n        # 1\n        " + heldElixir + "\n    \n    cart.ex:19: Shop.Cart.price/2",
			"an exception was logged by <0.7.0>: error FunctionClauseError: no function clause matching in Shop.Cart.price/2",
		},
		{"a plain line", "[elixir]", "stock of item 7 is low", "stock of item 7 is low"},
		{"a line with what follows", "[elixir]", "it ended\nState: " + heldElixir, "it ended …"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, got := understand(&record{pid: "<0.7.0>", domain: tt.domain, text: tt.text})
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
			if rep, _ := understand(&record{pid: "<0.7.0>", domain: tt.domain, text: tt.text}); rep != nil && strings.Contains(show(rep), secret) {
				t.Errorf("the secret is in %s", show(rep))
			}
		})
	}
}

func show(r *report) string {
	s := r.say() + r.process + r.pid + r.under + r.words + r.kindOf + r.says
	for _, f := range r.frames {
		s += f.Function + f.File
	}
	return s
}

func TestWordsOfAnExceptionHoldNoTerms(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"no price for item":                                                         "no price for item",
		"key :nope not found in: " + heldElixir:                                     "key :nope not found in: …",
		"no match of right hand side value: {:error, :enoent}":                      "no match of right hand side value: {error,enoent}",
		"no match of right hand side value: " + heldElixir:                          "no match of right hand side value: …",
		"no case clause matching: 4711":                                             "no case clause matching: …",
		"expected a function, got: #Function<1.2/3 in X>":                           "expected a function, got: …",
		`expected a boolean on left-side of "and", got: nil`:                        `expected a boolean on left-side of …, got: nil`,
		"protocol Enumerable not implemented for " + heldElixir + " of type Map":    "protocol Enumerable not implemented for … of type Map",
		`don't know "` + secret + `"`:                                               "don't know …",
		"bad charlist '" + secret + "'":                                             "bad charlist …",
		"bad charlist 'secret'":                                                     "bad charlist …",
		"first\nsecond " + secret:                                                   "first …",
		"connection not available and request was dropped from queue after 1203ms.": "connection not available and request was dropped from queue after 1203ms.",
		"%Shop.Card{number: 4111}":                                                  "…",
		"5 % of it":                                                                 "5 % of it",
		"unfinished %{a: \"" + secret:                                               "unfinished …",
	} {
		if got := Words(in); got != want {
			t.Errorf("Words(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestTermsAreReadAsTheyArePrinted(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"{error,timeout}":                          "{error,timeout}",
		"{error, {shutdown, 'Elixir.Shop.Cart'}}":  "{error,{shutdown,Shop.Cart}}",
		"{:error, Shop.Cart}":                      "{error,Shop.Cart}",
		"{a,\"text\",<<\"bin\">>,1,-2.5,16#ff,$a}": "{a,…,…,…,…,…}",
		"{a,b,c,d,e,f,g}":                          "{a,b,c,d,e,…}",
		"#{a => b}":                                "…",
		"[a,b]":                                    "…",
		"'Some Thing'":                             "…",
		"{'EXIT',<0.1.0>,{a,...}}":                 "{…,…,{a,…}}",
		"{a,{b,{c,{d,e}}}}":                        "{a,{b,{c,…}}}",
		"{unfinished,{term":                        "{unfinished,{term,…},…}",
		"":                                         "…",
	} {
		if p, _ := readTerm(in); p.safe() != want {
			t.Errorf("%s is %s, want %s", in, p.safe(), want)
		}
	}
}

func TestARecordIsReadAsTheFormatterWritesIt(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	r, ok := readRecord([]byte("2026-11-22T11:59:59.500000Z\vwarning\v<0.7.0>\v'Elixir.Shop.Web':say/1\v12\v[elixir]\vlow\vstock\n"), now)
	if !ok || r.level != logs.Warning || r.pid != "<0.7.0>" || r.line != 12 || r.text != "low\vstock" || !r.at.Equal(now.Add(-500*time.Millisecond)) {
		t.Errorf("%+v, %v", r, ok)
	}
	if m, f := whereOf(r.mfa); m != "Shop.Web" || f != "say/1" {
		t.Errorf("%s %s", m, f)
	}
	if r, _ := readRecord([]byte("2020-01-01T00:00:00Z\vinfo\v\v\v\v\vx"), now); !r.at.Equal(now) {
		t.Errorf("a clock of another time gives %s", r.at)
	}
	if _, ok := readRecord([]byte("something else"), now); ok {
		t.Error("what is no record was read as one")
	}
}

// Several reports of one crash are one, and those of several are several.
func TestReportsOfOneProcessAreOneCrash(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var c crashes
	own := report{what: "gen_server", pid: "<0.1.0>", process: "cart", crash: true, fault: fault{kind: KindError, kindOf: "badmatch"}}
	lib, under, other := own, own, own
	lib.what, lib.kind = "process", KindExit
	under.what, under.under, under.process = "child", "sup", "kid"
	other.pid = "<0.2.0>"
	for _, r := range []report{own, lib, other, under} {
		c.add(&r, now, "error", now)
	}
	if got := c.whole(now); len(got) != 0 {
		t.Errorf("%d are whole at once", len(got))
	}
	got := c.whole(now.Add(time.Second))
	if len(got) != 2 || got[0].process != "cart" || got[0].under != "sup" || got[0].kind != KindExit || got[1].pid != "<0.2.0>" {
		t.Errorf("%+v", got)
	}
	for i := range 200 {
		r := own
		r.pid = "<0." + strings.Repeat("1", i%30+1) + ".0>"
		r.what = []string{"gen_server", "task"}[i%2]
		c.add(&r, now, "error", now)
	}
	if c.whole(now); len(c.open) > mostOpen {
		t.Errorf("%d wait for more", len(c.open))
	}
}

func FuzzUnderstand(f *testing.F) {
	for _, s := range []string{
		"    label: {gen_server,terminate}\n    name: a\n    reason: {b,[{c,d,[e],[{file,\"f\"},{line,1}]}]}", "** (KeyError) key :a not found in: %{}\n    a.ex:1: A.b(1, %{c: 2})",
		"Error in process <0.1.0> with exit value:\n{{a,b},[{c,d,1,[]}]}", "x {{a,\"b\"},[{c,d,[\"e\"],[]}]} y", "    args: [a]\n    format: ~p ~s~n\n    label: {error_logger,error_msg}",
		"GenServer A terminating\n** (stop) exited in: GenServer.call(A, :b, 1)\n    ** (EXIT) time out", "#Fun<a.b>", "{#{a=>[<<\"x\"...>>|...]}", "%A{b: ~s(c)}",
	} {
		f.Add(s, "[otp]")
	}
	f.Fuzz(func(t *testing.T, text, domain string) {
		rep, said := understand(&record{pid: "<0.7.0>", domain: domain, text: text})
		if rep != nil && len(rep.kindOf) > 400 {
			t.Errorf("a type of %d bytes", len(rep.kindOf))
		}
		if len(said) > 3*len(text)+2000 {
			t.Errorf("%d bytes of %d", len(said), len(text))
		}
		if w := Words(text); len(w) > 400 {
			t.Errorf("words of %d bytes", len(w))
		}
	})
}
