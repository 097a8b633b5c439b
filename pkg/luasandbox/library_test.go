package luasandbox_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/pkg/luasandbox"
)

// What the language and its libraries give, as JSON.
func TestLibrary(t *testing.T) {
	box := luasandbox.New(luasandbox.DefaultLimits())
	defer box.Close()

	for _, tt := range []struct {
		name, script, want string
	}{
		{"find", `return ("host-12"):find("%d+")`, `[6,7]`},
		{"find with captures", `return ("k=v"):find("(%w)=(%w)")`, `[1,3,"k","v"]`},
		{"find of a plain text", `return ("a.b"):find(".", 1, true)`, `[2,2]`},
		{"find from the end", `return ("abcabc"):find("b", -3)`, `[5,5]`},
		{"find past the end", `return ("abc"):find("a", 10)`, `null`},
		{"match", `return ("2026-11-22"):match("(%d+)-(%d+)-(%d+)")`, `["2026","11","22"]`},
		{"match of a position", `return ("abc"):match("b()")`, `3`},
		{"match of a frontier", `return ("THE (quick) fox"):match("%f[%a]%a+%f[%A]", 5)`, `"quick"`},
		{"match of a balance", `return ("f(a(b)c)d"):match("%b()")`, `"(a(b)c)"`},
		{"match of a back reference", `return ([["it's"]]):match([[(["'])(.-)%1]])`, `["\"","it's"]`},
		{"match of what is not there", `return ("abc"):match("%d")`, `null`},
		{"gmatch", `local t = {} for k, v in ("a=1, b=2"):gmatch("(%w+)=(%w+)") do t[k] = v end return t`, `{"a":"1","b":"2"}`},
		{"gsub with a text", `return (("hello world"):gsub("o", "0", 1))`, `"hell0 world"`},
		{"gsub counts", `return ("hello"):gsub("l", "L")`, `["heLLo",2]`},
		{"gsub with captures", `return (("hello world"):gsub("(%w+) (%w+)", "%2 %1 %%"))`, `"world hello %"`},
		{"gsub with a table", `return (("$a $b"):gsub("%$(%w)", {a = 1}))`, `"1 $b"`},
		{"gsub with a function", `return (("abc"):gsub("%w", function(c) if c == "b" then return "B" end end))`, `"aBc"`},
		{"gsub of nothing", `return (("abc"):gsub("", "-"))`, `"-a-b-c-"`},
		{"format", `return ("%5d|%-5s|%05.1f|%x|%q|%%|%s|%s"):format(42, "ab", 3.14159, 255, 'a"b', nil, true)`,
			`"   42|ab   |003.1|ff|\"a\\\"b\"|%|nil|true"`},
		{"format of a whole float as an integer", `return ("%d"):format(3.0)`, `"3"`},
		{"format cuts a fraction off", `return ("%d"):format(3.7)`, `"3"`},
		{"format as C does", `return ("%g %g %g %e %.3s|%10.2f"):format(0.1, 1e20, 100000, 1.5, "abcdef", 2.5)`, `"0.1 1e+20 100000 1.500000e+00 abc|      2.50"`},
		{"rep, reverse, upper, lower, len", `return ("ab"):rep(3, "-"), ("abc"):reverse(), ("aé"):upper(), ("ABC"):lower(), #"é"`, `["ab-ab-ab","cba","Aé","abc",2]`},
		{"sub", `return ("hello"):sub(2, -2), ("hello"):sub(-3), ("hello"):sub(0), ("hello"):sub(4, 2)`, `["ell","llo","hello",""]`},
		{"byte and char", `return {("ABC"):byte(1, -1)}, string.char(72, 105), ("A"):byte()`, `[[65,66,67],"Hi",65]`},
		{"tostring of numbers", `return tostring(3), tostring(3.0), tostring(0.1 + 0.2), tostring(1e100), tostring(-1/0), tostring(2^53)`, `["3","3","0.3","1e+100","-inf","9007199254740992"]`},
		{"concatenation of numbers", `return 1 .. "-" .. 2.5 .. "-" .. 10 / 2`, `"1-2.5-5"`},
		{"tonumber", `return tonumber("0x1F"), tonumber(" 12 "), tonumber("1e3"), tonumber("z"), tonumber("ff", 16), tonumber("1_0"), tonumber("inf")`, `[31,12,1000,null,255,null,null]`},
		{"a text in arithmetic", `return "10" + 5`, `15`},
		{"table.insert and remove", `local t = {1, 3} table.insert(t, 2, 2) table.insert(t, 4) local r = table.remove(t, 1) return t, r, table.remove(t), table.remove({})`, `[[2,3],1,4,null]`},
		{"table.concat", `return table.concat({1, "a", 2.5}, ", "), table.concat({}, ","), table.concat({1, 2, 3}, "", 2)`, `["1, a, 2.5","","23"]`},
		{"table.sort", `local t = {3, 1, 2} table.sort(t) local u = {"b", "a"} table.sort(u, function(a, b) return a > b end) return t, u`, `[[1,2,3],["b","a"]]`},
		{"table.unpack and unpack", `return select("#", table.unpack({1, 2, 3})), (unpack({4}))`, `[3,4]`},
		{"table.pack", `local t = table.pack(1, nil, 3) return t.n`, `3`},
		{"table.move", `return table.move({1, 2, 3}, 2, 3, 1)`, `[2,3,3]`},
		{"the length of a table", `local t = {} for i = 1, 10 do t[#t + 1] = i end return #t, #{}, #"abc"`, `[10,0,3]`},
		{"pairs", `local n = 0 for k, v in pairs({1, 2, a = 3}) do n = n + v end return n`, `6`},
		{"ipairs ends at a gap", `local n = 0 for i, v in ipairs({1, 2, nil, 4}) do n = n + v end return n`, `3`},
		{"next of nothing", `return next({})`, `null`},
		{"select", `return select(2, "a", "b", "c")`, `["b","c"]`},
		{"select from the end", `return select(-1, "a", "b")`, `"b"`},
		{"pcall gives the error", `local ok, err = pcall(error, {code = 7}) return ok, err.code`, `[false,7]`},
		{"xpcall gives it to its handler", `return xpcall(function() error("x", 0) end, function(e) return "handled " .. e end)`, `[false,"handled x"]`},
		{"assert", `return select(2, pcall(assert, false, "no"))`, `"no"`},
		{"varargs", `local function f(...) return select("#", ...), ... end return f(1, nil)`, `[2,1,null]`},
		{"metatables", `local m = {__index = function(_, k) return k .. "!" end, __add = function(a, b) return "sum" end, __call = function(_, x) return x end, __eq = function() return true end, __lt = function() return true end, __len = function() return 7 end, __concat = function() return "cat" end, __tostring = function() return "me" end} local a, b = setmetatable({}, m), setmetatable({}, m) return a.x, a + b, a(5), a == b, a < b, #a, a .. "x", tostring(a)`, `["x!","sum",5,true,true,7,"cat","me"]`},
		{"math", `return math.floor(-1.5), math.ceil(1.2), math.abs(-3), math.max(1, 5, 2), math.min(3, 1), math.sqrt(16), math.fmod(7, 3), 7 % 3, -7 % 3, 2 ^ 10`, `[-2,2,3,5,1,4,1,1,2,1024]`},
		{"math.huge is infinite", `return math.huge == 1/0, -math.huge < -1e308, tostring(math.huge)`, `[true,true,"inf"]`},
		{"math.log with a base", `return math.log(8, 2), math.log(1000, 10), math.log(1)`, `[3,3,0]`},
		{"math.random", `math.randomseed(1) local r = math.random(3, 5) local f = math.random() return r >= 3 and r <= 5 and f < 1, math.random(1)`, `[true,1]`},
		{"math.tointeger and math.type", `return math.tointeger(3.0), math.tointeger(3.5), math.type(1), math.type(1.5), math.type("1")`, `[3,null,"integer","float",null]`},
		{"json.encode", `return json.encode({a = {1, 2, {}}, b = "x\ny", c = true})`, `"{\"a\":[1,2,[]],\"b\":\"x\\ny\",\"c\":true}"`},
		{"json.decode", `local v = json.decode('{"a": [1, {"b": null}], "c": "\\u20ac"}') return v.a[1], v.a[2].b, v.c`, `[1,null,"€"]`},
		{"json.decode of what is no JSON", `return (pcall(json.decode, "{"))`, `false`},
		{"os.time of a table", `return os.time({year = 2026, month = 11, day = 22, hour = 0})`, `1795305600`},
		{"os.time has hours of noon", `return os.time({year = 1970, month = 1, day = 1})`, `43200`},
		{"os.time is now", `return os.time() > 1.6e9`, `true`},
		{"os.date", `return os.date("%Y-%m-%d %H:%M:%S", 86399), os.date("!%A, %j, %p", 0), os.date("*t", 0).year`, `["1970-01-01 23:59:59","Thursday, 001, AM",1970]`},
		{"os.date without a layout", `return (os.date("!%c", 0))`, `"Thu Jan  1 00:00:00 1970"`},
		{"os.clock and os.difftime", `return os.clock() < 5, os.difftime(5, 3)`, `[true,2]`},
		{"utf8", `local n = 0 for p, c in utf8.codes("aé") do n = n + c end return utf8.char(72, 8364), utf8.len("é€"), utf8.codepoint("é"), n, utf8.len("\255")`, `["H€",2,233,330,null,1]`},
		{"utf8.charpattern", `local t = {} for c in ("aé€"):gmatch(utf8.charpattern) do t[#t + 1] = c end return t`, `["a","é","€"]`},
		{"bit32", `return bit32.band(12, 10), bit32.bor(12, 10), bit32.bxor(12, 10), bit32.bnot(0), bit32.lshift(1, 4), bit32.rshift(256, 4), bit32.extract(0xF0, 4, 4), bit32.arshift(0x80000000, 31)`, `[8,14,6,4294967295,16,16,15,4294967295]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := box.Run(t.Context(), tt.script, nil)
			if err != nil {
				t.Fatal(err)
			}
			if raw := strings.TrimPrefix(ended(t, got.Value, nil), "ok "); raw != tt.want {
				t.Errorf("got %s, want %s", raw, tt.want)
			}
		})
	}
}

// Lua 5.3 and later, which models write.
func TestLaterLua(t *testing.T) {
	box := luasandbox.New(luasandbox.DefaultLimits())
	defer box.Close()

	for _, tt := range []struct {
		name, script, want string
	}{
		{"division that floors", `return 7 // 2, -7 // 2, 7.5 // 2, 1 + 7 // 2 * 2, 2 ^ 2 // 3, "9" // 2`, `[3,-4,3,7,1,4]`},
		{"division that floors an expression", `local t = {n = 9} return (t.n + 1) // #"abc" // 1, -t.n // 2`, `[3,-5]`},
		{"two slashes in a string or a comment", "return 'http://x' -- a // b\n--[[ c // d ]]", `"http://x"`},
		{"goto continue", "local t = {} for i = 1, 4 do if i % 2 == 0 then goto continue end local x = i t[#t + 1] = x ::continue:: end return t", `[1,3]`},
		{"constants", "local limit <const>, n<const> = 5, 2 return limit + n", `7`},
		{"a comparison is no attribute", "local a, b = 1, 2 return a < b, b > a", `[true,true]`},
		{"escapes in strings", `return "\x41\u{20AC}\z
			b\065\
c"`, `"A€bA\nc"`},
		{"long strings and levels", "return [==[\na]]b\n]==]", `"a]]b\n"`},
		{"hexadecimal numbers", `return 0xff, 0x.8p1, 0xA.8, 1e2, .5, 3.`, `[255,1,10.5,100,0.5,3]`},
		{"empty statements", `; ; local a = 1; ; do ; end return a;`, `1`},
		{"a leading hash line", "#!/usr/bin/lua\nreturn 1", `1`},
		{"integers print without a fraction", `return 10 / 2 .. "", 3.0 .. ""`, `["5","3"]`},
		{"a local function named continue", `local function continue() return 1 end do continue() end local x = continue() return x`, `1`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := box.Run(t.Context(), tt.script, nil)
			if err != nil {
				t.Fatal(err)
			}
			if raw := strings.TrimPrefix(ended(t, got.Value, nil), "ok "); raw != tt.want {
				t.Errorf("got %s, want %s", raw, tt.want)
			}
		})
	}
}

