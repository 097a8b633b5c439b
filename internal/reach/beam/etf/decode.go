package etf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// Bounds of what is read.
const (
	// MaxDepth is how deep terms may lie in each other.
	MaxDepth = 512
	// MaxTerms is how many terms one may have in all.
	MaxTerms = 4 << 20
	// maxBig is how many bytes an integer may have.
	maxBig = 1 << 16
)

// errShort is of a term that ends too early.
var errShort = errors.New("the term ends too early")

// Decode reads the term at the beginning of data, with its version, and returns what
// follows it. Binaries are copied. It never panics, whatever data is.
func Decode(data []byte) (t Term, rest []byte, err error) {
	if len(data) == 0 || data[0] != Version {
		return nil, nil, fmt.Errorf("no term of the external format: it must begin with %d", Version)
	}
	d := decoder{data: data[1:]}
	if t, err = d.term(0); err != nil {
		return nil, nil, fmt.Errorf("term, at byte %d of %d: %w", len(data)-len(d.data), len(data), err)
	}
	return t, d.data, nil
}

type decoder struct {
	data  []byte
	terms int
}

func (d *decoder) take(n int) ([]byte, error) {
	if n < 0 || n > len(d.data) {
		return nil, errShort
	}
	b := d.data[:n]
	d.data = d.data[n:]
	return b, nil
}

