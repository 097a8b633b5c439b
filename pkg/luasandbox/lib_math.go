package luasandbox

import (
	"math"
	"math/rand/v2"

	lua "github.com/yuin/gopher-lua"
)

// maxInteger is the largest number up to which all whole ones are exact.
const maxInteger = 1 << 53

// mathLibrary adds to gopher-lua's what it lacks or has otherwise than Lua.
var mathLibrary = functions{
	"atan": func(vm *machine) int {
		x := 1.0
		if vm.Get(2) != lua.LNil {
			x = vm.num(2)
		}
		return vm.give(lua.LNumber(math.Atan2(vm.num(1), x)))
	},
	"log": func(vm *machine) int {
		n := math.Log(vm.num(1))
		if vm.Get(2) != lua.LNil {
			switch base := vm.num(2); base {
			case 2:
				n = math.Log2(vm.num(1))
			case 10:
				n = math.Log10(vm.num(1))
			default:
				n /= math.Log(base)
			}
		}
		return vm.give(lua.LNumber(n))
	},
	"random":     mathRandom,
	"randomseed": func(*machine) int { return 0 }, // a script's numbers are random already
	"tointeger": func(vm *machine) int {
		n, ok := number(vm.Get(1))
		if !ok || !whole(n) {
			return vm.give(lua.LNil)
		}
		return vm.give(lua.LNumber(n))
	},
	"type": func(vm *machine) int {
		n, ok := vm.CheckAny(1).(lua.LNumber)
		switch {
		case !ok:
			return vm.give(lua.LNil)
		case whole(float64(n)):
			return vm.give(lua.LString("integer"))
		}
		return vm.give(lua.LString("float"))
	},
}

func whole(n float64) bool { return n == math.Trunc(n) && !math.IsInf(n, 0) }

func mathRandom(vm *machine) int {
	if vm.GetTop() == 0 {
		return vm.give(lua.LNumber(rand.Float64()))
	}
	low, high := 1, vm.int(1)
	if vm.GetTop() > 1 {
		low, high = high, vm.int(2)
	}
	if low > high {
		vm.ArgError(vm.GetTop(), "interval is empty")
	}
	return vm.give(lua.LNumber(low + rand.IntN(high-low+1)))
}

// bit32Library is Lua 5.2's, for what Lua 5.3 has operators for.
var bit32Library = functions{
	"band": func(vm *machine) int { return bits(vm, math.MaxUint32, func(a, b uint32) uint32 { return a & b }) },
	"bor":  func(vm *machine) int { return bits(vm, 0, func(a, b uint32) uint32 { return a | b }) },
	"bxor": func(vm *machine) int { return bits(vm, 0, func(a, b uint32) uint32 { return a ^ b }) },
	"bnot": func(vm *machine) int { return vm.give(lua.LNumber(^vm.word(1))) },
	"lshift": func(vm *machine) int {
		return vm.give(lua.LNumber(shift(vm.word(1), vm.int(2))))
	},
	"rshift": func(vm *machine) int {
		return vm.give(lua.LNumber(shift(vm.word(1), -vm.int(2))))
	},
	"arshift": func(vm *machine) int {
		n := vm.int(2)
		if n < 0 {
			return vm.give(lua.LNumber(shift(vm.word(1), -n)))
		}
		return vm.give(lua.LNumber(uint32(int32(vm.word(1)) >> min(n, 31))))
	},
	"extract": func(vm *machine) int {
		field, width := vm.int(2), vm.optInt(3, 1)
		if field < 0 || width < 1 || field+width > 32 {
			vm.RaiseError("trying to access non-existent bits")
		}
		return vm.give(lua.LNumber(vm.word(1) >> field & uint32(1<<width-1)))
	},
}

// word returns argument n modulo 2^32.
func (vm *machine) word(n int) uint32 { return uint32(int64(vm.int(n))) }

func bits(vm *machine, start uint32, join func(a, b uint32) uint32) int {
	for i := range vm.GetTop() {
		start = join(start, vm.word(i+1))
	}
	return vm.give(lua.LNumber(start))
}

// shift moves left by n, or right where n is negative.
func shift(word uint32, n int) uint32 {
	if n < 0 {
		return word >> min(-n, 32)
	}
	return word << min(n, 32)
}
