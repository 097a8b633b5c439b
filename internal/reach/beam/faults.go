package beam

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
	"github.com/fleetlens/fleetlens/internal/reach/stacktrace"
)

// Kinds of exceptions of Erlang and Elixir. A message is a report that something went
// wrong without an exception: a supervisor that gave up.
const (
	KindError   = "error"
	KindExit    = "exit"
	KindThrow   = "throw"
	KindMessage = "message"
)

// ExceptionKinds returns all of them.
func ExceptionKinds() []string { return []string{KindError, KindExit, KindThrow, KindMessage} }

// A fault is what a process ended with: names that stand in code, and nothing that a
// programOf holds while it runs.
type fault struct {
	kind   string
	kindOf string // the type: badmatch, RuntimeError
	says   string // the rest of the reason, as far as it is names; for exceptions of Elixir their words
	frames []stacktrace.Frame
	elixir bool // its first function of the program is Elixir's
}

// faultOf reads a reason, with the stack that may come with it.
func faultOf(class string, reason, stack printed) fault {
	f := fault{kind: class}
	if reason.kind == tTuple && len(reason.elems) == 2 && reason.at(0).is("EXIT") {
		reason = reason.elems[1]
	}
	if frames := framesOf(stack); frames != nil {
		f.frames = frames
	} else if reason.kind == tTuple && len(reason.elems) == 2 {
		if frames := framesOf(reason.elems[1]); frames != nil {
			f.frames, reason = frames, reason.elems[0]
			if class == "" { // an exit with a stack, or an error: nobody says which
				f.kind = KindError
			}
		}
	}
	f.kind = cmp.Or(f.kind, KindExit)
	if calledProcess(reason) != "" && class != KindError {
		f.kind = KindExit
	}
	f.elixir = elixirOnTop(f.frames)
	f.kindOf, f.says = typeOf(reason)
	if reason.at(0).is("nocatch") {
		f.kind = KindThrow
	}
	if f.kind == KindError && f.elixir {
		f.kindOf = cmp.Or(elixirNames[f.kindOf], f.kindOf)
	}
	return f
}

// elixirNames are what Elixir calls errors of the virtual machine.
var elixirNames = map[string]string{
	"badarg": "ArgumentError", "badarith": "ArithmeticError", "badarity": "BadArityError", "badfun": "BadFunctionError", "badkey": "KeyError", "badmap": "BadMapError",
	"badmatch": "MatchError", "badbool": "BadBooleanError", "case_clause": "CaseClauseError", "cond_clause": "CondClauseError", "function_clause": "FunctionClauseError",
	"if_clause": "CondClauseError", "system_limit": "SystemLimitError", "try_clause": "TryClauseError", "undef": "UndefinedFunctionError", "with_clause": "WithClauseError",
}

// typeOf returns what a reason is called, and what else may be said of it.
func typeOf(reason printed) (name, says string) {
	if reason.kind == tMap && reason.get("__struct__").kind == tAtom {
		return exceptionOf(reason)
	}
	if to := calledProcess(reason); to != "" {
		inner := reason.elems[0]
		if inner.kind == tTuple && len(inner.elems) == 2 && framesOf(inner.elems[1]) != nil {
			inner = inner.elems[0] // who was called had an error: that is what it is
		}
		name, says = typeOf(inner)
		return name, joinWords(says, "in a call of "+to)
	}
	switch reason.kind {
	case tAtom:
		return cmp.Or(bounded(reason.safe()), elided), ""
	case tTuple:
		first := reason.at(0)
		if first.kind == tAtom && first.safe() != elided {
			return bounded(first.safe()), saysOf(reason.elems[1:])
		}
		if first.kind == tTuple || first.kind == tMap {
			return typeOf(first)
		}
		return "tuple", saysOf(reason.elems)
	case tText:
		return "text", ""
	case tMap:
		return "map", ""
	}
	return "unknown", ""
}

func joinWords(a, b string) string {
	if a == "" {
		return b
	}
	return a + ", " + b
}

// saysOf writes what follows the type in a reason; nothing when nothing may be said.
func saysOf(elems []printed) string {
	s := safeElems(elems, 3)
	if strings.Trim(s, elided+",{}[]") == "" {
		return ""
	}
	return bounded(s)
}

