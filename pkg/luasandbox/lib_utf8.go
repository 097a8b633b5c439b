package luasandbox

import (
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"
)

// utf8Library is Lua 5.3's, less utf8.offset.
var utf8Library = functions{
	"char": func(vm *machine) int {
		var out []byte
		for i := range vm.GetTop() {
			c := vm.int(i + 1)
			if c < 0 || c > utf8.MaxRune {
				vm.ArgError(i+1, "value out of range")
			}
			out = utf8.AppendRune(out, rune(c))
		}
		return vm.give(lua.LString(out))
	},
	"len": func(vm *machine) int {
		s := vm.str(1)
		at, end := from(vm.optInt(2, 1), len(s)), to(vm.optInt(3, -1), len(s))
		n := 0
		for at < end {
			vm.meter.spend(1)
			c, size := utf8.DecodeRuneInString(s[at:])
			if c == utf8.RuneError && size < 2 {
				return vm.give(lua.LNil, lua.LNumber(at+1))
			}
			at += size
			n++
		}
		return vm.give(lua.LNumber(n))
	},
	"codepoint": func(vm *machine) int {
		s := vm.str(1)
		first := vm.optInt(2, 1)
		at, end := from(first, len(s)), to(vm.optInt(3, first), len(s))
		if end-at > unpacked {
			vm.RaiseError("string slice too long: at most %s bytes at once", commas(unpacked))
		}
		n := 0
		for ; at < end; n++ {
			c, size := utf8.DecodeRuneInString(s[at:])
			if c == utf8.RuneError && size < 2 {
				vm.RaiseError("invalid UTF-8 code")
			}
			vm.Push(lua.LNumber(c))
			at += size
		}
		return n
	},
	"codes": func(vm *machine) int {
		s, at := vm.str(1), 0
		return vm.give(vm.function(func(vm *machine) int {
			if at >= len(s) {
				return vm.give(lua.LNil)
			}
			c, size := utf8.DecodeRuneInString(s[at:])
			if c == utf8.RuneError && size < 2 {
				vm.RaiseError("invalid UTF-8 code")
			}
			begin := at + 1
			at += size
			return vm.give(lua.LNumber(begin), lua.LNumber(c))
		}))
	},
}
