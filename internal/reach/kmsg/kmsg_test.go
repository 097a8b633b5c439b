package kmsg

import (
	"strings"
	"testing"
	"time"
)

func TestFindKnowsWhatHarms(t *testing.T) {
	for _, tt := range []struct {
		text    string
		want    Type
		subject string
	}{
		{"Out of memory: Killed process 4711 (java) total-vm:8123456kB, anon-rss:4012345kB, file-rss:0kB, shmem-rss:0kB, UID:1000 pgtables:8123kB oom_score_adj:0", OOMKill, "java (4711)"},
		{"Memory cgroup out of memory: Killed process 99 (my (odd) name) total-vm:1kB, anon-rss:1kB", OOMKill, "my (odd (99)"},
		{"INFO: task kworker/u8:2:123 blocked for more than 120 seconds.", HungTask, "kworker/u8:2 (123)"},
		{"INFO: task jbd2/sda1-8:250 blocked for more than 241 seconds.", HungTask, "jbd2/sda1-8 (250)"},
		{"watchdog: BUG: soft lockup - CPU#3 stuck for 22s! [stress:881]", Lockup, "stress (881)"},
		{"rcu: INFO: rcu_sched self-detected stall on CPU", Lockup, "rcu_sched"},
		{"rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:", Lockup, "rcu_preempt"},
		{"blk_update_request: I/O error, dev sdb, sector 12345 op 0x0:(READ) flags 0x80700 phys_seg 1 prio class 0", IOError, "sdb"},
		{"I/O error, dev nvme0n1, sector 0 op 0x1:(WRITE) flags 0x800 phys_seg 1 prio class 2", IOError, "nvme0n1"},
		{"Buffer I/O error on dev dm-3, logical block 1, lost async page write", IOError, "dm-3"},
		{"critical medium error, dev sda, sector 7 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 2", IOError, "sda"},
		{"ata3.00: failed command: READ FPDMA QUEUED", IOError, "ata3.00"},
		{"EXT4-fs error (device sda1): ext4_find_entry:1455: inode #2: comm ls: reading directory lblock 0", FSError, "sda1"},
		{"EXT4-fs (sda1): Remounting filesystem read-only", ReadOnly, "sda1"},
		{"XFS (dm-0): Metadata corruption detected at xfs_agf_read_verify+0x50/0xe0 [xfs], xfs_agf block 0x1", FSError, "dm-0"},
		{"BTRFS error (device vdb1): bdev /dev/vdb1 errs: wr 1, rd 0, flush 0, corrupt 0, gen 0", FSError, "vdb1"},
		{"BTRFS info (device vdb1): forced readonly", ReadOnly, "vdb1"},
		{"mce: [Hardware Error]: Machine check events logged", Hardware, "mce"},
		{"EDAC MC0: 1 CE memory read error on CPU_SrcID#0_Ha#0_Chan#1_DIMM#0 (channel:1 slot:0)", Hardware, "MC0"},
		{"myprog[4242]: segfault at 0 ip 000055d5c0a3a139 sp 00007ffd5b0c8a40 error 6 in myprog[55d5c0a3a000+1000]", Crash, "myprog (4242)"},
		{"traps: node[17] trap invalid opcode ip:1 sp:2 error:0 in node[400000+1000]", Crash, "node (17)"},
		{"traps: app[17] general protection fault ip:1 sp:2 error:0 in app[400000+1000]", Crash, "app (17)"},
		{"CPU4: Core temperature above threshold, cpu clock throttled (total events = 12)", Throttled, "CPU4"},
		{"e1000e 0000:00:1f.6 eno1: NIC Link is Down", LinkDown, "eno1"},
		{"nf_conntrack: nf_conntrack: table full, dropping packet", NetDropped, "nf_conntrack"},
		{"TCP: request_sock_TCP: Possible SYN flooding on port 0.0.0.0:8080. Sending cookies.", NetDropped, "0.0.0.0:8080"},
		{"TCP: out of memory -- consider tuning tcp_mem", NetDropped, "TCP"},
		{"nfs: server filer.example not responding, still trying", Stalled, "filer.example"},

		{"EXT4-fs (sda1): mounted filesystem with ordered data mode", "", ""},
		{"e1000e 0000:00:1f.6 eno1: NIC Link is Up 1000 Mbps Full Duplex", "", ""},
		{"usb 1-1: new high-speed USB device number 2 using xhci_hcd", "", ""},
		{"oom_reaper: reaped process 99 (x), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB", "", ""},
		{"mce: CPU0: Thermal monitoring enabled (TM1)", "", ""},
		{"", "", ""},
	} {
		e, ok := Find(Record{Text: tt.text})
		if ok != (tt.want != "") || e.Type != tt.want || e.Subject != tt.subject {
			t.Errorf("%q is %q of %q, want %q of %q", tt.text, e.Type, e.Subject, tt.want, tt.subject)
		}
	}
}

func TestParseTakesTheKernelsRecordsOnly(t *testing.T) {
	boot := time.Unix(1000, 0)
	r, ok := parse([]byte("4,120,5000000,-;Out of memory: x\n SUBSYSTEM=mem\n"), boot)
	if !ok || r.Seq != 120 || r.Severity != 4 || r.Text != "Out of memory: x" || !r.At.Equal(boot.Add(5*time.Second)) {
		t.Errorf("got %+v, %v", r, ok)
	}
	for name, line := range map[string]string{
		"a program's":   "12,121,5000000,-;Out of memory: Killed process 1 (init)",
		"no text":       "4,120,5000000,-",
		"no numbers":    "a,b,c,-;x",
		"too few":       "4,120;x",
		"negative time": "4,120,-5,-;x",
		"nothing":       "",
	} {
		if r, ok := parse([]byte(line), boot); ok {
			t.Errorf("%s record is taken as %+v", name, r)
		}
	}
	if r, _ := parse([]byte("4,1,1,-;"+strings.Repeat("x", 5000)), boot); len(r.Text) != maxText {
		t.Errorf("a text has %d bytes", len(r.Text))
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("4,120,5000000,-;Out of memory: Killed process 1 (x) total\n A=b\n"))
	f.Add([]byte("6,1,18446744073709551615,-;x"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, ok := parse(b, time.Unix(0, 0))
		if ok && len(r.Text) > maxText {
			t.Errorf("%d bytes", len(r.Text))
		}
		Find(r)
		sequence(b)
	})
}
