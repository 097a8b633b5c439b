package host

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const tcpHeading = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"

func line(s *Socket) string {
	return fmt.Sprintf("%s %s > %s %s recv %d send %d uid %d inode %d", s.Protocol, s.Local, s.Remote, s.State, s.Recv, s.Send, s.UID, s.Inode)
}

// The lines are those of a little-endian machine, as all are that we build for.
func TestParseSockets(t *testing.T) {
	for _, tt := range []struct{ name, line, want string }{
		{
			"a listener's receive queue is who waits to be accepted",
			"   0: 00000000:1F90 00000000:0000 0A 00000000:00000003 00:00000000 00000000  1000        0 4242 2 0000 100 0 0 10 0",
			"tcp 0.0.0.0:8080 > 0.0.0.0:0 listen recv 3 send 0 uid 1000 inode 4242",
		},
		{
			"a connection with bytes in both queues",
			"   1: 0100007F:1F90 0200000A:C350 08 000000FF:00001000 01:00000014 00000000     0        0 99 1 0000",
			"tcp 127.0.0.1:8080 > 10.0.0.2:50000 close_wait recv 4096 send 255 uid 0 inode 99",
		},
		{
			"an IPv6 address",
			"   2: B80D0120000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 7",
			"tcp [2001:db8::1]:80 > [::]:0 listen recv 0 send 0 uid 0 inode 7",
		},
		{
			"an IPv4 address on a socket that takes both",
			"   3: 0000000000000000FFFF00000100007F:0050 0000000000000000FFFF00000200000A:C350 01 0:0 00:0 0 0 0 8",
			"tcp 127.0.0.1:80 > 10.0.0.2:50000 established recv 0 send 0 uid 0 inode 8",
		},
		{
			"nobody holds a socket in time_wait",
			"   4: 0100007F:1F90 0100007F:C350 06 00000000:00000000 03:00001770 00000000     0        0 0 3 0000",
			"tcp 127.0.0.1:8080 > 127.0.0.1:50000 time_wait recv 0 send 0 uid 0 inode 0",
		},
		{
			"newer kernels have a state more for half-open connections",
			"   5: 0100007F:1F90 0100007F:C350 0C 0:0 00:0 0 0 0 0",
			"tcp 127.0.0.1:8080 > 127.0.0.1:50000 syn_recv recv 0 send 0 uid 0 inode 0",
		},
		{"the heading", tcpHeading, ""},
		{"cut off", "   0: 00000000:1F90 00000000:0000 0A 00000000:000000", ""},
		{"an address of another length", "   0: 000000:1F90 00000000:0000 0A 0:0 00:0 0 0 0 1", ""},
		{"a port that is none", "   0: 00000000:1F900 00000000:0000 0A 0:0 00:0 0 0 0 1", ""},
		{"an unknown state", "   0: 00000000:1F90 00000000:0000 0F 0:0 00:0 0 0 0 1", ""},
		{"a negative inode", "   0: 00000000:1F90 00000000:0000 0A 0:0 00:0 0 0 0 -1", ""},
		{"nothing", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			parseSockets([]byte(tt.line), TCP, func(s *Socket) { got += line(s) })
			if got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestAcceptQueueIsFullOneAboveItsBacklog(t *testing.T) {
	for _, tt := range []struct {
		name string
		s    Socket
		want float64
		ok   bool
	}{
		{"a backlog of 1 takes two", Socket{State: Listen, Recv: 2, Backlog: known(1)}, 100, true},
		{"a backlog of 0 takes one", Socket{State: Listen, Recv: 1, Backlog: known(0)}, 100, true},
		{"an empty queue", Socket{State: Listen, Backlog: known(127)}, 0, true},
		{"an unknown backlog", Socket{State: Listen, Recv: 5}, 0, false},
		{"a connection has none", Socket{State: Established, Recv: 5, Backlog: known(1)}, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := tt.s.AcceptUsedPct(); got != tt.want || ok != tt.ok {
				t.Errorf("got %v %v, want %v %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestSocketsOfAFixtureComeFromItsFiles(t *testing.T) {
	r := New(Config{Proc: tree(t, map[string]string{
		"net/tcp": tcpHeading +
			"   0: 00000000:1F90 00000000:0000 0A 00000000:00000003 00:00000000 00000000  1000        0 4242 2\n" +
			"   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 4243 2\n",
	})})
	var got []uint64
	from, err := r.Sockets(t.Context(), TCP, func(s *Socket) { got = append(got, s.Inode) })
	if err != nil || from != FromProc || !cmp.Equal(got, []uint64{4242, 4243}) {
		t.Errorf("got %v from %v, %v", got, from, err)
	}
	got = nil
	if _, err := r.Sockets(t.Context(), TCP, func(s *Socket) { got = append(got, s.Inode) }, Listen); err != nil || !cmp.Equal(got, []uint64{4242}) {
		t.Errorf("listeners: %v, %v", got, err)
	}
	if _, err := r.Sockets(t.Context(), UDP, func(*Socket) {}); err == nil || !strings.Contains(err.Error(), "udp") {
		t.Errorf("without the file: %v", err)
	}
}

func TestNetStackOfAFixture(t *testing.T) {
	r := New(Config{Proc: tree(t, map[string]string{
		"net/netstat":           "TcpExt: A ListenOverflows ListenDrops\nTcpExt: 1 20 30\nIpExt: X\nIpExt: 5\n",
		"net/snmp":              "Tcp: MaxConn AttemptFails EstabResets OutSegs RetransSegs OutRsts\nTcp: -1 1 2 3 4 5\nUdp: InDatagrams RcvbufErrors\nUdp: 9 6\n",
		"net/snmp6":             "Udp6RcvbufErrors                	7\nUdp6Other x\n",
		"net/sockstat":          "sockets: used 12\nTCP: inuse 1 orphan 0 tw 3 alloc 1 mem 50\nUDP: inuse 2 mem 0\n",
		"net/sockstat6":         "UDP6: inuse 3\n",
		"sys/net/ipv4/tcp_mem":  "80\t90\t100\n",
		"sys/net/ipv4/tcp_rmem": "1 2 3",
	})})
	n, err := r.NetStack()
	if err != nil {
		t.Fatal(err)
	}
	want := &NetStack{
		ListenOverflows: known(20), ListenDrops: known(30), AttemptFails: known(1), EstabResets: known(2), SegmentsOut: known(3), Retransmitted: known(4),
		ResetsOut: known(5), UDPOverflows: known(13), UDPSockets: known(5), TCPMemory: known(50), TCPMemoryMax: known(100),
	}
	if diff := cmp.Diff(want, n); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
	if pct, ok := n.TCPMemoryUsedPct(); pct != 50 || !ok {
		t.Errorf("memory is %v %% used", pct)
	}
	if _, ok := n.ConntrackUsedPct(); ok {
		t.Error("a machine without a firewall tracks connections")
	}
}

func TestParsePortRange(t *testing.T) {
	for in, size := range map[string]int{"32768\t60999\n": 28232, "1 65535": 65535, "5 5": 1, "9 5": 0, "0 10": 0, "1 70000": 0, "1": 0, "": 0, "a b": 0} {
		p, err := parsePortRange([]byte(in))
		if (err == nil) != (size > 0) || err == nil && p.Size() != size {
			t.Errorf("%q gives %v, %v, want %d ports", in, p, err, size)
		}
	}
}

func TestParseFileLimit(t *testing.T) {
	const heading = "Limit                     Soft Limit           Hard Limit           Units     \nMax processes             5 5 processes\n"
	for in, want := range map[string]Count{
		heading + "Max open files            1024                 524288               files     \n": known(1024),
		heading + "Max open files            unlimited            unlimited            files     \n": {},
		heading + "Max open files": {},
		heading:                    {},
		"Max open files 7 8 files": known(7),
	} {
		if got := parseFileLimit([]byte(in)); got != want {
			t.Errorf("%q gives %v, want %v", in, got, want)
		}
	}
}

func TestDescribeTarget(t *testing.T) {
	for in, want := range map[string]Descriptor{
		"socket:[4242]":             {Kind: "socket", Inode: 4242},
		"socket:[x]":                {Kind: "socket"},
		"pipe:[7]":                  {Kind: "pipe"},
		"anon_inode:[eventpoll]":    {Kind: "eventpoll"},
		"anon_inode:inotify":        {Kind: "inotify"},
		"/var/log/a":                {Kind: "file", Path: "/var/log/a"},
		"/var/log/a (deleted)":      {Kind: "deleted_file", Path: "/var/log/a"},
		"/dev/null":                 {Kind: "device", Path: "/dev/null"},
		"/dev/shm/x":                {Kind: "file", Path: "/dev/shm/x"},
		"/memfd:wayland (deleted)":  {Kind: "memfd"},
		"net:[4026531840]":          {Kind: "net"},
		"":                          {Kind: "other"},
		strings.Repeat("x", 5000):   {Kind: "other"},
		"anon_inode:[/dev/userfau]": {Kind: "dev/userfau"},
	} {
		if diff := cmp.Diff(want, describeTarget(in)); diff != "" {
			t.Errorf("%.40q (-want +got):\n%s", in, diff)
		}
	}
}

// links makes symbolic links below dir, as /proc/N/fd has them.
func links(t *testing.T, dir string, targets ...string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i, to := range targets {
		if err := os.Symlink(to, filepath.Join(dir, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDescriptorsOfAFixture(t *testing.T) {
	proc := tree(t, map[string]string{
		"12/limits": "Max open files 4 8 files\n", "12/comm": "web\n", "7/comm": "web\n", "9/comm": "kthread\n", "self/comm": "x\n", "uptime": "1 1\n",
	})
	links(t, filepath.Join(proc, "12/fd"), "/dev/null", "socket:[5]", "socket:[6]")
	links(t, filepath.Join(proc, "7/fd"), "socket:[5]")
	links(t, filepath.Join(proc, "9/fd"))
	r := New(Config{Proc: proc})
	d, err := r.Descriptors(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []DescriptorUse{{PID: 7, Open: 1}, {PID: 12, Open: 3, Limit: known(4)}}
	if diff := cmp.Diff(want, d.Processes); diff != "" || d.Unreadable != 0 {
		t.Errorf("%d unreadable (-want +got):\n%s", d.Unreadable, diff)
	}
	if pct, ok := d.Processes[1].UsedPct(); pct != 75 || !ok {
		t.Errorf("3 of 4 are %v %%", pct)
	}
	o, err := r.SocketOwners(t.Context(), map[uint64]bool{5: true, 6: true, 8: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[uint64]int32{5: 7, 6: 12}, o.PIDs); diff != "" {
		t.Errorf("a shared socket is the first process's (-want +got):\n%s", diff)
	}
	if pids, err := r.ProcessesNamed(t.Context(), "web"); err != nil || !cmp.Equal(pids, []int32{7, 12}) {
		t.Errorf("named web: %v, %v", pids, err)
	}
}

func FuzzNetwork(f *testing.F) {
	for _, seed := range []string{
		"", tcpHeading + "   0: 00000000:1F90 00000000:0000 0A 00000000:00000003 00:00000000 00000000  1000        0 4242 2\n",
		"   2: B80D0120000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 7",
		"Tcp: A B\nTcp: 1 -2\n", "TCP: inuse 1 orphan 0\n", "32768 60999\n", "Max open files 4 8 files\n", "socket:[5]", "/a (deleted)",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		parseSockets(b, UDP, func(s *Socket) {
			if s.State.String() == "unknown" || s.Local.Addr() == (netip.Addr{}) || s.Local.Addr().Is4In6() {
				t.Errorf("%q gives %+v", b, s)
			}
		})
		parseTable(b, func(key string, _ Count) {
			if !strings.Contains(key, ".") {
				t.Errorf("%q gives the key %q", b, key)
			}
		})
		parseSockstat(b, func(string, uint64) {})
		if p, err := parsePortRange(b); err == nil && p.Size() < 1 {
			t.Errorf("%q gives %v", b, p)
		}
		parseFileLimit(b)
		if d := describeTarget(string(b)); d.Kind == "" || d.Kind != "file" && d.Kind != "device" && d.Kind != "deleted_file" && d.Path != "" || bytes.ContainsRune([]byte(d.Kind), 0xFFFD) && d.Path == "" {
			t.Errorf("%q gives %+v", b, d)
		}
	})
}
