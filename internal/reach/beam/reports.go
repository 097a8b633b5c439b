package beam

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/fleetlens/fleetlens/internal/reach/stacktrace"
)

// A report is what is kept of a message in which a process of the node tells that it,
// or another one, went wrong. Such messages hold what the program had at hand: states,
// messages, arguments. Nothing of that is here.
type report struct {
	fault
	what    string // gen_server, gen_statem, proc_lib, supervisor, task, process
	process string // its name; its pid when it has none
	pid     string // <0.1.0>; may be empty
	under   string // the supervisor that tells of it; may be empty
	crash   bool   // an exception; else only a message of the kind that holds what a program had
	words   string // the program's own, before it
}

// say writes a report as a line of a log.
func (r *report) say() string {
	var b strings.Builder
	if r.words != "" {
		b.WriteString(r.words + ": ")
	}
	b.WriteString(r.what)
	if r.process != "" {
		b.WriteString(" " + r.process)
	}
	if !r.crash {
		if r.says != "" {
			b.WriteString(" " + r.says)
		}
		return b.String()
	}
	if !strings.HasSuffix(r.what, "by") {
		b.WriteString(" ended by")
	} else {
		b.WriteString(":")
	}
	b.WriteString(" " + r.kind + " " + r.kindOf)
	if r.says != "" {
		b.WriteString(": " + r.says)
	}
	if f := r.top(); f != "" {
		b.WriteString(" in " + f)
	}
	if r.under != "" {
		b.WriteString(", under " + r.under)
	}
	return b.String()
}

// top is the first function of the program itself.
func (r *report) top() string {
	for _, f := range r.frames {
		if !carriedOnly(strings.TrimPrefix(f.Function, "fun in ")) {
			return f.Function
		}
	}
	if len(r.frames) > 0 {
		return r.frames[0].Function
	}
	return ""
}

// understand reads the text of a record. Of a record that may hold what a program had
// at hand it returns a report; else nil, and the text as it may be kept.
func understand(r *record) (*report, string) {
	r.text = r.text[:min(len(r.text), longestRecord)]
	fields := fieldsOf(r.text)
	label, labelled := fields["label"]
	switch {
	case labelled:
		l, _ := readTerm(label)
		if l.kind == tTuple && len(l.elems) == 2 && l.at(0).kind == tAtom {
			return labelledReport(r, l.at(0), l.at(1), fields)
		}
	case strings.HasPrefix(r.text, "Error in process "):
		return emulator(r)
	}
	if rep := translated(r); rep != nil {
		return rep, rep.say()
	}
	if rep := printedStack(r); rep != nil {
		return rep, rep.say()
	}
	if fields != nil {
		return nil, plainReport(r.text)
	}
	return nil, cutHeld(r.text)
}

// reportField is a line that begins a field of a report as logger:format_report/1 writes it.
var reportField = regexp.MustCompile(`(?m)^    ([a-z_]+|'[A-Za-z_. ]+'): `)

// fieldsOf reads the fields of a report, nil when the text is none. The value of a
// reportField goes on to the next one.
func fieldsOf(s string) map[string]string {
	at := reportField.FindAllStringSubmatchIndex(s, -1)
	if len(at) == 0 || strings.TrimSpace(s[:at[0][0]]) != "" {
		return nil
	}
	out := make(map[string]string, len(at))
	for i, m := range at {
		end := len(s)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		name := strings.Trim(s[m[2]:m[3]], "'")
		if _, twice := out[name]; !twice { // the first: a value may look like a field
			out[name] = strings.TrimRight(s[m[1]:end], " \n")
		}
	}
	return out
}

func fieldTerm(fields map[string]string, name string) printed {
	t, _ := readTerm(fields[name])
	return t
}

