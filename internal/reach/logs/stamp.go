package logs

import (
	"strings"
	"time"
)

// layouts are the times at the beginning of lines: the shape, in which 0 is any
// digit and A any letter, and how it is read.
var layouts = []struct {
	shape, layout string
	syslog        bool
}{
	{"0000-00-00T00:00:00", "2006-01-02T15:04:05", false},
	{"0000-00-00 00:00:00", "2006-01-02 15:04:05", false},
	{"0000/00/00 00:00:00", "2006/01/02 15:04:05", false},
	{"00/AAA/0000:00:00:00", "02/Jan/2006:15:04:05", false},
	{"00/00/00 00:00:00", "06/01/02 15:04:05", false},
	{"00-00 00:00:00", "01-02 15:04:05", false},
	{"AAA AAA 00 00:00:00", "Mon Jan 02 15:04:05", false},
	{"AAA AAA  0 00:00:00", "Mon Jan  2 15:04:05", false},
	{"AAA 00 00:00:00", "Jan 02 15:04:05", true},
	{"AAA  0 00:00:00", "Jan  2 15:04:05", true},
	{"000000 000000", "060102 150405", false},
	{"00:00:00", "15:04:05", false},
}

// takeTime reads the time at the beginning of s and returns how long it is there;
// 0 when there is none.
func takeTime(s string, now time.Time) (t time.Time, n int, syslog bool) {
	shape := shapeOf(s)
	for _, l := range layouts {
		if !strings.HasPrefix(shape, l.shape) {
			continue
		}
		n = len(l.shape)
		fraction := fractionLen(s[n:])
		layout, text := l.layout, strings.Replace(s[:n+fraction], ",", ".", 1)
		n += fraction
		if strings.HasPrefix(l.shape, "AAA AAA") && yearAt(s[n:]) { // the date of ctime ends with the year
			layout, text, n = layout+" 2006", text+s[n:n+5], n+5
		}
		zone, width := zoneOf(s[n:])
		t, err := time.ParseInLocation(layout, text, zone)
		if err != nil {
			return time.Time{}, 0, false
		}
		return dated(t, layout, now), n + width, l.syslog
	}
	return t, 0, false
}

// shapeOf writes the beginning of s with 0 for digits and A for letters.
func shapeOf(s string) string {
	var shape [20]byte
	n := min(len(s), len(shape))
	for k := range n {
		switch c := s[k]; {
		case c >= '0' && c <= '9':
			shape[k] = '0'
		case c|0x20 >= 'a' && c|0x20 <= 'z' && (c != 'T' || k != 10):
			shape[k] = 'A'
		default:
			shape[k] = c
		}
	}
	return string(shape[:n])
}

func yearAt(s string) bool {
	return len(s) >= 5 && s[0] == ' ' && isNumber(s[1:5]) && (len(s) == 5 || s[5] < '0' || s[5] > '9')
}

func fractionLen(s string) int {
	if len(s) < 2 || s[0] != '.' && s[0] != ',' || s[1] < '0' || s[1] > '9' {
		return 0
	}
	n := 1
	for n < len(s) && n < 10 && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// zoneOf reads Z, +0200, +02:00 or UTC, with a space before it or without.
func zoneOf(s string) (*time.Location, int) {
	z := strings.TrimPrefix(s, " ")
	space := len(s) - len(z)
	switch {
	case strings.HasPrefix(z, "Z") && (len(z) == 1 || z[1] == ' ' || z[1] == ']'):
		return time.UTC, space + 1
	case strings.HasPrefix(z, "UTC"):
		return time.UTC, space + 3
	case len(z) < 5 || z[0] != '+' && z[0] != '-':
		return time.Local, 0
	}
	for _, layout := range []string{"-07:00", "-0700"} {
		if len(z) >= len(layout) {
			if t, err := time.Parse(layout, z[:len(layout)]); err == nil {
				return t.Location(), space + len(layout)
			}
		}
	}
	return time.Local, 0
}

// dated adds what the layout leaves out: the year, or the whole date.
func dated(t time.Time, layout string, now time.Time) time.Time {
	switch {
	case strings.Contains(layout, "06"):
		return t
	case layout == "15:04:05":
		y, m, d := now.In(t.Location()).Date()
		t = time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location())
		if t.After(now.Add(time.Hour)) {
			return t.AddDate(0, 0, -1)
		}
		return t
	}
	t = t.AddDate(now.Year()-t.Year(), 0, 0)
	if t.After(now.Add(24 * time.Hour)) {
		t = t.AddDate(-1, 0, 0)
	}
	return t
}
