package logs_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/logs"
)

func TestTheJournalIsFollowed(t *testing.T) {
	fixture, err := os.ReadFile("testdata/journal.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	var cursors []string
	f := read(t, func(ctx context.Context, cursor string) (io.ReadCloser, error) {
		cursors = append(cursors, cursor)
		context.AfterFunc(ctx, func() { _ = w.Close() })
		return r, nil
	})
	f.poll()
	if _, err := io.Copy(w, bytes.NewReader(fixture)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("no JSON\n" + strings.Repeat("x", 200<<10) + "\n{\"MESSAGE\":\"the last\"}\n")); err != nil {
		t.Fatal(err)
	}
	for !slices.Contains(f.messages(), "the last") {
		runtime.Gosched()
	}
	got := map[string]logs.Entry{}
	for _, e := range f.Entries(100, func(*logs.Entry) bool { return true }) {
		got[e.Message] = e
	}
	if e := got["Failed to start Checkout."]; e.Level != logs.Error || e.Module != "systemd" || e.PID != 1 || e.Source != "journal:init.scope" {
		t.Errorf("the unit's entry is %+v", e)
	}
	if e := got["disk is full"]; e.Level != logs.Error || e.Source != "journal:checkout.service" {
		t.Errorf("what a program printed is %+v, want the level of its own header", e)
	}
	if e := got["not \ufffd text"]; e.Level != logs.Warning {
		t.Errorf("a message of bytes is %+v", e)
	}
	if cut, _ := f.Losses(); cut != 1 {
		t.Errorf("%d entries cut, want the one that was too long", cut)
	}
	f.Close()
	f.at = f.at.Add(2 * time.Minute)
	f.poll()
	if !slices.Equal(cursors, []string{"", "s=abc;i=3"}) {
		t.Errorf("opened after %q, want at first the newest, then after the last", cursors)
	}
}

func TestWhatCannotBeReadIsTold(t *testing.T) {
	denied := errors.New("journalctl: no permission")
	f := read(t, func(context.Context, string) (io.ReadCloser, error) { return nil, denied })
	f.poll()
	_, un := f.Sources()
	if len(un) != 1 || un[0].Source != "journal" || !strings.Contains(un[0].Grant, "systemd-journal") {
		t.Errorf("unreadable %+v, want the journal and its group", un)
	}
	none := read(t, func(context.Context, string) (io.ReadCloser, error) { return nil, logs.ErrNoJournal })
	none.poll()
	if _, un := none.Sources(); len(un) != 0 {
		t.Errorf("unreadable %+v, want nothing where there is no journal", un)
	}
}

func FuzzJournalEntry(f *testing.F) {
	for _, s := range []string{`{}`, `{"MESSAGE":[1,2,300]}`, `{"MESSAGE":["a","b"],"PRIORITY":"9"}`, `{"MESSAGE":null,"_TRANSPORT":"stdout"}`, `{"MESSAGE":" ","_TRANSPORT":"stdout","__REALTIME_TIMESTAMP":"-9"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(_ *testing.T, line []byte) {
		_, _, _ = logs.JournalEntry(line) // it must not panic
	})
}
