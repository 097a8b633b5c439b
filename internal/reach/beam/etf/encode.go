package etf

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"slices"
)

// Version begins every term that stands by itself.
const Version = 131

// Tags of the format.
const (
	tagNewFloat     = 70
	tagBitBinary    = 77
	tagAtomLatin1   = 100
	tagSmallAtom    = 115 // of Latin-1
	tagAtomUTF8     = 118
	tagSmallAtom8   = 119 // of UTF-8
	tagNewPid       = 88
	tagNewPort      = 89
	tagV4Port       = 120
	tagNewerRef     = 90
	tagPid          = 103
	tagPort         = 102
	tagNewRef       = 114
	tagSmallInteger = 97
	tagInteger      = 98
	tagFloat        = 99
	tagSmallTuple   = 104
	tagLargeTuple   = 105
	tagNil          = 106
	tagString       = 107
	tagList         = 108
	tagBinary       = 109
	tagSmallBig     = 110
	tagLargeBig     = 111
	tagNewFun       = 112
	tagExport       = 113
	tagMap          = 116
)

// Append writes a term to the end of b, with the version before it. The error names
// a value that is no term.
func Append(b []byte, t Term) ([]byte, error) { return appendTerm(append(b, Version), t) }

// Raw is a term that is encoded already, without the version: see [Encode].
type Raw []byte

// Encode encodes a term for more than one use.
func Encode(t Term) (Raw, error) { return appendTerm(nil, t) }

func appendTerm(b []byte, t Term) ([]byte, error) {
	switch v := t.(type) {
	case nil:
		return nil, fmt.Errorf("nil is no term: an empty list is List(nil), nothing is the atom undefined")
	case bool:
		if v {
			return appendTerm(b, Atom("true"))
		}
		return appendTerm(b, Atom("false"))
	case int:
		return appendInt(b, int64(v)), nil
	case int64:
		return appendInt(b, v), nil
	case *big.Int:
		return appendBig(b, v), nil
	case float64:
		return binary.BigEndian.AppendUint64(append(b, tagNewFloat), math.Float64bits(v)), nil
	case Atom:
		return appendAtom(b, v)
	case Raw:
		return append(b, v...), nil
	case string:
		return appendBinary(b, []byte(v)), nil
	case []byte:
		return appendBinary(b, v), nil
	case BitString:
		b = binary.BigEndian.AppendUint32(append(b, tagBitBinary), uint32(len(v.Bytes)))
		return append(append(b, v.Bits), v.Bytes...), nil
	case List:
		return appendList(b, v, nil)
	case Improper:
		return appendList(b, v.Elems, v.Tail)
	case Tuple:
		return appendTuple(b, v)
	case Map:
		return appendMap(b, v)
	case Pid:
		b, err := appendAtom(append(b, tagNewPid), v.Node)
		return appendWords(b, v.ID, v.Serial, v.Creation), err
	case Port:
		b, err := appendAtom(append(b, tagV4Port), v.Node)
		return appendWords(binary.BigEndian.AppendUint64(b, v.ID), v.Creation), err
	case Ref:
		b = binary.BigEndian.AppendUint16(append(b, tagNewerRef), uint16(v.Len))
		b, err := appendAtom(b, v.Node)
		return appendWords(appendWords(b, v.Creation), v.ID[:v.Len]...), err
	case Export:
		b, err := appendAtom(append(b, tagExport), v.Module)
		if err != nil {
			return nil, err
		}
		b, err = appendAtom(b, v.Function)
		return append(b, tagSmallInteger, v.Arity), err
	case Fun:
		return append(b, v.raw...), nil
	}
	return nil, fmt.Errorf("a %T is no term", t)
}

func appendWords(b []byte, words ...uint32) []byte {
	for _, w := range words {
		b = binary.BigEndian.AppendUint32(b, w)
	}
	return b
}

func appendInt(b []byte, v int64) []byte {
	switch {
	case v >= 0 && v <= math.MaxUint8:
		return append(b, tagSmallInteger, byte(v))
	case v >= math.MinInt32 && v <= math.MaxInt32:
		return binary.BigEndian.AppendUint32(append(b, tagInteger), uint32(int32(v)))
	}
	return appendBig(b, big.NewInt(v))
}

func appendBig(b []byte, v *big.Int) []byte {
	bytes := v.Bytes() // most significant first; the format has the least first
	if n := len(bytes); n <= math.MaxUint8 {
		b = append(b, tagSmallBig, byte(n))
	} else {
		b = binary.BigEndian.AppendUint32(append(b, tagLargeBig), uint32(n))
	}
	sign := byte(0)
	if v.Sign() < 0 {
		sign = 1
	}
	b = append(b, sign)
	for _, c := range slices.Backward(bytes) {
		b = append(b, c)
	}
	return b
}

func appendAtom(b []byte, a Atom) ([]byte, error) {
	n := 0
	for range a {
		n++
	}
	if n > 255 {
		return nil, fmt.Errorf("an atom of %d characters: 255 is the most", n)
	}
	if len(a) <= math.MaxUint8 {
		b = append(b, tagSmallAtom8, byte(len(a)))
	} else {
		b = binary.BigEndian.AppendUint16(append(b, tagAtomUTF8), uint16(len(a)))
	}
	return append(b, a...), nil
}

func appendBinary(b, v []byte) []byte {
	return append(binary.BigEndian.AppendUint32(append(b, tagBinary), uint32(len(v))), v...)
}

// appendList writes a list whose end is tail, nil of a proper one.
func appendList(b []byte, elems []Term, tail Term) (_ []byte, err error) {
	if len(elems) == 0 {
		if tail != nil {
			return appendTerm(b, tail)
		}
		return append(b, tagNil), nil
	}
	b = binary.BigEndian.AppendUint32(append(b, tagList), uint32(len(elems)))
	for _, e := range elems {
		if b, err = appendTerm(b, e); err != nil {
			return nil, err
		}
	}
	if tail != nil {
		return appendTerm(b, tail)
	}
	return append(b, tagNil), nil
}

func appendTuple(b []byte, v Tuple) (_ []byte, err error) {
	if len(v) <= math.MaxUint8 {
		b = append(b, tagSmallTuple, byte(len(v)))
	} else {
		b = binary.BigEndian.AppendUint32(append(b, tagLargeTuple), uint32(len(v)))
	}
	for _, e := range v {
		if b, err = appendTerm(b, e); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func appendMap(b []byte, m Map) (_ []byte, err error) {
	b = binary.BigEndian.AppendUint32(append(b, tagMap), uint32(len(m)))
	for _, e := range m {
		if b, err = appendTerm(b, e.Key); err != nil {
			return nil, err
		}
		if b, err = appendTerm(b, e.Value); err != nil {
			return nil, err
		}
	}
	return b, nil
}