func (d *decoder) byte() (byte, error) {
	b, err := d.take(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

func (d *decoder) uint16() (int, error) {
	b, err := d.take(2)
	if err != nil {
		return 0, err
	}
	return int(binary.BigEndian.Uint16(b)), nil
}

func (d *decoder) uint32() (uint32, error) {
	b, err := d.take(4)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint32(b), nil
}

// length reads a number of things that take at least size bytes each.
func (d *decoder) length(size int) (int, error) {
	n, err := d.uint32()
	if err != nil {
		return 0, err
	}
	if uint64(n)*uint64(size) > uint64(len(d.data)) {
		return 0, errShort
	}
	return int(n), nil
}

func (d *decoder) term(depth int) (Term, error) {
	if d.terms++; d.terms > MaxTerms {
		return nil, fmt.Errorf("more than %d terms", MaxTerms)
	}
	if depth > MaxDepth {
		return nil, fmt.Errorf("more than %d terms in each other", MaxDepth)
	}
	tag, err := d.byte()
	if err != nil {
		return nil, err
	}
	switch tag {
	case tagSmallInteger:
		b, err := d.byte()
		return int64(b), err
	case tagInteger:
		n, err := d.uint32()
		return int64(int32(n)), err
	case tagNewFloat:
		return d.float()
	case tagFloat:
		return d.oldFloat()
	case tagSmallBig:
		n, err := d.byte()
		if err != nil {
			return nil, err
		}
		return d.big(int(n))
	case tagLargeBig:
		n, err := d.length(1)
		if err != nil {
			return nil, err
		}
		return d.big(n)
	case tagAtomUTF8, tagSmallAtom8, tagAtomLatin1, tagSmallAtom:
		return d.atomOf(tag)
	case tagBinary:
		n, err := d.length(1)
		if err != nil {
			return nil, err
		}
		b, err := d.take(n)
		return append([]byte{}, b...), err
	case tagBitBinary:
		return d.bits()
	case tagNil:
		return List{}, nil
	case tagString:
		return d.characters()
	case tagList:
		return d.list(depth)
	case tagSmallTuple:
		n, err := d.byte()
		if err != nil {
			return nil, err
		}
		return d.tuple(int(n), depth)
	case tagLargeTuple:
		n, err := d.length(1)
		if err != nil {
			return nil, err
		}
		return d.tuple(n, depth)
	case tagMap:
		return d.dict(depth)
	case tagNewPid, tagPid:
		return d.pid(tag)
	case tagNewPort, tagV4Port, tagPort:
		return d.port(tag)
	case tagNewerRef, tagNewRef:
		return d.ref(tag)
	case tagExport:
		return d.export()
	case tagNewFun:
		return d.fun(depth)
	}
	return nil, fmt.Errorf("the tag %d is unknown", tag)
}

func (d *decoder) float() (Term, error) {
	b, err := d.take(8)
	if err != nil {
		return nil, err
	}
	f := math.Float64frombits(binary.BigEndian.Uint64(b))
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, errors.New("a float that is no finite number")
	}
	return f, nil
}

// oldFloat reads a number that is written in 31 characters.
func (d *decoder) oldFloat() (Term, error) {
	b, err := d.take(31)
	if err != nil {
		return nil, err
	}
	f, err := strconv.ParseFloat(strings.TrimRight(string(b), "\x00"), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, errors.New("a float that is no finite number")
	}
	return f, nil
}

func (d *decoder) big(n int) (Term, error) {
	if n > maxBig {
		return nil, fmt.Errorf("an integer of %d bytes: %d is the most", n, maxBig)
	}
	sign, err := d.byte()
	if err != nil {
		return nil, err
	}
	b, err := d.take(n)
	if err != nil {
		return nil, err
	}
	most := make([]byte, n)
	for i, c := range b {
		most[n-1-i] = c
	}
	v := new(big.Int).SetBytes(most)
	if sign != 0 {
		v.Neg(v)
	}
	if v.IsInt64() {
		return v.Int64(), nil
	}
	return v, nil
}

func (d *decoder) atom() (Atom, error) {
	tag, err := d.byte()
	if err != nil {
		return "", err
	}
	return d.atomOf(tag)
}

func (d *decoder) atomOf(tag byte) (Atom, error) {
	var n int
	var err error
	switch tag {
	case tagAtomUTF8, tagAtomLatin1:
		n, err = d.uint16()
	case tagSmallAtom8, tagSmallAtom:
		var b byte
		b, err = d.byte()
		n = int(b)
	default:
		return "", fmt.Errorf("an atom was due, not the tag %d", tag)
	}
	if err != nil {
		return "", err
	}
	b, err := d.take(n)
	if err != nil {
		return "", err
	}
	if tag == tagAtomUTF8 || tag == tagSmallAtom8 {
		return Atom(b), nil
	}
	var s strings.Builder
	for _, c := range b {
		s.WriteRune(rune(c))
	}
	return Atom(s.String()), nil
}

func (d *decoder) bits() (Term, error) {
	n, err := d.length(1)
	if err != nil {
		return nil, err
	}
	bits, err := d.byte()
	if err != nil {
		return nil, err
	}
	if bits == 0 || bits > 8 || n == 0 {
		return nil, fmt.Errorf("a bit string of %d bytes whose last has %d bits", n, bits)
	}
	b, err := d.take(n)
	return BitString{append([]byte{}, b...), bits}, err
}

func (d *decoder) characters() (Term, error) {
	n, err := d.uint16()
	if err != nil {
		return nil, err
	}
	b, err := d.take(n)
	if err != nil {
		return nil, err
	}
	if d.terms += n; d.terms > MaxTerms {
		return nil, fmt.Errorf("more than %d terms", MaxTerms)
	}
	out := make(List, n)
	for i, c := range b {
		out[i] = int64(c)
	}
	return out, nil
}

func (d *decoder) several(n, depth int) ([]Term, error) {
	if n > len(d.data) {
		return nil, errShort
	}
	out := make([]Term, 0, min(n, 1024)) // it grows as the terms come
	for range n {
		t, err := d.term(depth + 1)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

func (d *decoder) list(depth int) (Term, error) {
	n, err := d.length(1)
	if err != nil {
		return nil, err
	}
	elems, err := d.several(n, depth)
	if err != nil {
		return nil, err
	}
	tail, err := d.term(depth + 1)
	if err != nil {
		return nil, err
	}
	if l, ok := tail.(List); ok && len(l) == 0 {
		return List(elems), nil
	}
	return Improper{elems, tail}, nil
}

func (d *decoder) tuple(n, depth int) (Term, error) {
	elems, err := d.several(n, depth)
	return Tuple(elems), err
}

func (d *decoder) dict(depth int) (Term, error) {
	n, err := d.length(2)
	if err != nil {
		return nil, err
	}
	out := make(Map, 0, min(n, 1024))
	for range n {
		k, err := d.term(depth + 1)
		if err != nil {
			return nil, err
		}
		v, err := d.term(depth + 1)
		if err != nil {
			return nil, err
		}
		out = append(out, Entry{k, v})
	}
	return out, nil
}

// creation reads the incarnation of a node, which older tags have in one byte.
func (d *decoder) creation(old bool) (uint32, error) {
	if !old {
		return d.uint32()
	}
	b, err := d.byte()
	return uint32(b), err
}

func (d *decoder) pid(tag byte) (Term, error) {
	node, err := d.atom()
	if err != nil {
		return nil, err
	}
	id, err := d.uint32()
	if err != nil {
		return nil, err
	}
	serial, err := d.uint32()
	if err != nil {
		return nil, err
	}
	creation, err := d.creation(tag == tagPid)
	return Pid{node, id, serial, creation}, err
}

func (d *decoder) port(tag byte) (Term, error) {
	node, err := d.atom()
	if err != nil {
		return nil, err
	}
	upper := uint32(0)
	if tag == tagV4Port {
		if upper, err = d.uint32(); err != nil {
			return nil, err
		}
	}
	lower, err := d.uint32()
	if err != nil {
		return nil, err
	}
	creation, err := d.creation(tag == tagPort)
	return Port{node, uint64(upper)<<32 | uint64(lower), creation}, err
}

func (d *decoder) ref(tag byte) (Term, error) {
	n, err := d.uint16()
	if err != nil {
		return nil, err
	}
	r := Ref{Len: n}
	if n < 1 || n > len(r.ID) {
		return nil, fmt.Errorf("a reference of %d words", n)
	}
	if r.Node, err = d.atom(); err != nil {
		return nil, err
	}
	if r.Creation, err = d.creation(tag == tagNewRef); err != nil {
		return nil, err
	}
	for i := range n {
		if r.ID[i], err = d.uint32(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (d *decoder) export() (Term, error) {
	module, err := d.atom()
	if err != nil {
		return nil, err
	}
	function, err := d.atom()
	if err != nil {
		return nil, err
	}
	b, err := d.take(2)
	if err != nil {
		return nil, err
	}
	if b[0] != tagSmallInteger {
		return nil, errors.New("an arity was due")
	}
	return Export{module, function, b[1]}, nil
}

// fun keeps a closure as it is, behind the length that it gives.
func (d *decoder) fun(depth int) (Term, error) {
	if len(d.data) < 4 {
		return nil, errShort
	}
	size := binary.BigEndian.Uint32(d.data)
	if size < 4+1+16+4+4 || uint64(size) > uint64(len(d.data)) {
		return nil, errShort
	}
	raw := d.data[:size]
	d.data = d.data[size:]
	inner := decoder{data: raw[4+1+16+4+4:], terms: d.terms}
	module, err := inner.atom()
	if err != nil {
		return nil, err
	}
	// What it closes over is read, so that its bounds are those of all terms, and dropped.
	for len(inner.data) > 0 {
		if _, err := inner.term(depth + 1); err != nil {
			return nil, err
		}
	}
	d.terms = inner.terms
	return Fun{Module: module, Arity: raw[4], raw: append([]byte{tagNewFun}, raw...)}, nil
}
