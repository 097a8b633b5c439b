package beam

import (
	"testing"

	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
)

func atomKeyed(key etf.Atom, values ...etf.Term) etf.Tuple {
	return append(etf.Tuple{key}, values...)
}

func numbers(key etf.Atom, ns ...int64) etf.Tuple {
	t := etf.Tuple{key}
	for _, n := range ns {
		t = append(t, n)
	}
	return t
}

func TestWhatAnAllocatorHoldsIsAddedUpOverItsInstances(t *testing.T) {
	since23 := etf.List{
		atomKeyed("mbcs", etf.List{
			atomKeyed("blocks", etf.List{atomKeyed("binary_alloc", etf.List{numbers("count", 3, 5, 5), numbers("size", 300, 500, 500)})}),
			numbers("carriers", 2, 2, 2), numbers("mseg_alloc_carriers", 1), numbers("sys_alloc_carriers", 1), numbers("carriers_size", 1000, 1000, 1000),
		}),
		atomKeyed("mbcs_pool", etf.List{ // blocks of another allocator's carrier
			atomKeyed("blocks", etf.List{atomKeyed("eheap_alloc", etf.List{numbers("count", 1), numbers("size", 50)}), atomKeyed("binary_alloc", etf.List{numbers("count", 1), numbers("size", 50)})}),
			numbers("carriers", 1), numbers("carriers_size", 500),
		}),
		atomKeyed("sbcs", etf.List{
			atomKeyed("blocks", etf.List{atomKeyed("binary_alloc", etf.List{numbers("count", 1, 1, 1), numbers("size", 480, 480, 480)})}),
			numbers("carriers", 1, 1, 1), numbers("mseg_alloc_carriers", 1), numbers("sys_alloc_carriers", 0), numbers("carriers_size", 500, 500, 500),
		}),
	}
	before23 := etf.List{
		atomKeyed("mbcs", etf.List{numbers("blocks", 5, 9, 9), numbers("blocks_size", 400, 500, 500), numbers("carriers", 3, 3, 3), numbers("mseg_alloc_carriers", 1), numbers("sys_alloc_carriers", 1), numbers("carriers_size", 1500, 1500, 1500)}),
		atomKeyed("sbcs", etf.List{numbers("blocks", 1, 1, 1), numbers("blocks_size", 480, 480, 480), numbers("carriers", 1, 1, 1), numbers("mseg_alloc_carriers", 1), numbers("carriers_size", 500, 500, 500)}),
	}
	want := Allocator{Name: "binary_alloc", Carriers: 4, CarrierBytes: 2000, Blocks: 6, BlockBytes: 880, MultiBytes: 1500, MultiBlockBytes: 400, Mseg: 2, Sys: 1}
	for name, parts := range map[string]etf.List{"since OTP 23": since23, "before OTP 23": before23} {
		got, ok := readAllocator([2]etf.Term{etf.Atom("binary_alloc"), parts})
		if !ok || got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
		if got.Usage() != 0.44 || got.Unused() != 1120 {
			t.Errorf("%s: %g of it is used, %d bytes are not", name, got.Usage(), got.Unused())
		}
	}
	if (&Allocator{}).Usage() != 1 {
		t.Error("an allocator without carriers is fragmented")
	}
}

func TestWhatIsNoAllocatorIsLeftOut(t *testing.T) {
	for _, pair := range [][2]etf.Term{
		{etf.Atom("binary_alloc"), etf.List{}}, {int64(1), etf.List{int64(1)}}, {etf.Atom("binary_alloc"), etf.Atom("false")},
	} {
		if a, ok := readAllocator(pair); ok {
			t.Errorf("%v is %+v", pair, a)
		}
	}
	a, ok := readAllocator([2]etf.Term{etf.Atom("x"), etf.List{int64(7), etf.Tuple{}, atomKeyed("mbcs", int64(1)), atomKeyed("mbcs", etf.List{int64(1), atomKeyed("blocks", etf.List{int64(1)})})}})
	if !ok || a != (Allocator{Name: "x"}) {
		t.Errorf("of parts that nobody knows it is %+v", a)
	}
}