func TestErrorsSayWhatToWrite(t *testing.T) {
	box := luasandbox.New(luasandbox.DefaultLimits())
	defer box.Close()

	for _, tt := range []struct {
		name, script, want string
	}{
		{"bits and", "\nreturn 1 & 2", "line 2: this Lua has no '&': write bit32.band(a, b)"},
		{"bits or", "return 1 | 2", "line 1: this Lua has no '|': write bit32.bor(a, b)"},
		{"bits not", "return ~1", "line 1: this Lua has no '~': write bit32.bxor(a, b) or bit32.bnot(a), and ~= for 'not equal'"},
		{"shifts", "return 1 << 2", "line 1: this Lua has no '<<': write bit32.lshift(a, n)"},
		{"not equal", "if a != b then end", "line 1: this Lua has no '!=': write ~="},
		{"and", "if a && b then end", "line 1: this Lua has no '&&': write and"},
		{"plus equal", "local n = 1\nn += 1", "line 2: this Lua has no '+=': write n = n + x"},
		{"plus plus", "n++", "line 1: this Lua has no '++': write n = n + 1"},
		{"continue", "for i = 1, 2 do\nif i == 1 then continue end end", "line 2: Lua has no 'continue': write 'goto continue', and '::continue::' before the loop's end"},
		{"variables that close", "local f <close> = x", "line 1: this Lua has no <close> variables: call what closes it at the end"},
		{"a comment of C", "/// no", "line 1: Lua has no '///': comments begin with --, and // divides"},
		{"a file", "\nlocal f = io.open('/etc/passwd')", "line 2: attempt to index a non-table object(nil) with key 'open'; there is no 'io' here: there are no files: use print and the callbacks"},
		{"a module", "local json = require('cjson')", "line 1: attempt to call a non-function object; there is no 'require' here: there are no modules: string, table, math, json, os.time, os.date, utf8 and bit32 are here already"},
		{"a coroutine", "coroutine.wrap(print)", "line 1: attempt to index a non-table object(nil) with key 'wrap'; there is no 'coroutine' here: there are no coroutines: write a loop, or a function that is called for each value"},
		{"a callback that was not given", "return system_get_memory()", "line 1: attempt to call a non-function object; there is no 'system_get_memory' here"},
		{"a function that the library lacks", "return string.split('a,b', ',')", `line 1: attempt to call a non-function object; there is no 'string.split' here: write for part in s:gmatch("[^,]+") do`},
		{"a variable of the script that is nil", "local t\nreturn t.x", "line 2: attempt to index a non-table object(nil) with key 'x'"},
		{"what cannot be joined", "return 'a' .. nil", "line 1: attempt to concatenate a nil value"},
		{"a wrong argument", "return ('x'):rep({})", "line 1: bad argument #2 to rep (number expected, got table)"},
		{"the lines after long strings and comments are right", "--[[ a\nb ]] local s = [[c\nd]]\nerror('here')", "line 4: here"},
		{"instructions", "\n\nwhile true do end", "line 3: the script used its 10,000,000 instructions"},
		{"memory", "\nlocal s = ('x'):rep(2^30)", "line 2: the script used its 100,663,296 bytes of memory"},
		{"nesting of the source", "\nreturn " + strings.Repeat("(", 300), "line 2: expressions or blocks are nested deeper than 200 levels"},
		{"the source's size", strings.Repeat(" ", 70000), "the script is longer than 65,536 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := box.Run(t.Context(), tt.script, nil)
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v and %v, want\n%s", got.Value, err, tt.want)
			}
		})
	}
}

