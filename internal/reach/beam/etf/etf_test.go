package etf_test

import (
	"bytes"
	"encoding/hex"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
)

func bigInt(s string) *big.Int {
	v, _ := new(big.Int).SetString(s, 10)
	return v
}

var equal = cmp.Options{cmp.Comparer(func(a, b *big.Int) bool { return a.Cmp(b) == 0 }), cmpopts.IgnoreUnexported(etf.Fun{})}

// What term_to_binary of OTP 25 writes.
func TestTermsThatANodeWroteAreRead(t *testing.T) {
	for name, tt := range map[string]struct {
		hex  string
		want etf.Term
	}{
		"small integer":     {"8361ff", int64(255)},
		"negative integer":  {"8362ffffffff", int64(-1)},
		"bignum":            {"836e0800000000000000008000", nil},
		"2^63":              {"836e08000000000000000080", bigInt("9223372036854775808")},
		"float":             {"8346400921fb54442d18", math.Pi},
		"atom":              {"8377026f6b", etf.Atom("ok")},
		"atom of latin1":    {"8364000161", etf.Atom("a")},
		"small latin1":      {"837301fc", etf.Atom("ü")},
		"atom of utf8":      {"837702c3bc", etf.Atom("ü")},
		"binary":            {"836d00000003616263", []byte("abc")},
		"empty list":        {"836a", etf.List{}},
		"string":            {"836b00026869", etf.List{int64('h'), int64('i')}},
		"list":              {"836c000000017703" + "66" + "6f6f" + "6a", etf.List{etf.Atom("foo")}},
		"improper list":     {"836c00000001610161" + "02", etf.Improper{Elems: []etf.Term{int64(1)}, Tail: int64(2)}},
		"tuple":             {"836802610" + "16102", etf.Tuple{int64(1), int64(2)}},
		"map":               {"837400000001770161" + "6101", etf.Map{{Key: etf.Atom("a"), Value: int64(1)}}},
		"bit string":        {"834d00000001" + "03" + "a0", etf.BitString{Bytes: []byte{0xa0}, Bits: 3}},
		"pid":               {"835877016e" + "0000005a" + "00000000" + "00000007", etf.Pid{Node: "n", ID: 90, Creation: 7}},
		"port":              {"837877016e" + "0000000000000006" + "00000007", etf.Port{Node: "n", ID: 6, Creation: 7}},
		"reference":         {"835a000277016e" + "00000007" + "00000001" + "00000002", etf.Ref{Node: "n", Creation: 7, Len: 2, ID: [5]uint32{1, 2}}},
		"fun of a module":   {"837177056c697374737703" + "6d6170" + "6102", etf.Export{Module: "lists", Function: "map", Arity: 2}},
		"float of old":      {"8363" + hex.EncodeToString([]byte("1.50000000000000000000e+00\x00\x00\x00\x00\x00")), 1.5},
		"pid of old":        {"836777016e" + "0000005a" + "00000000" + "03", etf.Pid{Node: "n", ID: 90, Creation: 3}},
		"port of old":       {"836677016e" + "00000006" + "03", etf.Port{Node: "n", ID: 6, Creation: 3}},
		"reference of old":  {"8372000177016e" + "03" + "00000001", etf.Ref{Node: "n", Creation: 3, Len: 1, ID: [5]uint32{1}}},
		"zero of big digit": {"836e0000", int64(0)},
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := hex.DecodeString(tt.hex)
			if err != nil {
				t.Fatal(err)
			}
			got, rest, err := etf.Decode(append(raw, 1, 2))
			if tt.want == nil { // 9 bytes were announced as 8
				if !bytes.Equal(rest, []byte{0, 1, 2}) {
					t.Errorf("rest %v", rest)
				}
				return
			}
			if err != nil || !bytes.Equal(rest, []byte{1, 2}) {
				t.Fatalf("%v, rest %v", err, rest)
			}
			if diff := cmp.Diff(tt.want, got, equal); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatIsNoTermIsRefused(t *testing.T) {
	deep := append([]byte{131}, bytes.Repeat([]byte{104, 1}, 600)...)
	for name, tt := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":                 {nil, "must begin with 131"},
		"another version":         {[]byte{130, 97, 1}, "must begin with 131"},
		"unknown tag":             {[]byte{131, 1}, "the tag 1 is unknown"},
		"compressed":              {[]byte{131, 80, 0, 0, 0, 1}, "the tag 80 is unknown"},
		"cut integer":             {[]byte{131, 98, 0}, "ends too early"},
		"list of four billion":    {[]byte{131, 108, 255, 255, 255, 255, 106}, "ends too early"},
		"binary of four billion":  {[]byte{131, 109, 255, 255, 255, 255}, "ends too early"},
		"map of four billion":     {[]byte{131, 116, 255, 255, 255, 255}, "ends too early"},
		"integer of many bytes":   {append([]byte{131, 111, 0, 2, 0, 0, 0}, make([]byte, 1<<17)...), "65536 is the most"},
		"too deep":                {deep, "in each other"},
		"infinite float":          {[]byte{131, 70, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0}, "no finite number"},
		"reference of nine words": {[]byte{131, 90, 0, 9, 119, 1, 'n', 0, 0, 0, 1}, "reference of 9 words"},
		"bits beyond a byte":      {[]byte{131, 77, 0, 0, 0, 1, 9, 0}, "9 bits"},
		"fun that ends":           {[]byte{131, 112, 0, 0, 0, 1}, "ends too early"},
		"node that is no atom":    {[]byte{131, 88, 97, 1}, "an atom was due"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := etf.Decode(tt.data); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestWhatIsWrittenIsReadAlike(t *testing.T) {
	for _, v := range []etf.Term{
		int64(0), int64(-129), int64(math.MaxInt32), int64(math.MinInt32) - 1, int64(math.MaxInt64), int64(math.MinInt64), bigInt("-123456789012345678901234567890"),
		1.5, math.Copysign(0, -1), etf.Atom(""), etf.Atom(strings.Repeat("ü", 255)), []byte{}, []byte("text"), etf.List{}, etf.List{int64(1), etf.List{}},
		etf.Improper{Elems: []etf.Term{int64(1)}, Tail: etf.Atom("t")}, make300(), etf.Map{}, etf.BitString{Bytes: []byte{1, 128}, Bits: 1},
		etf.Pid{Node: "a@b", ID: 1, Serial: 2, Creation: 3}, etf.Port{Node: "a@b", ID: 1 << 40, Creation: 3}, etf.Export{Module: "m", Function: "f", Arity: 255},
	} {
		b, err := etf.Append(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		got, rest, err := etf.Decode(b)
		if err != nil || len(rest) > 0 {
			t.Fatalf("%v: %v, rest %v", v, err, rest)
		}
		if diff := cmp.Diff(v, got, equal); diff != "" {
			t.Error(diff)
		}
	}
	for _, v := range []etf.Term{nil, struct{}{}, etf.Atom(strings.Repeat("a", 256)), etf.List{nil}, etf.Map{{Key: int64(1)}}} {
		if b, err := etf.Append(nil, v); err == nil {
			t.Errorf("%v was written as %v", v, b)
		}
	}
}

// make300 is a tuple too large for the small tag.
func make300() etf.Tuple {
	out := make(etf.Tuple, 300)
	for i := range out {
		out[i] = int64(i)
	}
	return out
}

func TestUnmarshal(t *testing.T) {
	type inner struct {
		Pid  etf.Pid `erl:"pid"`
		Name string  `erl:"name"`
	}
	type all struct {
		Count  int            `erl:"count"`
		Big    uint64         `erl:"big"`
		Share  float64        `erl:"share"`
		On     bool           `erl:"on"`
		Atom   etf.Atom       `erl:"atom"`
		Text   string         `erl:"text"`
		Chars  string         `erl:"chars"`
		Maybe  *string        `erl:"maybe"`
		None   *string        `erl:"none"`
		List   []inner        `erl:"list"`
		Pair   [2]int         `erl:"pair"`
		By     map[string]int `erl:"by"`
		Term   etf.Term       `erl:"term"`
		Left   int            `erl:"left"`
		Silent int
	}
	a := func(name string) etf.Atom { return etf.Atom(name) }
	pid := etf.Pid{Node: "n", ID: 4}
	in := etf.Map{
		{Key: a("count"), Value: int64(3)}, {Key: a("big"), Value: bigInt("18446744073709551615")}, {Key: a("share"), Value: int64(2)}, {Key: a("on"), Value: a("true")},
		{Key: a("atom"), Value: a("x")}, {Key: a("text"), Value: []byte("t")}, {Key: a("chars"), Value: etf.List{int64('h')}}, {Key: a("maybe"), Value: []byte("m")},
		{Key: a("none"), Value: a("undefined")}, {Key: a("list"), Value: etf.List{etf.Map{{Key: a("pid"), Value: pid}, {Key: a("name"), Value: a("nm")}}}},
		{Key: a("pair"), Value: etf.Tuple{int64(1), int64(2)}}, {Key: a("by"), Value: etf.Map{{Key: a("k"), Value: int64(5)}, {Key: int64(7), Value: int64(6)}}},
		{Key: a("term"), Value: etf.Tuple{}}, {Key: a("unknown"), Value: int64(9)},
	}
	m := "m"
	want := all{
		Count: 3, Big: math.MaxUint64, Share: 2, On: true, Atom: "x", Text: "t", Chars: "h", Maybe: &m, List: []inner{{pid, "nm"}},
		Pair: [2]int{1, 2}, By: map[string]int{"k": 5, "7": 6}, Term: etf.Tuple{},
	}
	var got all
	if err := etf.Unmarshal(in, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, tt := range []struct {
		in   etf.Term
		want string
	}{
		{etf.Map{{Key: a("count"), Value: []byte("secret")}}, "count: a []uint8 does not fit a int"},
		{etf.Map{{Key: a("list"), Value: etf.List{int64(1)}}}, "list[0]: 1 does not fit a"},
		{etf.Map{{Key: a("pair"), Value: etf.Tuple{int64(1)}}}, "pair: a tuple of 1 does not fit a [2]int"},
		{etf.List{}, "does not fit a etf_test.all"},
	} {
		if err := etf.Unmarshal(tt.in, &got); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("got %v, want %q", err, tt.want)
		}
	}
}

func TestParsePid(t *testing.T) {
	want := etf.Pid{Node: "n", ID: 12, Serial: 3, Creation: 9}
	for _, s := range []string{"<0.12.3>", "#PID<0.12.3>", "0.12.3"} {
		if got, err := etf.ParsePid(s, "n", 9); err != nil || got != want {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "<1.12.3>", "<0.12>", "<0.x.3>", "<0.99999999999.0>", "<0.1.2.3>"} {
		if got, err := etf.ParsePid(s, "n", 9); err == nil {
			t.Errorf("%q is taken for %v", s, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{"8361ff", "836c00000001610161" + "02", "835a000277016e000000070000000100000002", "837400000001770161" + "6101", "8370000000160000000000000000000000000000000000000000000000"} {
		b, err := hex.DecodeString(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, rest, err := etf.Decode(data)
		if err != nil {
			return
		}
		if len(rest) > len(data) {
			t.Fatal("more is left than there was")
		}
		b, err := etf.Append(nil, v)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, _, err := etf.Decode(b)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		c, err := etf.Append(nil, again)
		if err != nil || !bytes.Equal(b, c) {
			t.Fatalf("it is not written alike twice: %v", err)
		}
	})
}
