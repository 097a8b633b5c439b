package gopprof

import (
	"slices"
	"strconv"
	"strings"

	"github.com/google/pprof/profile"
)

// A Frame is one call of a stack.
type Frame struct {
	Function string
	File     string // the last two parts of its path
	Line     int
}

// String returns the frame as people write it: main.work (checkout/main.go:57).
func (f Frame) String() string {
	if at := f.Where(); at != "" {
		return f.Function + " (" + at + ")"
	}
	return f.Function
}

// Where returns the file and line, empty when they are not known.
func (f Frame) Where() string {
	if f.File == "" {
		return ""
	}
	return f.File + ":" + strconv.Itoa(f.Line)
}

// frames returns the calls of a stack, the innermost first, at most 128.
func frames(s *profile.Sample) []Frame {
	out := make([]Frame, 0, len(s.Location))
	for _, l := range s.Location {
		for _, line := range l.Line {
			if line.Function == nil || len(out) == 128 {
				continue
			}
			out = append(out, Frame{name(line.Function.Name), shortFile(line.Function.Filename), int(line.Line)})
		}
	}
	return out
}

// name bounds the name of a function.
func name(s string) string {
	const longest = 120
	if r := []rune(s); len(s) > longest && len(r) > longest {
		return "…" + string(r[len(r)-longest:])
	}
	return s
}

func shortFile(path string) string {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return name(path)
	}
	return name(path[strings.LastIndexByte(path[:i], '/')+1:])
}

// standard are the first parts of the paths of the standard library.
var standard = func() map[string]bool {
	m := map[string]bool{}
	for p := range strings.FieldsSeq(`archive bufio bytes cmp compress container context crypto database debug embed
		encoding errors expvar flag fmt go hash html image index internal io iter log maps math mime net os path plugin
		reflect regexp runtime slices sort strconv strings structs sync syscall testing text time type unicode unique
		unsafe vendor weak`) {
		m[p] = true
	}
	return m
}()

// isStandard reports whether a function is of the standard library.
func isStandard(function string) bool {
	first, _, _ := strings.Cut(function, "/")
	first, _, _ = strings.Cut(first, ".")
	return standard[first]
}

// owner returns the place of a stack: the innermost call that is not of the
// standard library, where somebody can change something; else where it began.
// Via is the function of the library that it called, empty for none.
func owner(stack []Frame) (place Frame, via string) {
	for i, f := range stack {
		if isStandard(f.Function) {
			continue
		}
		if i > 0 {
			via = stack[i-1].Function
		}
		return f, via
	}
	for _, f := range slices.Backward(stack) {
		if f.Function != "runtime.goexit" && f.Function != "runtime.main" {
			return f, ""
		}
	}
	return Frame{Function: "unknown"}, ""
}

// own returns the calls of a stack that are not of the standard library, at most n.
func own(stack []Frame, n int) []Frame {
	var out []Frame
	for _, f := range stack {
		if !isStandard(f.Function) && len(out) < n {
			out = append(out, f)
		}
	}
	return out
}
