package luasandbox

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// stringFormat is string.format, with the verbs of C that Lua has and none of
// Go's. %d and its like cut a fraction off.
func stringFormat(vm *machine) int {
	format := vm.str(1)
	var out strings.Builder
	arg := 1
	for {
		plain, rest, found := strings.Cut(format, "%")
		out.WriteString(plain)
		if !found {
			break
		}
		if strings.HasPrefix(rest, "%") {
			out.WriteByte('%')
			format = rest[1:]
			continue
		}
		s, after := parseSpec(vm, rest)
		arg++
		if vm.GetTop() < arg {
			vm.ArgError(arg, "no value")
		}
		before := out.Len()
		out.WriteString(s.write(vm, arg))
		vm.meter.reserve(out.Len() - before)
		format = after
	}
	vm.meter.reserve(out.Len())
	return vm.give(lua.LString(out.String()))
}

// A spec is one conversion of a format.
type spec struct {
	flags     string
	width     int
	precision int // -1 for none
	verb      byte
}

func parseSpec(vm *machine, text string) (spec, string) {
	s := spec{precision: -1}
	i := 0
	for i < len(text) && strings.IndexByte("-+ #0", text[i]) >= 0 {
		i++
	}
	s.flags = text[:min(i, 5)]
	number := func() int {
		begin := i
		for i < len(text) && '0' <= text[i] && text[i] <= '9' {
			i++
		}
		if i-begin > 2 {
			vm.RaiseError("invalid format (width or precision too long)")
		}
		n, _ := strconv.Atoi(text[begin:i])
		return n
	}
	s.width = number()
	if i < len(text) && text[i] == '.' {
		i++
		s.precision = number()
	}
	if i == len(text) {
		vm.RaiseError("invalid format: it ends within '%%%s'", text)
	}
	s.verb = text[i]
	return s, text[i+1:]
}

func (s spec) write(vm *machine, arg int) string {
	switch s.verb {
	case 'd', 'i', 'u':
		n := vm.num(arg)
		if math.IsNaN(n) || math.Abs(n) >= 1<<63 {
			vm.ArgError(arg, "number has no integer representation")
		}
		return fmt.Sprintf(s.layout('d'), int64(n))
	case 'o', 'x', 'X':
		n := vm.num(arg)
		if math.IsNaN(n) || math.Abs(n) >= 1<<63 {
			vm.ArgError(arg, "number has no integer representation")
		}
		return fmt.Sprintf(s.layout(s.verb), uint64(int64(n)))
	case 'c':
		return s.pad(string([]byte{byte(vm.int(arg))}))
	case 'e', 'E', 'f', 'F', 'g', 'G':
		n := vm.num(arg)
		if math.IsNaN(n) || math.IsInf(n, 0) {
			return s.pad(numberText(n))
		}
		if s.precision < 0 {
			s.precision = 6
		}
		return fmt.Sprintf(s.layout(s.verb), n)
	case 's':
		v := vm.shown(vm.Get(arg))
		if s.precision >= 0 && s.precision < len(v) {
			v = v[:s.precision]
		}
		return s.pad(v)
	case 'q':
		v := vm.str(arg)
		vm.meter.reserve(4 * len(v))
		return quote(v)
	}
	vm.RaiseError("invalid option '%%%c' to 'format'", s.verb)
	return ""
}

// layout is the conversion in Go's words, which for these verbs are C's.
func (s spec) layout(verb byte) string {
	layout := "%" + s.flags
	if s.width > 0 {
		layout += strconv.Itoa(s.width)
	}
	if s.precision >= 0 {
		layout += "." + strconv.Itoa(s.precision)
	}
	return layout + string(rune(verb))
}

// pad fills up to the width in bytes.
func (s spec) pad(text string) string {
	fill := strings.Repeat(" ", max(0, s.width-len(text)))
	if strings.Contains(s.flags, "-") {
		return text + fill
	}
	return fill + text
}

// quote writes a text as Lua reads it.
func quote(s string) string {
	var out strings.Builder
	out.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\', '\n':
			out.WriteByte('\\')
			out.WriteByte(c)
		case '\r':
			out.WriteString(`\r`)
		case 0:
			out.WriteString(`\000`)
		default:
			out.WriteByte(c)
		}
	}
	out.WriteByte('"')
	return out.String()
}