// labelledReport reads a report of Erlang's own libraries: they say in label what it is.
func labelledReport(r *record, who, what printed, fields map[string]string) (*report, string) {
	rep := &report{what: who.safe(), pid: r.pid}
	switch {
	case who.is("error_logger"):
		return formatted(r, fields)
	case what.is("terminate"), what.is("terminating"):
		if inner := fieldTerm(fields, "report"); inner.kind == tMap { // of a task of Elixir
			rep.what = "task"
			rep.ended(inner.get("name"), "", inner.get("reason"), printed{})
			break
		}
		reason := fieldTerm(fields, "reason")
		if class := reason.at(0).text; reason.kind == tTuple && len(reason.elems) == 3 && slices.Contains(ExceptionKinds(), class) {
			rep.ended(fieldTerm(fields, "name"), class, reason.elems[1], reason.elems[2]) // of a gen_statem
			break
		}
		rep.ended(fieldTerm(fields, "name"), "", reason, printed{})
	case who.is("proc_lib") && what.is("crash"):
		rep.crashed(fieldTerm(fields, "report"))
	case who.is("supervisor") && !what.is("progress"):
		rep.told(fieldTerm(fields, "report"), what)
	case what.is("no_handle_info"):
		rep.process = cmp.Or(processOf(fieldTerm(fields, "name")), r.pid)
		rep.says = "got a message for which " + fieldTerm(fields, "module").safe() + " has no clause of handle_info"
	default:
		rep.process = ""
		rep.says = "says " + what.safe()
		for _, name := range []string{"module", "application", "name", "reason", "exited"} {
			if v := fieldTerm(fields, name).safe(); v != elided {
				rep.says = joinWords(rep.says, name+" "+v)
			}
		}
		if inner := fieldTerm(fields, "report"); inner.kind == tList {
			for _, name := range []string{"supervisor", "application", "started_at", "exited"} {
				if v := cmp.Or(processOf(inner.get(name)), strings.Trim(inner.get(name).safe(), elided)); v != "" {
					rep.says = joinWords(rep.says, name+" "+v)
				}
			}
			if id := inner.get("started").get("id").safe(); id != elided {
				rep.says = joinWords(rep.says, "started "+id)
			}
		}
	}
	return rep, rep.say()
}

// ended is of a process that tells so itself.
func (r *report) ended(name printed, class string, reason, stack printed) {
	r.crash = true
	r.fault = faultOf(class, reason, stack)
	r.process = cmp.Or(processOf(name), r.pid)
}

// crashed is of proc_lib: [[{initial_call, …}, {error_info, {Class, Reason, Stack}}, …], Neighbours].
func (r *report) crashed(all printed) {
	own := all.at(0)
	info := own.get("error_info")
	r.crash = true
	r.what = "process"
	r.fault = faultOf(info.at(0).text, info.at(1), info.at(2))
	r.process = cmp.Or(processOf(own.get("registered_name")), initialCall(own.get("initial_call")), r.pid)
	r.pid = cmp.Or(processOf(own.get("pid")), r.pid)
}

// initialCall writes {Module, Function, Arguments}.
func initialCall(t printed) string {
	if t.kind != tTuple || len(t.elems) != 3 || t.at(0).kind != tAtom || t.at(1).kind != tAtom {
		return ""
	}
	return frameOf(t.at(0), t.at(1), t.at(2), printed{}).Function
}

// told is of a supervisor: [{supervisor, Name}, {errorContext, …}, {reason, …}, {offender, […]}].
func (r *report) told(all, what printed) {
	r.under = processOf(all.get("supervisor"))
	offender := all.get("offender")
	child := cmp.Or(processOf(offender.get("id")), processOf(offender.get("name")), processOf(offender.get("mod")))
	start := offender.get("mfargs")
	if child == "" {
		child = initialCall(start)
	}
	r.crash = true
	r.fault = faultOf("", all.get("reason"), printed{})
	r.process, r.pid = child, processOf(offender.get("pid"))
	if what.is("shutdown") {
		r.kind, r.what, r.process, r.pid = KindMessage, "supervisor", r.under, ""
		r.says = joinWords(r.says, "it gave up, its last child was "+cmp.Or(child, "unknown"))
		r.under = ""
		return
	}
	if !what.is("child_terminated") {
		r.says = joinWords(r.says, what.safe())
	}
	r.what = "child"
}