// callFunctions are the functions that end who calls them when who is called does not answer.
var callFunctions = []string{"gen_server", "gen_statem", "gen_event", "gen_fsm", "gen", "Elixir.GenServer", "Elixir.Agent", "Elixir.Task", "Elixir.Supervisor", "Elixir.DynamicSupervisor", "Elixir.GenStage"}

// calledProcess returns who was called, when a reason is that of a call that failed:
// {timeout, {gen_server, call, [shop_cart, …]}}.
func calledProcess(reason printed) string {
	call := reason.at(1)
	if reason.kind != tTuple || len(reason.elems) != 2 || call.kind != tTuple || len(call.elems) != 3 || !slices.Contains(callFunctions, call.at(0).text) || call.at(0).kind != tAtom {
		return ""
	}
	return cmp.Or(processOf(call.at(2).at(0)), "a process")
}

// processOf names a process as a report does: by a name, {local, Name}, {global, Name},
// {Name, Node}, or itself.
func processOf(t printed) string {
	switch t.kind {
	case tAtom:
		if t.text == "undefined" || t.text == "nil" || t.safe() == elided {
			return ""
		}
		return t.safe()
	case tOpaque:
		if strings.HasPrefix(t.text, "<") || strings.HasPrefix(t.text, "#PID<") {
			return strings.TrimPrefix(t.text, "#PID")
		}
	case tTuple:
		switch {
		case t.at(0).is("local"), t.at(0).is("global"):
			return processOf(t.at(1))
		case t.at(0).is("via"):
			return processOf(t.at(2)) // of a registry: its name may hold a key, of which only names are kept
		case t.at(0).kind == tOpaque && len(t.elems) == 2: // {<0.1.0>, Module} of a supervisor
			return cmp.Or(processOf(t.at(1)), processOf(t.at(0)))
		case len(t.elems) > 0:
			return processOf(t.at(0))
		}
	}
	return ""
}

// exceptionOf reads an exception of Elixir: a struct with what it holds.
func exceptionOf(e printed) (name, says string) {
	name = cmp.Or(strings.Trim(e.get("__struct__").safe(), elided), "exception")
	if m := e.get("message"); m.kind == tText && m.text != "" {
		return name, Words(unescaped(m.text))
	}
	function := func() string {
		m, f := e.get("module"), e.get("function")
		arity, err := strconv.Atoi(e.get("arity").text)
		if m.safe() == elided || f.safe() == elided || err != nil {
			return ""
		}
		return Function(etf.Atom(m.text), etf.Atom(f.text), arity)
	}
	switch name {
	case "KeyError":
		if key := e.get("key").safe(); key != elided {
			says = "key " + key + " not found"
		}
	case "FunctionClauseError":
		if f := function(); f != "" {
			says = "no clause of " + f + " matches"
		}
	case "UndefinedFunctionError":
		if f := function(); f != "" {
			says = f + " is not defined"
		}
	default:
		for _, key := range []string{"reason", "code", "term", "value"} {
			if v := e.get(key).safe(); v != elided {
				says = joinWords(says, key+" "+v)
			}
		}
		if code := e.get("postgres").get("code").safe(); code != elided {
			says = joinWords(says, code)
		}
	}
	return name, bounded(says)
}

// framesOf reads a stack, with numbers of arguments in the place of arguments. It is
// nil for what is none.
func framesOf(stack printed) []stacktrace.Frame {
	if stack.kind != tList || len(stack.elems) == 0 {
		return nil
	}
	var out []stacktrace.Frame
	for _, e := range stack.elems {
		if e.kind == tRest {
			continue
		}
		m, f := e.at(0), e.at(1)
		if e.kind != tTuple || len(e.elems) < 2 || len(e.elems) > 4 || m.kind != tAtom || f.kind != tAtom && f.kind != tRest {
			return nil
		}
		if len(e.elems) >= 3 && f.kind == tAtom && e.at(2).kind != tRest {
			out = append(out, frameOf(m, f, e.at(2), e.at(3)))
		}
	}
	return out
}

