package luasandbox

import (
	"slices"
	"strings"
)

// instead says what to write in place of what this Lua doesn't have.
var instead = map[string]string{
	"io":             "there are no files: use print and the callbacks",
	"require":        "there are no modules: string, table, math, json, os.time, os.date, utf8 and bit32 are here already",
	"package":        "there are no modules: string, table, math, json, os.time, os.date, utf8 and bit32 are here already",
	"load":           "code cannot be made at run time: write a function",
	"loadstring":     "code cannot be made at run time: write a function",
	"dofile":         "there are no files: use print and the callbacks",
	"loadfile":       "there are no files: use print and the callbacks",
	"coroutine":      "there are no coroutines: write a loop, or a function that is called for each value",
	"debug":          "there is no debug library: use print and error",
	"collectgarbage": "memory is collected as needed: leave this out",
	"getfenv":        "environments are fixed: use a table",
	"setfenv":        "environments are fixed: use a table",
	"_ENV":           "environments are fixed: use a table",
	"newproxy":       "use a table with a metatable",
	"string.dump":    "code cannot be made at run time: write a function",
	"string.pack":    "there is no binary packing: use string.byte and string.char",
	"string.unpack":  "there is no binary packing: use string.byte and string.char",
	"os.getenv":      "of the system there are os.time, os.date, os.clock and os.difftime; ask the callbacks for the rest",
	"os.execute":     "of the system there are os.time, os.date, os.clock and os.difftime; ask the callbacks for the rest",
	"os.exit":        "return ends the script",
	"os.remove":      "there are no files: use print and the callbacks",
	"os.rename":      "there are no files: use print and the callbacks",
	"os.tmpname":     "there are no files: use print and the callbacks",
	"utf8.offset":    "use utf8.codes or utf8.codepoint",
	"cjson":          "json.encode and json.decode are here",
	"table.foreach":  "write for k, v in pairs(t) do",
	"table.foreachi": "write for i, v in ipairs(t) do",
	"table.getn":     "write #t",
	"string.gfind":   "write string.gmatch",
	"string.split":   "write for part in s:gmatch(\"[^,]+\") do",
	"string.trim":    `write s:match("^%s*(.-)%s*$")`,
	"table.keys":     "write a loop over pairs(t)",
	"math.round":     "write math.floor(x + 0.5)",
	"table.contains": "write a loop over ipairs(t)",
}

// absent adds to an error for a nil that was called or indexed which name it
// was, from what the compiler noted on that line.
func (e *ScriptError) absent(notes map[int][]string) {
	called := strings.HasPrefix(e.Message, "attempt to call a non-function object")
	if !called && !strings.HasPrefix(e.Message, "attempt to index a non-table object(nil)") {
		return
	}
	paths := slices.Clone(notes[e.Line])
	for i, path := range paths { // of io.open it is io that there is not
		if base, _, _ := strings.Cut(path, "."); instead[base] != "" {
			paths[i] = base
		}
	}
	slices.Sort(paths)
	for _, path := range slices.Compact(paths) {
		if !called && strings.Contains(path, ".") {
			path, _, _ = strings.Cut(path, ".")
		}
		e.Message += "; there is no '" + path + "' here"
		if say := instead[path]; say != "" {
			e.Message += ": " + say
		}
	}
	e.Message = clip(e.Message)
}
