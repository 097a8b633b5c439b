package luasandbox

import (
	"sort"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

var tableLibrary = functions{
	"concat": tableConcat,
	"getn":   func(vm *machine) int { return vm.give(lua.LNumber(vm.length(vm.CheckTable(1)))) },
	"insert": tableInsert,
	"maxn":   tableMaxn,
	"move":   tableMove,
	"pack":   tablePack,
	"remove": tableRemove,
	"sort":   tableSort,
	"unpack": unpack,
}

func tableConcat(vm *machine) int {
	t, sep := vm.CheckTable(1), vm.optStr(2, "")
	first, last := vm.optInt(3, 1), 0
	if vm.Get(4) == lua.LNil {
		last = vm.length(t)
	} else {
		last = vm.int(4)
	}
	var parts []string
	total := 0
	for i := first; i <= last; i++ {
		vm.meter.spend(1)
		v := t.RawGet(lua.LNumber(i))
		s, ok := text(v)
		if !ok {
			vm.RaiseError("invalid value (a %s) at index %d in table for 'concat'", v.Type(), i)
		}
		parts = append(parts, s)
		total += len(s) + len(sep)
		if total > int(vm.meter.memory) {
			vm.meter.exceeded(LimitMemory)
		}
	}
	vm.meter.reserve(total)
	return vm.give(lua.LString(strings.Join(parts, sep)))
}

func tableInsert(vm *machine) int {
	t := vm.CheckTable(1)
	n := vm.length(t)
	if n >= maxArray-1 {
		vm.RaiseError("a table holds at most %s values in its array: use several", commas(maxArray-1))
	}
	switch vm.GetTop() {
	case 2:
		t.RawSetInt(n+1, vm.Get(2))
	case 3:
		at := vm.int(2)
		if at < 1 || at > n+1 {
			vm.ArgError(2, "position out of bounds")
		}
		vm.meter.spend(1 + (n-at)/16)
		if at == n+1 {
			t.RawSetInt(at, vm.Get(3))
		} else {
			t.Insert(at, vm.Get(3))
		}
	default:
		vm.RaiseError("wrong number of arguments to 'insert'")
	}
	return 0
}

func tableRemove(vm *machine) int {
	t := vm.CheckTable(1)
	n := vm.length(t)
	at := vm.optInt(2, n)
	if n == 0 || at < 1 || at > n {
		return vm.give(lua.LNil)
	}
	vm.meter.spend(1 + (n-at)/16)
	return vm.give(t.Remove(at))
}

func tableMaxn(vm *machine) int {
	most := lua.LNumber(0)
	vm.CheckTable(1).ForEach(func(k, _ lua.LValue) {
		vm.meter.spend(1)
		if n, ok := k.(lua.LNumber); ok {
			most = max(most, n)
		}
	})
	return vm.give(most)
}

func tableMove(vm *machine) int {
	a, first, last, at := vm.CheckTable(1), vm.int(2), vm.int(3), vm.int(4)
	b := a
	if vm.Get(5) != lua.LNil {
		b = vm.CheckTable(5)
	}
	one := func(i int) {
		vm.meter.spend(1)
		vm.RawSet(b, lua.LNumber(at+i-first), a.RawGet(lua.LNumber(i)))
	}
	if at > first {
		for i := last; i >= first; i-- { // so that what overlaps is read before it is overwritten
			one(i)
		}
	} else {
		for i := first; i <= last; i++ {
			one(i)
		}
	}
	return vm.give(b)
}

func tablePack(vm *machine) int {
	t := vm.CreateTable(vm.GetTop(), 1)
	for i := range vm.GetTop() {
		t.RawSetInt(i+1, vm.Get(i+1))
	}
	t.RawSetString("n", lua.LNumber(vm.GetTop()))
	return vm.give(t)
}

func unpack(vm *machine) int {
	t := vm.CheckTable(1)
	first := vm.optInt(2, 1)
	last := 0
	if vm.Get(3) == lua.LNil {
		last = vm.length(t)
	} else {
		last = vm.int(3)
	}
	if last-first >= unpacked {
		vm.RaiseError("too many results to unpack: at most %s", commas(unpacked))
	}
	n := 0
	for i := first; i <= last; i++ {
		vm.Push(t.RawGet(lua.LNumber(i)))
		n++
	}
	return n
}

func tableSort(vm *machine) int {
	t := vm.CheckTable(1)
	s := &sorter{vm: vm, values: make([]lua.LValue, vm.length(t))}
	if vm.Get(2) != lua.LNil {
		s.less = vm.CheckFunction(2)
	}
	for i := range s.values {
		s.values[i] = t.RawGetInt(i + 1)
	}
	sort.Sort(s)
	for i, v := range s.values {
		t.RawSetInt(i+1, v)
	}
	return 0
}

// A sorter orders a copy of the values, so that a comparer that changes the
// table changes nothing under way. Go's sort ends whatever a comparer says.
type sorter struct {
	vm     *machine
	less   *lua.LFunction
	values []lua.LValue
}

func (s *sorter) Len() int      { return len(s.values) }
func (s *sorter) Swap(i, j int) { s.values[i], s.values[j] = s.values[j], s.values[i] }

func (s *sorter) Less(i, j int) bool {
	s.vm.meter.spend(1)
	if s.less == nil {
		return s.vm.LessThan(s.values[i], s.values[j])
	}
	s.vm.Push(s.less)
	s.vm.Push(s.values[i])
	s.vm.Push(s.values[j])
	s.vm.Call(2, 1)
	less := lua.LVAsBool(s.vm.Get(-1))
	s.vm.Pop(1)
	return less
}
