// Package kmsg reads the kernel's log (/dev/kmsg) and tells the events in it that
// harm programs: killed for want of memory, hung, a disk or a filesystem in trouble.
//
// It reads when it is asked and keeps nothing. Parsers take bytes and never panic on
// what they are given.
package kmsg

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// A Record is one message of the kernel's log.
type Record struct {
	Seq      uint64
	At       time.Time
	Severity int // 0 emergency … 7 debug, as syslog counts
	Text     string
}

// maxText bounds the text of one record; the kernel's own bound is about 1000.
const maxText = 1024

// parse reads a record as /dev/kmsg gives it: "prefix,seq,microseconds,flags;text",
// with continuation lines " KEY=value" that are left out. It is false where that is
// no record, or not the kernel's own: programs may write there too, as another facility.
func parse(b []byte, booted time.Time) (Record, bool) {
	head, text, ok := bytes.Cut(b, []byte{';'})
	if !ok {
		return Record{}, false
	}
	f := bytes.Split(head, []byte{','})
	if len(f) < 3 {
		return Record{}, false
	}
	priority, err1 := strconv.ParseUint(string(f[0]), 10, 32)
	seq, err2 := strconv.ParseUint(string(f[1]), 10, 64)
	usec, err3 := strconv.ParseUint(string(f[2]), 10, 62)
	if err1 != nil || err2 != nil || err3 != nil || priority>>3 != 0 {
		return Record{}, false
	}
	text, _, _ = bytes.Cut(text, []byte{'\n'})
	return Record{
		Seq: seq, At: booted.Add(time.Duration(min(usec, 1<<52)) * time.Microsecond), Severity: int(priority & 7),
		// A mark of one byte: the text gets no longer.
		Text: string(bytes.ToValidUTF8(text[:min(len(text), maxText)], []byte("?"))),
	}, true
}

// A Refused error says that the kernel's log may not be read here, and what grants it.
type Refused struct{ Err error }

// Error implements error.
func (r Refused) Error() string {
	return fmt.Sprintf("read the kernel's log: %v: give the probe CAP_SYSLOG (AmbientCapabilities=CAP_SYSLOG in its systemd unit), or set kernel.dmesg_restrict=0", r.Err)
}

// Unwrap returns the cause.
func (r Refused) Unwrap() error { return r.Err }

// sequence returns the number of a record, its own or a program's.
func sequence(b []byte) (uint64, bool) {
	_, rest, _ := bytes.Cut(b, []byte{','})
	n, _, ok := bytes.Cut(rest, []byte{','})
	seq, err := strconv.ParseUint(string(n), 10, 63)
	return seq, ok && err == nil
}
