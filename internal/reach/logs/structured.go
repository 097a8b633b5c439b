package logs

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// parseJSON reads a line that is a JSON object with a message, as structured
// loggers write it.
func parseJSON(line string, now time.Time, e *Entry) bool {
	var o map[string]json.RawMessage
	if json.Unmarshal([]byte(line), &o) != nil {
		return false
	}
	text := func(names ...string) string {
		for _, n := range names {
			if s := scalar(o[n]); s != "" {
				return s
			}
		}
		return ""
	}
	message := strings.TrimRight(text("message", "msg", "MESSAGE", "log", "@message", "event"), "\r\n")
	if message == "" {
		return false
	}
	e.Message = message
	e.Module = text("logger", "logger_name", "module", "component", "service", "name", "caller")
	e.PID, _ = strconv.Atoi(text("pid", "process_id"))
	level := text("level", "severity", "lvl", "levelname", "log.level", "loglevel")
	if l, known := ParseLevel(level); known {
		e.Level = l
	} else {
		e.Level = numberedLevel(level, e.Message)
	}
	e.Time = jsonTime(text("time", "timestamp", "ts", "@timestamp", "datetime", "date"), now)
	if stack := text("stack", "stacktrace", "stack_trace", "exception", "error.stack_trace", "exc_info"); strings.Contains(stack, "\n") {
		e.Message += "\n" + stack
	}
	return true
}

// scalar returns a text or a number as text, and nothing for anything else.
func scalar(raw json.RawMessage) string {
	if len(raw) == 0 {
		return ""
	}
	switch raw[0] {
	case '"':
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return ""
		}
		return s
	case '{', '[', 'n':
		return ""
	}
	return string(raw)
}

// numberedLevel knows the numbers of bunyan and pino: 50 is error.
func numberedLevel(level, message string) Level {
	switch n, err := strconv.Atoi(level); {
	case err != nil || n < 10:
		return guess(message)
	case n >= 60:
		return Critical
	case n >= 50:
		return Error
	case n >= 40:
		return Warning
	case n >= 30:
		return Info
	}
	return Debug
}

// jsonTime reads a time in text, or in seconds, milliseconds, micro- or
// nanoseconds since 1970.
func jsonTime(s string, now time.Time) time.Time {
	if s == "" {
		return time.Time{}
	}
	if n, err := strconv.ParseFloat(s, 64); err == nil {
		if n < 1e8 || n > 1e20 {
			return time.Time{}
		}
		for n > 1e11 {
			n /= 1000
		}
		return time.Unix(0, int64(n*1e9))
	}
	t, _, _ := takeTime(s, now)
	return t
}

// containerLine takes off what the container runtime puts around a line: Docker's
// JSON, or the time, stream and tag of CRI. More says that the line goes on in
// the next one.
func containerLine(line string) (text string, at time.Time, more bool) {
	if strings.HasPrefix(line, "{") {
		var d struct {
			Log  string    `json:"log"`
			Time time.Time `json:"time"`
		}
		if json.Unmarshal([]byte(line), &d) != nil || d.Log == "" {
			return line, at, false
		}
		return strings.TrimRight(d.Log, "\r\n"), d.Time, !strings.HasSuffix(d.Log, "\n")
	}
	stamp, rest, _ := strings.Cut(line, " ")
	stream, rest, _ := strings.Cut(rest, " ")
	tag, rest, _ := strings.Cut(rest, " ")
	t, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil || stream != "stdout" && stream != "stderr" || tag == "" {
		return line, at, false
	}
	return rest, t, strings.HasPrefix(tag, "P")
}

// journalEntry reads an entry as journalctl -o json writes it, and its cursor.
func journalEntry(line []byte) (e Entry, cursor string, err error) {
	var o map[string]json.RawMessage
	if err := json.Unmarshal(line, &o); err != nil {
		return e, "", fmt.Errorf("an entry of the journal: %w", err)
	}
	text := func(name string) string { return journalText(o[name]) }
	e = Entry{Level: Info, Source: "journal", Module: text("SYSLOG_IDENTIFIER"), Message: text("MESSAGE")}
	if n, err := strconv.Atoi(text("PRIORITY")); err == nil && n >= 0 && n <= int(Debug) {
		e.Level = Level(n)
	}
	if us, err := strconv.ParseInt(text("__REALTIME_TIMESTAMP"), 10, 64); err == nil {
		e.Time = time.UnixMicro(us)
	}
	e.PID, _ = strconv.Atoi(text("_PID"))
	if e.Module == "" {
		e.Module = text("_COMM")
	}
	if unit := text("_SYSTEMD_UNIT"); unit != "" {
		e.Source = "journal:" + unit
	}
	// What programs print has the priority of their output, info: their own header tells more.
	if text("_TRANSPORT") == "stdout" && e.Message != "" && !strings.Contains(e.Message, "\n") && !continues(e.Message) {
		inner := ParseLine(e.Message, e.Time)
		e.Level, e.Message = min(e.Level, inner.Level), inner.Message
	}
	if stack := text("COREDUMP_STACKTRACE"); stack != "" {
		e.Message += "\n" + stack
	}
	return e, text("__CURSOR"), nil
}

// journalText reads a field of the journal: a text, a list of bytes when it is no
// UTF-8, or a list of texts, of which the first counts.
func journalText(raw json.RawMessage) string {
	if len(raw) == 0 || raw[0] != '[' {
		return scalar(raw)
	}
	var numbers []int
	if json.Unmarshal(raw, &numbers) == nil {
		b := make([]byte, len(numbers))
		for i, n := range numbers {
			b[i] = byte(n)
		}
		return strings.ToValidUTF8(string(b), "\ufffd")
	}
	var many []json.RawMessage
	if json.Unmarshal(raw, &many) == nil && len(many) > 0 && len(many[0]) > 0 && many[0][0] == '"' {
		return scalar(many[0])
	}
	return ""
}