func TestLimitErrorTellsItsLimitAndLine(t *testing.T) {
	box := luasandbox.New(luasandbox.Limits{Callbacks: 2})
	defer box.Close()
	_, err := box.Run(t.Context(), "for i = 1, 3 do\n  add(i)\nend", []luasandbox.Func{add})
	reached, ok := errors.AsType[*luasandbox.LimitError](err)
	if !ok || reached.Limit != luasandbox.LimitCallbacks || reached.Bound != "2" || reached.Line != 2 {
		t.Errorf("got %#v, want the limit of 2 callbacks in line 2", err)
	}
}

// A script that a model might write, with most of what one uses.
func TestTypicalScript(t *testing.T) {
	box := luasandbox.New(luasandbox.DefaultLimits())
	defer box.Close()
	got, err := box.Run(t.Context(), `
		local rows = {}
		for _, line in ipairs({"web-1 cpu=93.5 mem=41", "web-2 cpu=12.25 mem=77", "db-1 cpu=55 mem=91"}) do
			local host, rest = line:match("^(%S+)%s+(.*)$")
			local row = {host = host}
			for key, value in rest:gmatch("(%w+)=([%d%.]+)") do row[key] = tonumber(value) end
			if not host:find("^db") then
				table.insert(rows, row)
			end
		end
		table.sort(rows, function(a, b) return a.cpu > b.cpu end)
		local total = 0
		for i = 1, #rows do total = total + rows[i].cpu end
		print(string.format("%d hosts, mean %.2f %%", #rows, total / #rows))
		return {worst = rows[1].host, mean = math.floor(total / #rows * 10 + 0.5) / 10, half = #rows // 2}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := json.Marshal(got.Value)
	if string(raw) != `{"half":1,"mean":52.9,"worst":"web-1"}` || got.Output != "2 hosts, mean 52.88 %\n" {
		t.Errorf("got %s and %q", raw, got.Output)
	}
}