// exitedProcess is how the node itself tells of a process that nobody watches over.
var exitedProcess = regexp.MustCompile(`^Error in process (<[0-9.]+>)( with name '?([^' ]+)'?)?[^\n]*with exit value:`)

func emulator(r *record) (*report, string) {
	m := exitedProcess.FindStringSubmatchIndex(r.text)
	if m == nil {
		return nil, cutHeld(r.text)
	}
	rep := &report{what: "process", pid: r.text[m[2]:m[3]]}
	name := printed{kind: tOpaque, text: rep.pid}
	if m[6] >= 0 {
		name = printed{kind: tAtom, text: r.text[m[6]:m[7]]}
	}
	reason, _ := readTerm(r.text[m[1]:])
	rep.ended(name, "", reason, printed{})
	return rep, rep.say()
}

// elixirBegins is how Elixir's own words for a report begin.
var elixirBegins = regexp.MustCompile(`^\s*(?:\[[^\]]*\] )?(GenServer|Task|Process|Agent|:gen_event handler|:gen_statem|:gen_fsm|GenStage consumer|State machine|Child|Supervisor) ([^\s]+)[^\n]*?(terminating|terminated|raised an exception|exited|failed|shut down|crashed)`)

// elixirTitles are what Elixir calls processes in its words for a report.
var elixirTitles = map[string]string{"GenServer": "gen_server", ":gen_statem": "gen_statem", ":gen_event handler": "gen_event", "Task": "task", "Child": "child", "Supervisor": "supervisor"}

// translated reads a text of Elixir: its own words for a report, which from 1.15 on
// every handler is given in its place, or an exception that somebody wrote to the log.
func translated(r *record) *report {
	rep := &report{what: "an exception was logged by", process: r.pid, pid: r.pid}
	m := elixirBegins.FindStringSubmatch(r.text)
	if m != nil {
		rep.what, rep.process = cmp.Or(elixirTitles[m[1]], "process"), shownProcess(m[2])
	}
	start := strings.Index(r.text, "** (")
	t, ok := stacktrace.Trace{}, false
	if start >= 0 {
		t, ok = stacktrace.Parse(r.text[start:])
	}
	if !ok {
		if m == nil || !strings.Contains(r.text, "\n") {
			return nil
		}
		rep.says = m[3]
		return rep
	}
	rep.crash = true
	if m != nil && m[1] == "Child" { // a supervisor tells of it
		rep.under, rep.pid = shownProcess(firstGroup(underOf, r.text)), shownProcess(firstGroup(childPID, r.text))
	}
	rep.fault = fault{kind: KindError, kindOf: bounded(t.Type), says: Words(t.Message), elixir: true}
	for _, f := range t.Frames {
		f.Function = ourName(f.Function)
		rep.frames = append(rep.frames, f)
	}
	switch t.Type {
	case "exit", "stop", "EXIT", "throw":
		rep.kind = map[bool]string{true: KindThrow, false: KindExit}[t.Type == "throw"]
		rep.kindOf, rep.says = exitOf(t.Message, t.Causes)
	}
	return rep
}

// ourName writes a function of a stack of Elixir as [Function] does.
func ourName(function string) string {
	if _, in, ok := strings.Cut(function, " in "); ok && strings.HasPrefix(function, "anonymous fn") {
		return "fun in " + ourName(in)
	}
	if erlang, ok := strings.CutPrefix(function, ":"); ok {
		return strings.Replace(erlang, ".", ":", 1)
	}
	return function
}