func frameOf(m, f, arity, where printed) stacktrace.Frame {
	n := len(arity.elems)
	switch arity.kind {
	case tNumber:
		n, _ = strconv.Atoi(arity.text)
	case tText: // arguments that are small numbers are printed like a text
		n = len([]rune(unescaped(arity.text)))
	}
	name := f.text
	if of := inlinedName.FindStringSubmatch(name); of != nil {
		name = of[1]
	}
	frame := stacktrace.Frame{Function: bounded(Function(etf.Atom(m.text), etf.Atom(name), n))}
	if file := where.get("file"); file.kind == tText {
		frame.File = bounded(file.text)
	}
	frame.Line, _ = strconv.Atoi(where.get("line").text)
	return frame
}

// inlinedName is a function that the compiler put into the one that calls it.
var inlinedName = regexp.MustCompile(`^-inlined-([^/]+)/\d+-$`)

// elixirOnTop says whether the first function of the program is one of Elixir.
func elixirOnTop(frames []stacktrace.Frame) bool {
	for _, f := range frames {
		name := strings.TrimPrefix(f.Function, "fun in ")
		if !carriedOnly(name) {
			return isElixir(name)
		}
	}
	return false
}

func isElixir(function string) bool {
	return function != "" && function[0] >= 'A' && function[0] <= 'Z'
}

// carriedOnly says whether a function is of the libraries that come with Erlang or Elixir.
func carriedOnly(function string) bool {
	m, _, erlang := strings.Cut(function, ":")
	if !erlang {
		if i := strings.LastIndexByte(strings.SplitN(function, "/", 2)[0], '.'); i > 0 {
			m = "Elixir." + function[:i]
		}
	}
	mfa := MFA{etf.Atom(m)}
	return mfa.library()
}

// bounded bounds a name or a sentence.
func bounded(s string) string {
	const most = 160
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + elided
	}
	return s
}

var escapeSigns = strings.NewReplacer(`\"`, `"`, `\n`, "\n", `\\`, `\`, `\t`, " ")

func unescaped(s string) string { return escapeSigns.Replace(s) }

// Words returns the words of an exception in which nothing stands that a program held:
// its first line, and an ellipsis in the place of each term that was printed into it.
func Words(message string) string {
	line, _, more := strings.Cut(message, "\n")
	var b strings.Builder
	for line != "" {
		i := strings.IndexAny(line, "%#{[\"<&'")
		if i < 0 {
			i = len(line)
		}
		b.WriteString(line[:i])
		if line = line[i:]; line == "" {
			break
		}
		if c := line[0]; c == '\'' && isApostrophe(b.String()) || c == '<' && !strings.HasPrefix(line, "<<") || c == '%' && !opensTerm(line) || c == '#' && !opensTerm(line) || c == '&' {
			b.WriteByte(c)
			line = line[1:]
			continue
		}
		var t printed
		t, line = readTerm(line)
		b.WriteString(t.safe())
	}
	said := endOf(b.String())
	if more && strings.TrimSpace(message[len(strings.SplitN(message, "\n", 2)[0]):]) != "" {
		said += " " + elided
	}
	if len(said) > longestSaid {
		said = strings.ToValidUTF8(said[:longestSaid], "") + elided
	}
	return said
}

const longestSaid = 300

// isApostrophe says whether a single quote is one of a word: don't.
func isApostrophe(before string) bool {
	if before == "" {
		return false
	}
	c := before[len(before)-1]
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// opensTerm says whether a term of Elixir or Erlang begins: %{, %Name{, #{, #PID<.
func opensTerm(s string) bool {
	n := 1 + spanOf(s[1:], isName)
	return n < len(s) && (s[n] == '{' || s[n] == '<' && s[0] == '#')
}

// bareTerm are terms without brackets or quotes at the end of what an exception says.
var bareTerm = regexp.MustCompile(`((?:not found in|got|got value|right hand side value|clause matching|value|given|received|term|Erlang error): )([^ …\[{][^ ,;]*)$`)

// endOf takes out a number or a name at the end, after words that announce a term.
func endOf(s string) string {
	m := bareTerm.FindStringSubmatch(s)
	if m == nil {
		return s
	}
	t, _ := readTerm(m[2])
	return s[:len(s)-len(m[2])] + t.safe()
}
