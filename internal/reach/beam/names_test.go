package beam

import (
	"testing"

	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
)

func TestFunctionsAreWrittenAsTheirLanguageDoes(t *testing.T) {
	for _, tt := range []struct {
		module, function etf.Atom
		arity            int
		want             string
	}{
		{"shop_cart", "get", 2, "shop_cart:get/2"},
		{"Elixir.Shop.Cart", "get", 2, "Shop.Cart.get/2"},
		{"Elixir.Shop.Cart", "empty?", 1, "Shop.Cart.empty?/1"},
		{"shop_cart", "-get/2-fun-0-", 1, "fun in shop_cart:get/2"},
		{"Elixir.Shop.Cart", "-get/2-fun-13-", 0, "fun in Shop.Cart.get/2"},
		{"shop_cart", "-get/2-lc$^0/1-0-", 1, "fun in shop_cart:get/2"},
		{"shop_cart", "-inlined-get/2-", 2, "shop_cart:-inlined-get/2-/2"},
		{"shop_cart", "-get/99999999999999999999-fun-0-", 1, "fun in shop_cart:get/9223372036854775807"},
		{"", "", 0, ":/0"},
	} {
		if got := Function(tt.module, tt.function, tt.arity); got != tt.want {
			t.Errorf("%s %s %d: got %q, want %q", tt.module, tt.function, tt.arity, got, tt.want)
		}
	}
}

func TestLabelsOfProcesses(t *testing.T) {
	for _, tt := range []struct {
		term etf.Term
		want string
	}{
		{etf.Atom("till"), "till"},
		{etf.Atom("Elixir.Shop.Till"), "Shop.Till"},
		{etf.Atom("undefined"), ""},
		{etf.List{}, ""},
		{nil, ""},
		{[]byte("worker 7"), "worker 7"},
		{etf.List{int64('h'), int64('i')}, "hi"},
		{etf.Tuple{etf.Atom("shop"), etf.Atom("init"), int64(1)}, "shop:init/1"},
		{etf.Tuple{etf.Atom("shop"), etf.Atom("init"), etf.List{}}, ""},
		{etf.Tuple{etf.Atom("shop"), int64(1)}, ""},
		{etf.Pid{ID: 7}, "<0.7.0>"},
		{int64(7), ""},
	} {
		if got := Label(tt.term); got != tt.want {
			t.Errorf("%v: got %q, want %q", tt.term, got, tt.want)
		}
	}
}

func mfa(m, f etf.Atom, arity int64) *MFA { return &MFA{m, f, arity} }

func TestAProcessIsNamedByWhatTellsMost(t *testing.T) {
	p := Process{Registered: etf.List{}, Label: etf.Atom("undefined"), Initial: mfa("erlang", "apply", 2)}
	for _, tt := range []struct {
		change       func()
		name, origin string
	}{
		{func() {}, "erlang:apply/2", "erlang:apply/2"},
		{func() { p.Stack = []MFA{*mfa("timer", "sleep", 1), *mfa("gen_server", "loop", 7)} }, "erlang:apply/2", "erlang:apply/2"},
		{func() { p.Stack = []MFA{*mfa("timer", "sleep", 1), *mfa("shop", "-sell/1-fun-0-", 0)} }, "fun in shop:sell/1", "fun in shop:sell/1"},
		{func() { p.Started = mfa("Elixir.Shop.Cart", "init", 1) }, "Shop.Cart.init/1", "Shop.Cart.init/1"},
		{func() { p.Label = []byte("cart of somebody") }, "cart of somebody", "Shop.Cart.init/1"},
		{func() { p.Registered = etf.Atom("Elixir.Shop.Till") }, "Shop.Till", "Shop.Cart.init/1"},
	} {
		tt.change()
		if p.Name() != tt.name || p.Origin() != tt.origin {
			t.Errorf("got %q and %q, want %q and %q", p.Name(), p.Origin(), tt.name, tt.origin)
		}
	}
	if got := (&Process{}).Name(); got != "" {
		t.Errorf("of which nothing is known it is %q", got)
	}
}

func TestWhereAProcessSitsNamesTheApplicationsFunction(t *testing.T) {
	for _, tt := range []struct {
		current *MFA
		stack   []MFA
		want    string
	}{
		{nil, nil, ""},
		{mfa("shop", "wait", 0), nil, "shop:wait/0"},
		{mfa("shop", "wait", 0), []MFA{*mfa("shop", "wait", 0), *mfa("shop", "loop", 1)}, "shop:wait/0"},
		{mfa("gen", "do_call", 4), []MFA{*mfa("gen", "do_call", 4), *mfa("gen_server", "call", 3), *mfa("Elixir.Shop.Cart", "get", 2)}, "gen:do_call/4, called by Shop.Cart.get/2"},
		{mfa("prim_inet", "recv0", 3), []MFA{*mfa("prim_inet", "recv0", 3), *mfa("shop_tcp", "read", 1)}, "prim_inet:recv0/3, called by shop_tcp:read/1"},
		{mfa("gen_server", "loop", 7), []MFA{*mfa("gen_server", "loop", 7), *mfa("proc_lib", "init_p_do_apply", 3)}, "gen_server:loop/7"},
	} {
		if got := (&Process{Current: tt.current, Stack: tt.stack}).Sits(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestOriginsAreScaledToAllProcesses(t *testing.T) {
	o := Origins{Processes: 4000, Seen: 1000, Groups: []Group{{
		Initial: mfa("proc_lib", "init_p", 5), Count: 800, Looked: 200,
		Told: []kind{
			{etf.Tuple{etf.Atom("shop"), etf.Atom("init"), int64(1)}, int64(150), etf.Pid{ID: 9}, etf.Atom("shop_sup")},
			{etf.Atom("undefined"), int64(50), etf.Pid{ID: 8}, etf.Atom("undefined")},
		},
	}, {Initial: mfa("shop", "spin", 0), Count: 200}}}
	list := o.List()
	if len(list) != 2 || list[0] != (Origin{"shop:init/1", 2400, etf.Pid{ID: 9}, "shop_sup"}) || list[1] != (Origin{"proc_lib:init_p/5", 800, etf.Pid{ID: 8}, ""}) {
		t.Errorf("got %+v", list)
	}
}