// underOf and childPID are in the words of a supervisor of Elixir.
var (
	underOf  = regexp.MustCompile(`of Supervisor ([^\s]+)`)
	childPID = regexp.MustCompile(`(?m)^Pid: ([^\s]+)`)
)

func firstGroup(re *regexp.Regexp, s string) string {
	if m := re.FindStringSubmatch(s); m != nil {
		return m[1]
	}
	return ""
}

// exitOf reads what Elixir says of an exit: a term; exited in: GenServer.call(Shop.Cart,
// …, 5000), and why; or an exception was raised, and which.
func exitOf(message string, causes []string) (name, says string) {
	cause := ""
	if len(causes) > 0 {
		cause = causes[0]
	}
	if strings.HasPrefix(message, "an exception was raised") {
		kind, words, _ := strings.Cut(strings.TrimPrefix(cause, "("), ") ")
		return cmp.Or(bounded(strings.TrimSuffix(kind, ")")), "exit"), Words(words)
	}
	if call, ok := strings.CutPrefix(message, "exited in: "); ok {
		_, call, _ = strings.Cut(call, "(")
		callee, _ := readTerm(call)
		says = "in a call of " + cmp.Or(processOf(callee), "a process")
		for words, name := range map[string]string{"time out": "timeout", "no process": "noproc", "shutdown": "shutdown", "normal": "normal", "an exception was raised": "exception"} {
			if strings.HasPrefix(cause, "(EXIT) "+words) {
				return name, says
			}
		}
		return "exit", says
	}
	if reason, after := readTerm(message); strings.TrimSpace(after) == "" {
		if name, says = typeOf(reason); name != "unknown" && name != elided {
			return name, says
		}
	}
	return "exit", Words(message)
}

// shownProcess writes the name of a process as Elixir prints it.
func shownProcess(name string) string {
	t, _ := readTerm(strings.TrimRight(name, ":,"))
	return processOf(t)
}

// stackBegins is how a stack of Erlang or Elixir begins that was printed into a text.
var stackBegins = regexp.MustCompile(`\[\s*\{[:']?[A-Za-z][\w.@]*'?,\s*[:']?[\w-][^,{}\[\]]*,\s*(\d+|\[)`)

// mostTries bounds within how many terms a stack is looked for.
const mostTries = 12

// printedStack reads a text into which a program printed a stack: what stood before the
// fieldTerm with it is kept, and the fault.
func printedStack(r *record) *report {
	at := stackBegins.FindStringIndex(r.text)
	if at == nil {
		return nil
	}
	for i, tries := 0, 0; i <= at[0] && tries < mostTries; i++ {
		if r.text[i] != '{' && r.text[i] != '[' {
			continue
		}
		t, after := readTerm(r.text[i:])
		if end := len(r.text) - len(after); end <= at[0] {
			i = max(i, end-1) // it ends before the stack
			continue
		}
		tries++
		if i < at[0] && (t.kind != tTuple || framesOf(t.at(1)) == nil) {
			continue
		}
		rep := &report{what: "an exception was logged by", process: r.pid, pid: r.pid, crash: true}
		if before := r.text[:i]; i == at[0] {
			rep.fault = faultOf("", reasonBefore(before), t)
		} else {
			rep.fault = faultOf("", t, printed{})
		}
		rep.words = strings.TrimRight(Words(strings.TrimSpace(r.text[:i])), " :=")
		return rep
	}
	return nil
}

// heldLine begins the lines of a report that hold what the program had at hand.
var heldLine = regexp.MustCompile(`(?mi)^\s*(\*\* )?(last message|last event|(when )?(server|user|handler)? ?(state|data)\b|client [^\n]*|function:|args:|arguments:|start call:|dictionary:|messages:|message:|queue:|queued|postponed|log:|the following arguments were given|the following parameters|params:|parameters:|attempted function clauses|user supplied|neighbours?:|state: |last_message: |client_info: |reason for termination)`)

