package luasandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	lua "github.com/yuin/gopher-lua"
)

// errTooBig and errTooDeep tell a value over its limit from one that JSON cannot say.
var (
	errTooBig  = errors.New("value too big")
	errTooDeep = errors.New("value nested too deep")
)

// An encoder turns Lua values into JSON. It gives up as soon as the value must
// exceed its limits, so that its own work is bounded by them.
type encoder struct {
	room  int // bytes of JSON that are left, counted too low rather than too high
	depth int // levels that are left
	open  map[*lua.LTable]bool
}

// encode returns v, a lua.LValue or a list of them, as at most size bytes of JSON.
func encode(v any, size, depth int) (json.RawMessage, error) {
	e := encoder{room: size, depth: depth, open: map[*lua.LTable]bool{}}
	var plain any
	var err error
	switch v := v.(type) {
	case lua.LValue:
		plain, err = e.value(v)
	case []lua.LValue:
		plain, err = e.list(v)
	}
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(plain)
	if err != nil {
		return nil, err
	}
	if len(raw) > size {
		return nil, errTooBig
	}
	return raw, nil
}

func (e *encoder) spend(n int) error {
	if e.room -= n; e.room < 0 {
		return errTooBig
	}
	return nil
}

func (e *encoder) enter() error {
	if e.depth--; e.depth < 0 {
		return errTooDeep
	}
	return e.spend(1)
}

func (e *encoder) list(values []lua.LValue) (any, error) {
	if err := e.enter(); err != nil {
		return nil, err
	}
	defer func() { e.depth++ }()
	out := make([]any, len(values))
	for i, v := range values {
		plain, err := e.value(v)
		if err != nil {
			return nil, err
		}
		out[i] = plain
	}
	return out, nil
}

func (e *encoder) value(v lua.LValue) (any, error) {
	if err := e.spend(1); err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case *lua.LNilType:
		return nil, nil
	case lua.LBool:
		return bool(v), nil
	case lua.LNumber:
		n := float64(v)
		if math.IsNaN(n) || math.IsInf(n, 0) {
			return nil, fmt.Errorf("%s is not a JSON value", v)
		}
		return n, nil
	case lua.LString:
		return string(v), e.spend(len(v))
	case *lua.LTable:
		return e.table(v)
	}
	return nil, fmt.Errorf("a %s is not a JSON value", v.Type())
}

// table returns an array where the keys are exactly 1 to n, none included, and
// an object of string keys otherwise.
func (e *encoder) table(t *lua.LTable) (any, error) {
	if e.open[t] {
		return nil, errors.New("a table that contains itself is not a JSON value")
	}
	if err := e.enter(); err != nil {
		return nil, err
	}
	e.open[t] = true
	defer func() {
		delete(e.open, t)
		e.depth++
	}()
	if n, ok := arrayLen(t); ok {
		return e.array(t, n)
	}
	out := map[string]any{}
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		key, err := e.key(k)
		if err != nil {
			return nil, err
		}
		if _, twice := out[key]; twice {
			return nil, fmt.Errorf("key %q is there both as number and as string", clip(key))
		}
		if out[key], err = e.value(v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// arrayLen returns how many keys t has, and whether they are exactly 1 to that many.
func arrayLen(t *lua.LTable) (int, bool) {
	n, highest, whole := 0, lua.LNumber(0), true
	t.ForEach(func(k, _ lua.LValue) {
		i, ok := k.(lua.LNumber)
		if !ok || i < 1 || i != lua.LNumber(math.Trunc(float64(i))) {
			whole = false
			return
		}
		n++
		highest = max(highest, i)
	})
	return n, whole && highest == lua.LNumber(n)
}

func (e *encoder) array(t *lua.LTable, n int) (any, error) {
	if err := e.spend(max(n-1, 0)); err != nil { // the commas, before anything is allocated
		return nil, err
	}
	out := make([]any, n)
	for i := range n {
		plain, err := e.value(t.RawGetInt(i + 1))
		if err != nil {
			return nil, err
		}
		out[i] = plain
	}
	return out, nil
}

func (e *encoder) key(k lua.LValue) (string, error) {
	switch k := k.(type) {
	case lua.LString:
		return string(k), e.spend(len(k) + 3)
	case lua.LNumber:
		key := strconv.FormatFloat(float64(k), 'f', -1, 64)
		return key, e.spend(len(key) + 3)
	}
	return "", fmt.Errorf("a %s is not a key of a JSON object", k.Type())
}
