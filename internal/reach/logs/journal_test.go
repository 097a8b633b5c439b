package logs_test

import (
	"testing"

	"github.com/fleetlens/fleetlens/internal/reach/logs"
)

func FuzzJournalEntry(f *testing.F) {
	for _, s := range []string{`{}`, `{"MESSAGE":[1,2,300]}`, `{"MESSAGE":["a","b"],"PRIORITY":"9"}`, `{"MESSAGE":null,"_TRANSPORT":"stdout"}`, `{"MESSAGE":" ","_TRANSPORT":"stdout","__REALTIME_TIMESTAMP":"-9"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(_ *testing.T, line []byte) {
		_, _, _ = logs.JournalEntry(line) // it must not panic
	})
}
