package etf

import (
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strings"
)

// Unmarshal puts a term into what v points at:
//
//   - a struct takes a map with atoms for keys, by the tags `erl:"name"`; what the map
//     lacks stays as it is, what the struct lacks is left out
//   - a slice takes a list, an array a tuple of that length
//   - a string takes an atom, a binary, or a list of characters
//   - a number takes a number that fits, a bool the atoms true and false
//   - a map[string]T takes a map whose keys are text or numbers
//   - a pointer becomes nil for the atoms undefined and nil
//   - Term, Pid, Port, Ref and the like take themselves
//
// The error names the field.
func Unmarshal(t Term, v any) error {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return fmt.Errorf("a %T cannot be set: a pointer is due", v)
	}
	return put(t, p.Elem(), "")
}

func put(t Term, to reflect.Value, at string) error {
	wrong := func() error {
		return fmt.Errorf("%s: %s does not fit a %s", strings.TrimPrefix(at, "."), show(t), to.Type())
	}
	if t == nil {
		return wrong()
	}
	if from := reflect.ValueOf(t); from.Type().AssignableTo(to.Type()) && to.Kind() != reflect.Slice {
		to.Set(from)
		return nil
	}
	switch to.Kind() {
	case reflect.Pointer:
		if t == Term(Atom("undefined")) || t == Term(Atom("nil")) {
			to.SetZero()
			return nil
		}
		to.Set(reflect.New(to.Type().Elem()))
		return put(t, to.Elem(), at)
	case reflect.Bool:
		if t != Term(Atom("true")) && t != Term(Atom("false")) {
			return wrong()
		}
		to.SetBool(t == Term(Atom("true")))
		return nil
	case reflect.Int, reflect.Int64, reflect.Int32:
		n, ok := t.(int64)
		if !ok || to.OverflowInt(n) {
			return wrong()
		}
		to.SetInt(n)
		return nil
	case reflect.Uint64:
		return putUint(t, to, wrong)
	case reflect.Float64:
		f, ok := Number(t)
		if !ok || math.IsInf(f, 0) {
			return wrong()
		}
		to.SetFloat(f)
		return nil
	case reflect.String:
		s, ok := Text(t)
		if !ok {
			return wrong()
		}
		to.SetString(s)
		return nil
	case reflect.Slice:
		return putSlice(t, to, at, wrong)
	case reflect.Array:
		l, ok := t.(Tuple)
		if !ok || len(l) != to.Len() {
			return wrong()
		}
		for i, e := range l {
			if err := put(e, to.Index(i), fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
		return nil
	case reflect.Struct:
		return putStruct(t, to, at, wrong)
	case reflect.Map:
		return putMap(t, to, at, wrong)
	}
	return wrong()
}

func putUint(t Term, to reflect.Value, wrong func() error) error {
	switch n := t.(type) {
	case int64:
		if n >= 0 {
			to.SetUint(uint64(n))
			return nil
		}
	case *big.Int:
		if n.IsUint64() {
			to.SetUint(n.Uint64())
			return nil
		}
	}
	return wrong()
}

func putSlice(t Term, to reflect.Value, at string, wrong func() error) error {
	if b, ok := t.([]byte); ok && to.Type().Elem().Kind() == reflect.Uint8 {
		to.SetBytes(b)
		return nil
	}
	l, ok := t.(List)
	if !ok {
		return wrong()
	}
	out := reflect.MakeSlice(to.Type(), len(l), len(l))
	for i, e := range l {
		if err := put(e, out.Index(i), fmt.Sprintf("%s[%d]", at, i)); err != nil {
			return err
		}
	}
	to.Set(out)
	return nil
}

func putStruct(t Term, to reflect.Value, at string, wrong func() error) error {
	m, ok := t.(Map)
	if !ok {
		return wrong()
	}
	of := to.Type()
	for i := range of.NumField() {
		name, tagged := of.Field(i).Tag.Lookup("erl")
		if !tagged {
			continue
		}
		if e := m.Get(Atom(name)); e != nil {
			if err := put(e, to.Field(i), at+"."+name); err != nil {
				return err
			}
		}
	}
	return nil
}

func putMap(t Term, to reflect.Value, at string, wrong func() error) error {
	m, ok := t.(Map)
	if !ok || to.Type().Key().Kind() != reflect.String {
		return wrong()
	}
	out := reflect.MakeMapWithSize(to.Type(), len(m))
	for _, e := range m {
		name, ok := Text(e.Key)
		if n, number := e.Key.(int64); number {
			name, ok = fmt.Sprint(n), true
		}
		if !ok {
			return wrong()
		}
		v := reflect.New(to.Type().Elem()).Elem()
		if err := put(e.Value, v, at+"."+name); err != nil {
			return err
		}
		out.SetMapIndex(reflect.ValueOf(name).Convert(to.Type().Key()), v)
	}
	to.Set(out)
	return nil
}

// show says what a term is, never what it holds.
func show(t Term) string {
	switch v := t.(type) {
	case Atom:
		return fmt.Sprintf("the atom %.40q", string(v))
	case int64, float64:
		return fmt.Sprint(v)
	case Tuple:
		return fmt.Sprintf("a tuple of %d", len(v))
	case List:
		return fmt.Sprintf("a list of %d", len(v))
	}
	return fmt.Sprintf("a %T", t)
}
