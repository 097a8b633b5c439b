package vmevents

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/kmsg"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// told returns a watcher that has read these lines, the last one just now and each
// of the others a second before its successor.
func told(lines ...string) *watcher {
	w := &watcher{}
	for i, text := range lines {
		r := kmsg.Record{Seq: uint64(i), At: time.Now().Add(-time.Duration(len(lines)-1-i) * time.Second), Severity: 4, Text: text}
		if e, ok := kmsg.Find(r); ok {
			w.events.add(e, kept)
		}
	}
	return w
}

func TestEachTypeOfEventCrossesItsCheckAndNamesItsSubject(t *testing.T) {
	for text, says := range map[string]string{
		"Out of memory: Killed process 4711 (java) total-vm:1kB":                   "{n} process(es) for want of memory in the last five minutes, java (4711) last",
		"INFO: task jbd2/sda1-8:250 blocked for more than 120 seconds.":            "jbd2/sda1-8 (250) last",
		"watchdog: BUG: soft lockup - CPU#3 stuck for 22s! [stress:881]":           "stress (881) last",
		"I/O error, dev sdb, sector 1 op 0x0:(READ) flags 0x0":                     "on sdb last",
		"EXT4-fs error (device sda1): ext4_find_entry:1455: inode #2":              "on sda1 last",
		"EXT4-fs (sda1): Remounting filesystem read-only":                          "sda1 last",
		"EDAC MC0: 1 CE memory read error on CPU":                                  "reported by MC0 last",
		"app[42]: segfault at 0 ip 0 sp 0 error 6":                                 "app (42) last",
		"CPU4: Core temperature above threshold, cpu clock throttled (total = 12)": "slowed down because of heat",
		"eno1: NIC Link is Down":                                                   "eno1 last",
		"nf_conntrack: nf_conntrack: table full, dropping packet":                  "nf_conntrack last",
		"nfs: server filer not responding, still trying":                           "filer does not answer",
	} {
		w := told(slices.Repeat([]string{text}, 3)...)
		d := skills.Data{}
		w.count(d)
		crossed := skills.Evaluate(hostChecks, d)
		if len(crossed) != 1 || !strings.Contains(crossed[0].Says, strings.ReplaceAll(says, "{n}", "3")) || strings.Contains(crossed[0].Says, "unknown") {
			t.Errorf("%q crosses %+v", text, crossed)
		}
		if d["kernel_events_5m"] != 3.0 {
			t.Errorf("%q: %v", text, d)
		}
	}
}

func TestAQuietKernelCrossesNothing(t *testing.T) {
	d := skills.Data{}
	told("usb 1-1: new high-speed USB device", "EXT4-fs (sda1): mounted filesystem").count(d)
	if crossed := skills.Evaluate(hostChecks, d); len(crossed) > 0 || d["oom_kills_5m"] != 0.0 {
		t.Errorf("%v crosses %+v", d, crossed)
	}
}

// Behaviour: 145, 146.
func TestEventsAreCountedInTheirWindowAndListedNewestFirst(t *testing.T) {
	w := told("Out of memory: Killed process 1 (old) x", "Out of memory: Killed process 2 (new) x")
	w.events.entries[0].At = time.Now().Add(-time.Hour)
	d := skills.Data{}
	w.count(d)
	if d["oom_kills_5m"] != 1.0 || d["oom_kill_process"] != "new (2)" || d["affected_process_count"] != 1.0 {
		t.Errorf("got %v", d)
	}
	if all := w.events.newestFirst(); len(all) != 2 || all[0].Subject != "new (2)" {
		t.Errorf("got %+v", all)
	}
	var r ring[int]
	for i := range 10 {
		r.add(i, 4)
	}
	if got := r.newestFirst(); !slices.Equal(got, []int{9, 8, 7, 6}) {
		t.Errorf("a ring of four has %v", got)
	}
}
