package beam

import (
	"testing"

	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
)

func TestAddressesAreWrittenAsPeopleDo(t *testing.T) {
	tuple := func(port int64, parts ...int64) etf.Term {
		ip := etf.Tuple{}
		for _, p := range parts {
			ip = append(ip, p)
		}
		return etf.Tuple{ip, port}
	}
	for _, tt := range []struct {
		name string
		term etf.Term
		want string
	}{
		{"IPv4", tuple(80, 10, 0, 0, 7), "10.0.0.7:80"},
		{"IPv6", tuple(443, 0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), "[2001:db8::1]:443"},
		{"a socket that is a file", etf.Atom("local"), "local"},
		{"none", etf.Atom("undefined"), ""},
		{"a part that is too large", tuple(80, 10, 0, 0, 256), ""},
		{"a part below zero", tuple(80, 10, 0, 0, -1), ""},
		{"too few parts", tuple(80, 10, 0, 0), ""},
		{"a port that is too large", tuple(65536, 10, 0, 0, 7), ""},
		{"no tuple", etf.List{int64(1)}, ""},
		{"nothing", nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := address(tt.term); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
	p := Port{Name: "tcp_inet"}
	if p.RemoteAddr() != "not_connected" || p.LocalAddr() != "unknown" || p.Type() != "tcp" || !p.IsInet() {
		t.Errorf("a socket without addresses is %s to %s", p.LocalAddr(), p.RemoteAddr())
	}
}

func TestIDsOfChildrenAreWrittenAsTheirLanguageDoes(t *testing.T) {
	for want, id := range map[string]etf.Term{
		"shop_cart":          etf.Atom("shop_cart"),
		"Shop.Cart":          etf.Atom("Elixir.Shop.Cart"),
		"{worker,3}":         etf.Tuple{etf.Atom("worker"), int64(3)},
		"{Shop.Cart,{eu,1}}": etf.Tuple{etf.Atom("Elixir.Shop.Cart"), etf.Tuple{etf.Atom("eu"), int64(1)}},
		"17":                 int64(17),
		"undefined":          etf.Atom("undefined"),
		"<0.7.0>":            []byte("<0.7.0>"),
		"_":                  etf.List{etf.List{}},
	} {
		if got := ChildID(id); got != want {
			t.Errorf("%v is %q, want %q", id, got, want)
		}
	}
}

func TestAnOrphanIsOfItsNearestAncestorThatDied(t *testing.T) {
	for want, dead := range map[string][]etf.Term{
		"":          nil,
		"shop_boss": {etf.Atom("shop_boss"), []byte("<0.7.0>")},
		"Shop.Boss": {etf.Atom("Elixir.Shop.Boss")},
		"<0.7.0>":   {[]byte("<0.7.0>")},
	} {
		if o := (&Orphan{Dead: dead}); o.By() != want {
			t.Errorf("%v is left by %q, want %q", dead, o.By(), want)
		}
	}
}