// cutHeld leaves out what follows the first line that announces what a program had at hand,
// and the arguments in stacks.
func cutHeld(s string) string {
	if at := heldLine.FindStringIndex(s); at != nil && at[0] > 0 {
		s = strings.TrimRight(s[:at[0]], " \n") + " " + elided
	}
	return s
}

// reasonOf announces a reason in a program's own words.
var reasonOf = regexp.MustCompile(`(?i)(reason|error|exception)s?( was| is)?[:=]? +`)

// reasonBefore reads the reason that stands before a stack of its own.
func reasonBefore(s string) printed {
	at := reasonOf.FindAllStringIndex(s, -1)
	if len(at) == 0 {
		return printed{}
	}
	t, _ := readTerm(s[at[len(at)-1][1]:])
	return t
}

// plainReport writes a report of the program's own in a line, without the fields that hold
// what it had at hand.
func plainReport(s string) string {
	var parts []string
	at := reportField.FindAllStringIndex(s, -1)
	for i, m := range at {
		end := len(s)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		one := strings.TrimSpace(s[m[0]:end])
		name, _, _ := strings.Cut(one, ":")
		if slices.Contains(hiddenFields, strings.Trim(name, "'")) {
			one = name + ": " + elided
		}
		parts = append(parts, one)
	}
	return strings.Join(parts, ", ")
}

// hiddenFields are fields that hold what a program had at hand, whatever it reports.
var hiddenFields = []string{"state", "data", "last_message", "message_queue", "messages", "dictionary", "args", "arguments", "client_info", "queue", "postponed", "log", "mfargs", "params", "body", "headers"}

// formatted is a message of the old kind: its text with the arguments put into it.
func formatted(r *record, fields map[string]string) (*report, string) {
	format, ok := fields["format"]
	if !ok {
		return nil, oldReport(fieldTerm(fields, "report"))
	}
	if t, _ := readTerm(format); t.kind == tText && strings.HasPrefix(format, `"`) {
		format = unescaped(t.text)
	}
	inner := *r
	inner.text = fillFormat(format, rawElems(fields["args"]))
	inner.domain = ""
	if strings.HasPrefix(inner.text, "    label: ") {
		return nil, cutHeld(inner.text) // not twice
	}
	return understand(&inner)
}

// oldReport writes a list of pairs, as far as it is names.
func oldReport(t printed) string {
	parts := []string{"report"}
	for _, e := range t.elems {
		if e.kind == tTuple && len(e.elems) == 2 {
			parts = append(parts, e.elems[0].safe()+" "+e.elems[1].safe())
		} else {
			parts = append(parts, e.safe())
		}
	}
	return bounded(strings.Join(parts, ", "))
}

// rawElems returns the elements of a list as they are printed.
func rawElems(s string) []string {
	var out []string
	s = strings.TrimPrefix(strings.TrimSpace(s), "[")
	for {
		s = strings.TrimLeft(s, " \t\r\n,|")
		if s == "" || s[0] == ']' {
			return out
		}
		t, after := readTerm(s)
		one := s[:len(s)-len(after)]
		if t.kind == tText {
			one = unescaped(t.text)
		}
		out = append(out, one)
		s = after
	}
}

// formatDirective is where an argument goes, or a new line.
var formatDirective = regexp.MustCompile(`~(-?[0-9*.]*[tl]*)([a-zA-Z~])`)

// fillFormat puts arguments into a format of io:format.
func fillFormat(format string, arguments []string) string {
	next := func() string {
		if len(arguments) == 0 {
			return elided
		}
		a := arguments[0]
		arguments = arguments[1:]
		return a
	}
	return formatDirective.ReplaceAllStringFunc(format, func(d string) string {
		switch d[len(d)-1] {
		case 'n':
			return "\n"
		case '~':
			return "~"
		case 'P', 'W':
			a := next()
			next() // its depth
			return a
		case 'i':
			next()
			return ""
		}
		return next()
	})
}
