package luasandbox

import (
	"encoding/json"
	"errors"

	lua "github.com/yuin/gopher-lua"
)

// nodeBytes is about what a value takes in a Lua table, its key included.
const nodeBytes = 100

var jsonLibrary = functions{
	"encode": func(vm *machine) int {
		raw, err := encode(vm.CheckAny(1), vm.json, vm.nest)
		switch {
		case errors.Is(err, errTooBig):
			vm.RaiseError("json.encode: the text is more than %s bytes", commas(int64(vm.json)))
		case errors.Is(err, errTooDeep):
			vm.RaiseError("json.encode: the value is nested deeper than %d levels", vm.nest)
		case err != nil:
			vm.RaiseError("json.encode: %s", err)
		}
		vm.meter.reserve(8 * len(raw)) // it is gone over a few times
		return vm.give(lua.LString(raw))
	},
	"decode": func(vm *machine) int {
		s := vm.str(1)
		if len(s) > vm.json {
			vm.RaiseError("json.decode: the text is more than %s bytes", commas(int64(vm.json)))
		}
		vm.meter.reserve(8 * len(s))
		if nesting([]byte(s)) > vm.nest {
			vm.RaiseError("json.decode: the text is nested deeper than %d levels", vm.nest)
		}
		var value any
		if err := json.Unmarshal([]byte(s), &value); err != nil {
			vm.RaiseError("json.decode: %s", err)
		}
		return vm.give(vm.decode(value))
	},
}

// decode returns the Lua value of what json.Unmarshal returned: null is nil, so
// that an object's null is an absent key.
func (vm *machine) decode(v any) lua.LValue {
	switch v := v.(type) {
	case bool:
		return lua.LBool(v)
	case float64:
		return lua.LNumber(v)
	case string:
		return lua.LString(v)
	case []any:
		vm.meter.reserve(nodeBytes * (len(v) + 1))
		if len(v) >= maxArray {
			vm.RaiseError("an array of %s values is more than a table's array holds, %s", commas(int64(len(v))), commas(maxArray-1))
		}
		t := vm.CreateTable(len(v), 0)
		for i, item := range v {
			t.RawSetInt(i+1, vm.decode(item))
		}
		return t
	case map[string]any:
		vm.meter.reserve(nodeBytes * (2*len(v) + 1))
		t := vm.CreateTable(0, len(v))
		for key, item := range v {
			t.RawSetString(key, vm.decode(item))
		}
		return t
	}
	return lua.LNil
}
