package logs

import (
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/logtemplate"
)

// A Level says how grave an entry is, as syslog orders them: smaller is graver.
type Level uint8

// Levels. What has none counts as Info.
const (
	Emergency Level = iota
	Alert
	Critical
	Error
	Warning
	Notice
	Info
	Debug
)

var levelNames = [...]string{"emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"}

// Levels returns the names of the levels, the gravest first.
func Levels() []string { return append([]string(nil), levelNames[:]...) }

// String returns the level's name.
func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return "info"
}

// IsError says whether the level is error or graver.
func (l Level) IsError() bool { return l <= Error }

// ParseLevel knows a level by its name or by what programs write for it; false
// when it is none.
func ParseLevel(s string) (Level, bool) {
	if len(s) > 13 || s == "" {
		return Info, false
	}
	switch strings.ToLower(s) {
	case "emergency", "emerg":
		return Emergency, true
	case "alert":
		return Alert, true
	case "critical", "crit", "fatal", "severe", "panic", "dpanic":
		return Critical, true
	case "error", "err", "failure":
		return Error, true
	case "warning", "warn", "wrn":
		return Warning, true
	case "notice":
		return Notice, true
	case "info", "information", "inf", "informational":
		return Info, true
	case "debug", "dbg", "trace", "fine", "finer", "finest", "verbose":
		return Debug, true
	}
	return Info, false
}

// TemplateID names a template for as long as the reader lives.
type TemplateID = logtemplate.ID

// An Entry is a line of a log without its header.
type Entry struct {
	Time     time.Time // when it was logged, else when it was read
	Level    Level
	Source   string // the file, container or unit it came from
	Module   string // the program, logger or class that wrote it; may be empty
	PID      int    // 0 when it is not told
	Process  string // of a virtual machine: who logged it; may be empty
	Func     string // where in the code, as name/arity; may be empty
	Line     int    // 0 when it is not told
	Domain   string // what the program says it belongs to; may be empty
	Message  string
	Cut      bool       // the message was longer
	Template TemplateID // filled by the reader
}
