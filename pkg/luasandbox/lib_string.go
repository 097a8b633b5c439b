package luasandbox

import (
	"bytes"
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

var stringLibrary = functions{
	"byte":    stringByte,
	"char":    stringChar,
	"find":    func(vm *machine) int { return stringFind(vm, true) },
	"format":  stringFormat,
	"gmatch":  stringGmatch,
	"gsub":    stringGsub,
	"len":     func(vm *machine) int { return vm.give(lua.LNumber(len(vm.str(1)))) },
	"lower":   func(vm *machine) int { return stringMap(vm, 'A', 'Z') },
	"match":   func(vm *machine) int { return stringFind(vm, false) },
	"rep":     stringRep,
	"reverse": stringReverse,
	"sub":     stringSub,
	"upper":   func(vm *machine) int { return stringMap(vm, 'a', 'z') },
}

// from turns a Lua index of a text of that length into an offset that is at least 0.
func from(i, length int) int {
	switch {
	case i > 0:
		return i - 1
	case i < 0:
		return max(length+i, 0)
	}
	return 0
}

// to turns a Lua index of the last byte into the offset of its end.
func to(i, length int) int {
	if i < 0 {
		return length + i + 1
	}
	return min(i, length)
}

func stringSub(vm *machine) int {
	s := vm.str(1)
	start, end := from(vm.int(2), len(s)), to(vm.optInt(3, -1), len(s))
	if start >= end {
		return vm.give(lua.LString(""))
	}
	return vm.give(lua.LString(s[start:end]))
}

func stringByte(vm *machine) int {
	s := vm.str(1)
	first := vm.optInt(2, 1)
	start, end := from(first, len(s)), to(vm.optInt(3, first), len(s))
	if end-start > unpacked {
		vm.RaiseError("string slice too long: at most %s bytes at once", commas(unpacked))
	}
	n := 0
	for ; start < end; start++ {
		vm.Push(lua.LNumber(s[start]))
		n++
	}
	return n
}

func stringChar(vm *machine) int {
	out := make([]byte, vm.GetTop())
	for i := range out {
		c := vm.int(i + 1)
		if c < 0 || c > 255 {
			vm.ArgError(i+1, "invalid value")
		}
		out[i] = byte(c)
	}
	return vm.give(lua.LString(out))
}

// stringMap changes the case of the letters from first to last, ASCII alone, as
// Lua does in the C locale.
func stringMap(vm *machine, first, last byte) int {
	s := vm.str(1)
	vm.meter.reserve(2 * len(s))
	out := []byte(s)
	for i, c := range out {
		if first <= c && c <= last {
			out[i] = c ^ 0x20
		}
	}
	return vm.give(lua.LString(out))
}

func stringReverse(vm *machine) int {
	s := vm.str(1)
	vm.meter.reserve(2 * len(s))
	out := make([]byte, len(s))
	for i := range len(s) {
		out[len(s)-1-i] = s[i]
	}
	return vm.give(lua.LString(out))
}

func stringRep(vm *machine) int {
	s, n, sep := vm.str(1), vm.int(2), vm.optStr(3, "")
	if n <= 0 || len(s)+len(sep) == 0 {
		return vm.give(lua.LString(""))
	}
	if n > int(vm.meter.memory)/(len(s)+len(sep)) {
		vm.meter.exceeded(LimitMemory)
	}
	vm.meter.reserve(n * (len(s) + len(sep)))
	return vm.give(lua.LString(strings.Repeat(s+sep, n-1) + s))
}

// raise is RaiseError, which takes a format only where it has arguments.
func (vm *machine) raise(format string, args ...any) {
	vm.RaiseError("%s", fmt.Sprintf(format, args...))
}

func (vm *machine) matcher(subject, pattern string) *matcher {
	return &matcher{subject: subject, pattern: pattern, spend: vm.meter.spend, raise: vm.raise}
}

// specials are the bytes that make a pattern more than a text to look for.
const specials = "^$*+?.([%-"

func stringFind(vm *machine, find bool) int {
	s, pattern := vm.str(1), vm.str(2)
	init := from(vm.optInt(3, 1), len(s))
	if init > len(s) {
		return vm.give(lua.LNil)
	}
	if find && (lua.LVAsBool(vm.Get(4)) || !strings.ContainsAny(pattern, specials)) {
		vm.meter.spend(len(s) / 64)
		at := strings.Index(s[init:], pattern)
		if at < 0 {
			return vm.give(lua.LNil)
		}
		return vm.give(lua.LNumber(init+at+1), lua.LNumber(init+at+len(pattern)))
	}
	m := vm.matcher(s, pattern)
	start, end, ok := m.find(init)
	if !ok {
		return vm.give(lua.LNil)
	}
	if find {
		vm.give(lua.LNumber(start+1), lua.LNumber(end))
		if m.level == 0 {
			return 2
		}
		return 2 + vm.captures(m, start, end)
	}
	return vm.captures(m, start, end)
}

func (c capture) value() lua.LValue {
	if c.position > 0 {
		return lua.LNumber(c.position)
	}
	return lua.LString(c.text)
}

// captures pushes the captures of a match, or all of it where there are none.
func (vm *machine) captures(m *matcher, start, end int) int {
	n := max(m.level, 1)
	for i := range n {
		vm.Push(m.capture(i, start, end).value())
	}
	return n
}

func stringGmatch(vm *machine) int {
	m := vm.matcher(vm.str(1), vm.str(2))
	at := 0
	return vm.give(vm.function(func(vm *machine) int {
		for ; at <= len(m.subject); at++ {
			m.level, m.depth = 0, 0
			start := at
			end := m.match(start, 0) // here "^" is a byte as any other
			if end < 0 {
				continue
			}
			at = max(end, start+1)
			return vm.captures(m, start, end)
		}
		return vm.give(lua.LNil)
	}))
}

func stringGsub(vm *machine) int {
	s, pattern := vm.str(1), vm.str(2)
	with := vm.Get(3)
	switch with.Type() {
	case lua.LTNumber:
		with = lua.LString(vm.str(3))
	case lua.LTString, lua.LTTable, lua.LTFunction:
	default:
		vm.ArgError(3, "string, function or table expected, got "+with.Type().String())
	}
	most := vm.optInt(4, len(s)+1)
	pattern, anchored := strings.CutPrefix(pattern, "^")
	m := vm.matcher(s, pattern)
	var out bytes.Buffer
	at, n := 0, 0
	for n < most {
		m.level, m.depth = 0, 0
		end := m.match(at, 0)
		if end >= 0 {
			n++
			vm.replace(&out, m, with, at, end)
		}
		switch {
		case end > at:
			at = end
		case at < len(s):
			out.WriteByte(s[at])
			at++
		default:
			at++
		}
		if at > len(s) || anchored {
			break
		}
	}
	if at < len(s) {
		vm.meter.reserve(len(s) - at)
		out.WriteString(s[at:])
	}
	vm.meter.reserve(out.Len())
	return vm.give(lua.LString(out.String()), lua.LNumber(n))
}

// replace writes what stands for a match.
func (vm *machine) replace(out *bytes.Buffer, m *matcher, with lua.LValue, start, end int) {
	var got lua.LValue
	switch with := with.(type) {
	case lua.LString:
		vm.expand(out, m, string(with), start, end)
		return
	case *lua.LTable:
		got = vm.GetTable(with, m.capture(0, start, end).value())
	case *lua.LFunction:
		vm.Push(with)
		captures, level := m.captures, m.level
		vm.Call(vm.captures(m, start, end), 1)
		m.captures, m.level = captures, level
		got = vm.Get(-1)
		vm.Pop(1)
	}
	if !lua.LVAsBool(got) {
		vm.grow(out, m.subject[start:end])
		return
	}
	s, ok := text(got)
	if !ok {
		vm.RaiseError("invalid replacement value (a %s)", got.Type())
	}
	vm.grow(out, s)
}

// expand writes a replacement in which %0 is the match and %1 a capture.
func (vm *machine) expand(out *bytes.Buffer, m *matcher, with string, start, end int) {
	for {
		plain, rest, found := strings.Cut(with, "%")
		vm.grow(out, plain)
		if !found {
			return
		}
		if rest == "" {
			vm.raise("invalid use of '%%' in replacement string")
		}
		switch c := rest[0]; {
		case c == '0':
			vm.grow(out, m.subject[start:end])
		case '1' <= c && c <= '9':
			s, _ := text(m.capture(int(c-'1'), start, end).value())
			vm.grow(out, s)
		default: // Lua 5.1 takes what follows as it is
			out.WriteByte(c)
		}
		with = rest[1:]
	}
}

func (vm *machine) grow(out *bytes.Buffer, s string) {
	if s == "" {
		return
	}
	vm.meter.spend(1 + len(s)/64)
	if out.Len()+len(s) > out.Cap() {
		vm.meter.room(uint64(2*out.Len() + len(s))) // which is what it grows to
	}
	out.WriteString(s)
}
