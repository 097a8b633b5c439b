package etf

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// A Term is an Erlang term: int64, *big.Int, float64, [Atom], []byte (a binary),
// [BitString], [List], [Improper], [Tuple], [Map], [Pid], [Port], [Ref], [Export]
// or [Fun]. Append takes int, string (as a binary) and bool too.
type Term any

// An Atom is a name, as text of at most 255 characters.
type Atom string

// A Tuple is a tuple.
type Tuple []Term

// A List is a proper list; nil is the empty one. A string of Erlang is one, of
// integers.
type List []Term

// An Improper is a list whose end is no list.
type Improper struct {
	Elems []Term
	Tail  Term
}

// A Map is a map, in the order in which it was sent.
type Map []Entry

// An Entry is one of a map.
type Entry struct{ Key, Value Term }

// A BitString is a binary whose last byte has fewer than 8 bits that count, the
// uppermost ones.
type BitString struct {
	Bytes []byte
	Bits  uint8 // of the last byte, 1 to 8
}

// A Pid is a process.
type Pid struct {
	Node                 Atom
	ID, Serial, Creation uint32
}

// A Port is a port.
type Port struct {
	Node     Atom
	ID       uint64
	Creation uint32
}

// A Ref is a reference.
type Ref struct {
	Node     Atom
	Creation uint32
	Len      int // of ID
	ID       [5]uint32
}

// An Export is fun Module:Function/Arity.
type Export struct {
	Module, Function Atom
	Arity            uint8
}

// A Fun is a closure. Only its origin can be told.
type Fun struct {
	Module Atom
	Arity  uint8
	raw    []byte // as it was sent
}

// Get returns the value of a key that is an atom, nil when there is none.
func (m Map) Get(key Atom) Term {
	for _, e := range m {
		if e.Key == key {
			return e.Value
		}
	}
	return nil
}

// String writes a process as its own node does.
func (p Pid) String() string { return fmt.Sprintf("<0.%d.%d>", p.ID, p.Serial) }

// String writes a port as its own node does.
func (p Port) String() string { return fmt.Sprintf("#Port<0.%d>", p.ID) }

// String writes a reference as its own node does.
func (r Ref) String() string {
	var b strings.Builder
	b.WriteString("#Ref<0")
	for i := r.Len - 1; i >= 0; i-- {
		fmt.Fprintf(&b, ".%d", r.ID[i])
	}
	return b.String() + ">"
}

// Text returns what a term says as text: of an atom, a binary of UTF-8, or a list of
// characters.
func Text(t Term) (string, bool) {
	switch v := t.(type) {
	case Atom:
		return string(v), true
	case []byte:
		return strings.ToValidUTF8(string(v), "�"), true
	case List:
		var b strings.Builder
		for _, e := range v {
			c, ok := e.(int64)
			if !ok || c < 0 || c > 0x10ffff {
				return "", false
			}
			b.WriteRune(rune(c))
		}
		return b.String(), true
	}
	return "", false
}

// Number returns a number as a float64.
func Number(t Term) (float64, bool) {
	switch v := t.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		return f, true
	}
	return 0, false
}

// ParsePid reads a process as people write it: <0.1.2>, #PID<0.1.2> or 0.1.2. It is of
// the node that is given; a process of another node (<7.1.2>) is refused.
func ParsePid(text string, node Atom, creation uint32) (Pid, error) {
	wrong := fmt.Errorf("%q is no process of the node: write it as <0.123.0>", text)
	s := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(text, "#PID"), "<"), ">")
	parts := strings.Split(s, ".")
	if len(parts) != 3 || parts[0] != "0" {
		return Pid{}, wrong
	}
	id, err := strconv.ParseUint(parts[1], 10, 32)
	serial, err2 := strconv.ParseUint(parts[2], 10, 32)
	if err != nil || err2 != nil {
		return Pid{}, wrong
	}
	return Pid{Node: node, ID: uint32(id), Serial: uint32(serial), Creation: creation}, nil
}
