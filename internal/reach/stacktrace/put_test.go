package stacktrace_test

import (
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/internal/reach/stacktrace"
)

func TestTracesThatOthersPutTogetherAreGroupedAndBounded(t *testing.T) {
	c := stacktrace.NewKeeping(3)
	for i := range 5 {
		frames := make([]stacktrace.Frame, 100)
		frames[0] = stacktrace.Frame{Function: "gen_server:call/3"}
		for f := range frames[1:] {
			frames[f+1] = stacktrace.Frame{Function: "shop_cart:price/1", Line: i}
		}
		c.Put(stacktrace.Trace{Time: noon, Language: stacktrace.Erlang, Kind: "error", Type: "badmatch", Message: strings.Repeat("x", 5000), Frames: frames, Level: "error", Under: "sup"})
	}
	got := c.Traces(10, func(*stacktrace.Trace) bool { return true })
	if len(got) != 3 || !got[0].Cut || len(got[0].Frames) > 50 || len(got[0].Message) > 1000 || got[0].ID == got[1].ID || got[0].Top().Function != "shop_cart:price/1" {
		t.Errorf("%d traces, the newest %+v", len(got), got[0])
	}
	groups := c.Groups(noon)
	if len(groups) != 1 || groups[0].Total != 5 || groups[0].Recent != 5 || groups[0].Level != "error" || groups[0].Under != "sup" || groups[0].Where.Function != "shop_cart:price/1" {
		t.Errorf("%+v", groups)
	}
}

func TestATraceIsReadFromTheTextThatBeginsWithIt(t *testing.T) {
	got, ok := stacktrace.Parse("** (KeyError) key :a not found\n    (shop 0.1.0) lib/cart.ex:7: Shop.Cart.price/1\n    lib/web.ex:9: Shop.Web.get(:a, %{b: {1, 2}, c: \"x, y)\"})\nState: 7")
	if !ok || got.Type != "KeyError" || len(got.Frames) != 2 || got.Frames[0].Function != "Shop.Cart.price/1" || got.Frames[1].Function != "Shop.Web.get/2" {
		t.Errorf("%+v, %v", got, ok)
	}
	if _, ok := stacktrace.Parse("nothing of that kind\nat all"); ok {
		t.Error("a text without a trace has one")
	}
}
