package luasandbox

import (
	"fmt"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// osLibrary tells the time, in UTC, and nothing else of the system.
var osLibrary = functions{
	"clock":    func(vm *machine) int { return vm.give(lua.LNumber(vm.began().Seconds())) },
	"date":     osDate,
	"difftime": func(vm *machine) int { return vm.give(lua.LNumber(vm.num(1) - vm.num(2))) },
	"time":     osTime,
}

func osTime(vm *machine) int {
	if vm.Get(1) == lua.LNil {
		return vm.give(lua.LNumber(time.Now().Unix()))
	}
	t := vm.CheckTable(1)
	field := func(name string, otherwise int) int {
		v := t.RawGetString(name)
		if v == lua.LNil && otherwise >= 0 {
			return otherwise
		}
		n, ok := number(v)
		if !ok || n != n || n < -1e6 || n > 1e6 {
			vm.RaiseError("field '%s' missing or wrong in date table", name)
		}
		return int(n)
	}
	at := time.Date(field("year", -1), time.Month(field("month", -1)), field("day", -1),
		field("hour", 12), field("min", 0), field("sec", 0), 0, time.UTC)
	return vm.give(lua.LNumber(at.Unix()))
}

func osDate(vm *machine) int {
	layout := strings.TrimPrefix(vm.optStr(1, "%c"), "!")
	at := time.Now().UTC()
	if vm.Get(2) != lua.LNil {
		seconds := vm.num(2)
		if !(-1e12 < seconds && seconds < 1e12) {
			vm.ArgError(2, "time out of range")
		}
		at = time.Unix(int64(seconds), 0).UTC()
	}
	if strings.HasPrefix(layout, "*t") {
		t := vm.NewTable()
		for name, n := range map[string]int{
			"year": at.Year(), "month": int(at.Month()), "day": at.Day(), "hour": at.Hour(), "min": at.Minute(), "sec": at.Second(),
			"wday": int(at.Weekday()) + 1, "yday": at.YearDay(),
		} {
			t.RawSetString(name, lua.LNumber(n))
		}
		t.RawSetString("isdst", lua.LFalse)
		return vm.give(t)
	}
	var out strings.Builder
	for {
		plain, rest, found := strings.Cut(layout, "%")
		out.WriteString(plain)
		if !found || rest == "" {
			break
		}
		out.WriteString(dateField(vm, at, rest[0]))
		layout = rest[1:]
		vm.meter.reserve(32)
	}
	vm.meter.reserve(out.Len())
	return vm.give(lua.LString(out.String()))
}

// dateField writes one conversion of C's strftime.
func dateField(vm *machine, at time.Time, verb byte) string {
	if layout, ok := map[byte]string{
		'a': "Mon", 'A': "Monday", 'b': "Jan", 'B': "January", 'c': "Mon Jan _2 15:04:05 2006", 'd': "02", 'D': "01/02/06",
		'e': "_2", 'F': "2006-01-02", 'h': "Jan", 'H': "15", 'I': "03", 'm': "01", 'M': "04", 'p': "PM", 'r': "03:04:05 PM", 'R': "15:04",
		'S': "05", 'T': "15:04:05", 'x': "01/02/06", 'X': "15:04:05", 'y': "06", 'Y': "2006", 'z': "-0700", 'Z': "MST",
	}[verb]; ok {
		return at.Format(layout)
	}
	switch verb {
	case '%':
		return "%"
	case 'j':
		return fmt.Sprintf("%03d", at.YearDay())
	case 'n':
		return "\n"
	case 's':
		return fmt.Sprint(at.Unix())
	case 't':
		return "\t"
	case 'w':
		return fmt.Sprint(int(at.Weekday()))
	}
	vm.RaiseError("invalid conversion '%%%c' for os.date", verb)
	return ""
}
