package logs

import (
	"strconv"
	"strings"
	"time"
)

// ParseLine takes the header off a line of a file: time, host, program, process,
// level and logger, in the orders that programs and syslog daemons write them.
// What it does not recognise stays in the message. Times without a zone are the
// machine's own; without a year the last one before now. The entry's time is zero
// when the line tells none.
func ParseLine(line string, now time.Time) (e Entry) {
	e.Level = Info
	line = strings.TrimRight(plain(line), " \t\r\n")
	if strings.HasPrefix(line, "{") && parseJSON(line, now, &e) {
		return e
	}
	h := header{rest: line, now: now, e: &e}
	h.take()
	e.Message = strings.TrimLeft(h.rest, " \t")
	if e.Message == "" {
		e.Message = line
	}
	if !h.level {
		e.Level = guess(e.Message)
	}
	return e
}

// plain returns s without the sequences that colour a terminal.
func plain(s string) string {
	if strings.IndexByte(s, 0x1b) < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != 0x1b || i+1 >= len(s) || s[i+1] != '[' {
			b.WriteByte(s[i])
			continue
		}
		i += 2
		for i < len(s) && (s[i] < '@' || s[i] > '~') {
			i++
		}
	}
	return b.String()
}

// A header is being taken off a line.
type header struct {
	rest   string
	now    time.Time
	e      *Entry
	level  bool
	syslog bool // the time is as syslog daemons write it: a host follows
	pieces int
}

func (h *header) take() {
	h.priority()
	for range 8 {
		h.rest = strings.TrimLeft(h.rest, " \t")
		if h.pieces > 0 {
			h.rest = strings.TrimLeft(h.rest, " \t|-")
		}
		if h.rest == "" || !h.time() && !h.program() && !h.bracket() && !h.word() {
			return
		}
		h.pieces++
	}
}

// priority takes <34> and the version after it, as syslog has them on the wire.
func (h *header) priority() {
	end := strings.IndexByte(h.rest, '>')
	if !strings.HasPrefix(h.rest, "<") || end < 2 || end > 4 {
		return
	}
	n, err := strconv.Atoi(h.rest[1:end])
	if err != nil || n < 0 || n > 191 {
		return
	}
	h.e.Level, h.level = Level(n%8), true
	h.rest = strings.TrimPrefix(h.rest[end+1:], "1 ")
}

func (h *header) time() bool {
	if !h.e.Time.IsZero() {
		return false
	}
	s, bracket := strings.CutPrefix(h.rest, "[")
	t, n, syslog := takeTime(s, h.now)
	if n == 0 {
		return false
	}
	s = s[n:]
	if bracket {
		if s, bracket = strings.CutPrefix(s, "]"); !bracket {
			return false
		}
	}
	h.e.Time, h.rest, h.syslog = t, strings.TrimPrefix(s, ":"), syslog
	return true
}

// program takes "host program[pid]: ", which follows a time of syslog's.
func (h *header) program() bool {
	if h.e.Time.IsZero() || h.pieces != 1 {
		return false
	}
	host, rest, _ := strings.Cut(h.rest, " ")
	program, _, found := strings.Cut(rest, ": ")
	if !found {
		program, found = strings.CutSuffix(rest, ":")
	}
	if !found || program == "" || len(program) > 64 || strings.ContainsAny(program, " \t") || strings.ContainsAny(host, "[]:=\"") {
		return false
	}
	_, level := ParseLevel(host)
	if !h.syslog && (level || !strings.HasSuffix(program, "]")) {
		return false
	}
	h.rest = strings.TrimPrefix(rest[len(program):], ":")
	name, pid, _ := strings.Cut(strings.TrimSuffix(program, "]"), "[")
	if n, err := strconv.Atoi(pid); err == nil && n > 0 {
		h.e.PID = n
	}
	h.e.Module = name
	return true
}

// bracket takes [error], [1234], [main] or (1234).
func (h *header) bracket() bool {
	if h.rest[0] != '[' && h.rest[0] != '(' || h.pieces == 0 {
		return false
	}
	end := strings.IndexByte(h.rest, closingOf(h.rest[0]))
	if end < 2 || end > 64 || !h.inside(strings.TrimSpace(h.rest[1:end])) {
		return false
	}
	h.rest = strings.TrimPrefix(h.rest[end+1:], ":")
	return true
}

func closingOf(open byte) byte {
	if open == '(' {
		return ')'
	}
	return ']'
}

// inside takes what stands in brackets, when it is of a header.
func (h *header) inside(s string) bool {
	if l, ok := ParseLevel(s); ok && !h.level {
		h.e.Level, h.level = l, true
		return true
	}
	if module, level, ok := strings.Cut(s, ":"); ok { // Apache's [core:error]
		l, isLevel := ParseLevel(level)
		if isLevel && !h.level {
			h.e.Level, h.level, h.e.Module = l, true, module
		}
		return isLevel
	}
	if pid, err := strconv.Atoi(strings.TrimPrefix(s, "pid ")); err == nil {
		h.e.PID = pid
		return true
	}
	_, rest, _ := strings.Cut(h.rest, string(closingOf(h.rest[0]))+" ")
	logger, _, _ := strings.Cut(rest, " ")
	return !strings.ContainsAny(s, " \t=") && (!h.level || strings.HasSuffix(logger, ":")) // the name of a thread
}

// word takes a level, a number of a process, or the name of a logger.
func (h *header) word() bool {
	w, rest, _ := strings.Cut(h.rest, " ")
	bare := strings.TrimRight(w, ":|")
	if l, ok := ParseLevel(bare); ok && !h.level && (h.pieces > 0 || bare == strings.ToUpper(bare)) {
		h.e.Level, h.level, h.rest = l, true, rest
		return true
	}
	if h.e.Time.IsZero() || rest == "" {
		return false
	}
	if l, ok := letterLevel(bare); ok && !h.level && w == bare {
		h.e.Level, h.level, h.rest = l, true, rest
		return true
	}
	if len(bare) <= 8 && isNumber(bare) && h.e.Module == "" && headerGoesOn(rest) {
		h.e.PID, _ = strconv.Atoi(bare)
		h.rest = rest
		return true
	}
	names := strings.HasSuffix(w, ":") || strings.HasPrefix(rest, "- ") && strings.Contains(w, ".")
	if h.e.Module == "" && h.level && names && len(w) <= 96 && beginsWithLetter(bare) && !strings.ContainsAny(bare, "=\"'()/") {
		h.e.Module, h.rest = bare, rest
		return true
	}
	return false
}

func beginsWithLetter(s string) bool {
	return s != "" && (s[0]|0x20 >= 'a' && s[0]|0x20 <= 'z' || s[0] == '_')
}

// headerGoesOn says whether more of a header follows a number: else the number is
// of the message.
func headerGoesOn(rest string) bool {
	w, _, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
	_, level := ParseLevel(strings.Trim(w, ":[]"))
	_, letter := letterLevel(w)
	return level || letter || isNumber(w)
}

// letterLevel knows the single letters of Android and glog.
func letterLevel(w string) (Level, bool) {
	switch w {
	case "F":
		return Critical, true
	case "E":
		return Error, true
	case "W":
		return Warning, true
	case "I":
		return Info, true
	case "D", "V":
		return Debug, true
	}
	return Info, false
}

func isNumber(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
