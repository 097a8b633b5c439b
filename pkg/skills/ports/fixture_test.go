package ports_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/ports"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
)

// A machine is a proc tree of plain files.
type machine struct {
	t   *testing.T
	dir string
}

func (m machine) write(name, content string) {
	m.t.Helper()
	name = filepath.Join(m.dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

func (m machine) process(pid int, name string, limit int, fds ...string) {
	m.t.Helper()
	dir := fmt.Sprint(pid)
	m.write(dir+"/comm", name+"\n")
	m.write(dir+"/limits", fmt.Sprintf("Max open files  %d  %d  files\n", limit, limit))
	if err := os.MkdirAll(filepath.Join(m.dir, dir, "fd"), 0o755); err != nil {
		m.t.Fatal(err)
	}
	for i, to := range fds {
		if err := os.Symlink(to, filepath.Join(m.dir, dir, "fd", fmt.Sprint(i))); err != nil {
			m.t.Fatal(err)
		}
	}
}

func (m machine) counters(overflows, drops, fails, sent, again, resets, udp int) {
	m.t.Helper()
	m.write("net/netstat", fmt.Sprintf("TcpExt: ListenOverflows ListenDrops\nTcpExt: %d %d\n", overflows, drops))
	m.write("net/snmp", fmt.Sprintf("Tcp: AttemptFails OutSegs RetransSegs OutRsts\nTcp: %d %d %d %d\nUdp: RcvbufErrors\nUdp: %d\n", fails, sent, again, resets, udp))
}

const (
	closeWait = "08"
	timeWait  = "06"
	opened    = "01"
	listens   = "0A"
)

func socket(local, remote, state string, recv, inode int) string {
	return fmt.Sprintf("   0: %s %s %s 00000000:%08X 00:00000000 00000000  1000        0 %d 1 0\n", local, remote, state, recv, inode)
}

// sick is a machine on which java (4711) leaks connections: 600 of them wait to
// be closed, and with them it has nearly as many descriptors as it may.
func sick(t *testing.T) (skills.Skill, machine) {
	t.Helper()
	m := machine{t, t.TempDir()}
	tcp := "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
		socket("00000000:1F90", "00000000:0000", listens, 3, 5000)
	fds := []string{"/dev/null", "/var/log/java.log", "anon_inode:[eventpoll]", "socket:[5000]"}
	for i := range 600 {
		tcp += socket("0100000A:1F90", fmt.Sprintf("0200000A:%04X", 40000+i), closeWait, 0, 6000+i)
		fds = append(fds, fmt.Sprintf("socket:[%d]", 6000+i))
	}
	for i := range 8 { // of ten ports there are
		tcp += socket(fmt.Sprintf("0100000A:%04X", 50000+i), "0900000A:1538", timeWait, 0, 0)
	}
	tcp += socket("0100000A:C358", "0900000A:1538", opened, 70000, 7000)
	m.write("net/tcp", tcp)
	m.write("net/udp", "")
	m.write("net/sockstat", "TCP: inuse 1 mem 75\nUDP: inuse 2\n")
	m.write("sys/net/ipv4/tcp_mem", "50 60 100\n")
	m.write("sys/net/ipv4/ip_local_port_range", "50000\t50009\n")
	m.write("sys/net/netfilter/nf_conntrack_count", "960\n")
	m.write("sys/net/netfilter/nf_conntrack_max", "1000\n")
	m.counters(10, 20, 30, 1000, 10, 5, 7)
	m.process(1, "systemd", 1000, "/dev/null")
	m.process(4711, "java", 620, fds...)
	m.process(812, "worker", 1000, "socket:[7000]", "/tmp/x (deleted)")
	return ports.Skill(host.New(host.Config{Proc: m.dir})), m
}

// answer calls a callback as it is written and returns its answer as JSON has it.
func answer(ctx context.Context, s skills.Skill, call string) (any, error) {
	name, args, err := skills.ParseCall(call)
	if err != nil {
		return nil, err
	}
	for _, c := range s.Sources[0].Calls {
		if c.Name != name {
			continue
		}
		a, err := skills.Bind(c.Words(), args)
		if err != nil {
			return nil, err
		}
		v, err := c.Run(ctx, a)
		if err != nil {
			return nil, err
		}
		b, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		var out any
		return out, json.Unmarshal(b, &out)
	}
	return nil, fmt.Errorf("there is no callback %s", name)
}

func TestFixtureKeepsThePromises(t *testing.T) {
	s, _ := sick(t)
	skilltest.Run(t, s)
}

func TestSnapshotsOfASickMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, m := sick(t)
		take := func() skills.Data {
			t.Helper()
			d, err := s.Sources[0].Snapshot(t.Context())
			if err != nil {
				t.Error(err)
			}
			return d
		}
		want := skills.Data{
			"tcp_established": 1.0, "tcp_time_wait": 8.0, "tcp_close_wait": 600.0, "tcp_syn_recv": 0.0, "tcp_listen": 1.0, "udp_sockets": 2.0,
			"fds_open": 607.0, "fd_max_used_pct": 97.4, "fd_max_process": "java (4711)", "fd_max_open": 604.0, "fd_max_limit": 620.0,
			"ephemeral_max_used_pct": 90.0, "ephemeral_destination": "10.0.0.9:5432", "tcp_memory_used_pct": 75.0, "conntrack_used_pct": 96.0,
		}
		if diff := cmp.Diff(want, take()); diff != "" {
			t.Errorf("first snapshot, without rates (-want +got):\n%s", diff)
		}
		<-time.After(10 * time.Second)
		m.counters(610, 720, 1030, 10000, 1010, 25, 207)
		maps.Copy(want, skills.Data{
			"listen_overflows_per_sec": 60.0, "listen_drops_per_sec": 70.0, "tcp_failed_connects_per_sec": 100.0,
			"tcp_retransmitted_pct": 10.0, "tcp_resets_sent_per_sec": 2.0, "udp_drops_per_sec": 20.0,
		})
		second := take()
		if diff := cmp.Diff(want, second); diff != "" {
			t.Errorf("second snapshot (-want +got):\n%s", diff)
		}
		var got []string
		for _, x := range skills.Evaluate(s.Sources[0].Checks, second) {
			if strings.Contains(x.Says, "unknown") || strings.Contains(x.Says, "{") {
				t.Errorf("%s says %q", x.Check.Metric, x.Says)
			}
			got = append(got, string(x.Severity)+" "+x.Check.Metric)
		}
		if diff := cmp.Diff([]string{
			"critical fd_max_used_pct", "critical listen_drops_per_sec", "warning tcp_close_wait", "critical ephemeral_max_used_pct",
			"warning tcp_memory_used_pct", "warning tcp_retransmitted_pct", "warning tcp_failed_connects_per_sec", "warning udp_drops_per_sec", "critical conntrack_used_pct",
		}, got); diff != "" {
			t.Errorf("crossed (-want +got):\n%s", diff)
		}

		if diff := cmp.Diff(second, take()); diff != "" {
			t.Errorf("asked again at once (-before +now):\n%s", diff)
		}
		<-time.After(10 * time.Second)
		m.counters(0, 0, 0, 0, 0, 0, 0)
		for name, v := range take() {
			if strings.HasSuffix(name, "_per_sec") || name == "tcp_retransmitted_pct" {
				t.Errorf("after a reset nobody can tell %s, and it is %v", name, v)
			}
		}
		<-time.After(10 * time.Second)
		m.counters(0, 0, 0, 10, 10, 0, 0)
		if v, ok := take()["tcp_retransmitted_pct"]; ok {
			t.Errorf("of two segments a second %v %% were lost, which says nothing", v)
		}
	})
}

func TestCallbacksOfASickMachine(t *testing.T) {
	s, _ := sick(t)
	for call, want := range map[string]string{
		"ports_top_fds(1)":                   `"processes":[{"fds":604,"kinds":{"device":1,"eventpoll":1,"file":1,"socket":601},"limit":620,"name":"java","pid":4711,"used_pct":97.4}],"truncated":true`,
		`ports_top_sockets(5, "close_wait")`: `"no_process":0,` + note + `,"processes":[{"name":"java","pid":4711,"sockets":600,"states":{"close_wait":600},"top_peer":"10.0.0.2","top_peer_sockets":600}],"total":600`,
		`ports_top_sockets(1, "time_wait")`:  `"no_process":8,` + note + `,"processes":[],"total":8`,
		"ports_listeners()":                  `"listeners":[{"accept_queue":3,"address":"0.0.0.0:8080","name":"java","pid":4711}]`,
		`ports_peers(1, "out")`: `"connections":9,` + note +
			`,"peers":[{"connections":9,"direction":"out","name":"worker","pid":812,"port":5432,"recv_queue":70000,"remote_address":"10.0.0.9","send_queue":0,"states":{"established":1,"time_wait":8}}]`,
		`ports_connections("java")`: `"connections":600,"listens":["0.0.0.0:8080"],` + note +
			`,"peers":[{"connections":600,"direction":"in","name":"java","pid":4711,"port":8080,"recv_queue":0,"remote_address":"10.0.0.2","send_queue":0,"states":{"close_wait":600}}]`,
		"ports_process(812)": `"fds":2,"kinds":{"deleted_file":1,"socket":1},"limit":1000,"name":"worker","paths":[{"descriptors":1,"kind":"deleted_file","path":"/tmp/x"}],"pid":812,` +
			`"socket_states":{"established":1},"sockets":[{"id":7000,"local_addr":"10.0.0.1:50008","name":"worker","pid":812,"recv_queue":70000,"remote_addr":"10.0.0.9:5432","send_queue":0,"state":"established","type":"tcp"}],"used_pct":0.2`,
		"ports_top_by_queue(5)": `"queue_size":70000,"recv_queue":70000,"remote_addr":"10.0.0.9:5432","saturation_pct":13.35`,
		"ports_list(1)":         `"total":610,"truncated":true`,
	} {
		v, err := answer(t.Context(), s, call)
		if err != nil {
			t.Errorf("%s: %v", call, err)
			continue
		}
		if got := plain(t, v); !strings.Contains(got, want) {
			t.Errorf("%s lacks\n%s\ngot\n%s", call, want, got)
		}
	}
}

const note = `"note":"read from /proc/net, because sock_diag (netlink) cannot be asked: the sizes of accept queues are unknown; run the probe in the host's network namespace and with the module inet_diag. "`

func TestWrongQuestionsAreAnsweredWithWords(t *testing.T) {
	s, _ := sick(t)
	for call, want := range map[string]string{
		`ports_connections("nginx")`:       `no process is named "nginx"`,
		`ports_connections("99")`:          "there is no process 99",
		"ports_connections()":              "process must be a string",
		"ports_process(99)":                "there is no process 99",
		"ports_process(0)":                 "from 1",
		"ports_top_fds(5000)":              "from 1 to 50",
		`ports_top_sockets(5, "closing?")`: "close_wait",
	} {
		if _, err := answer(t.Context(), s, call); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", call, err, want)
		}
	}
}

func TestWhatCannotBeReadIsAbsentAndSaid(t *testing.T) {
	s, m := sick(t)
	if err := os.Remove(filepath.Join(m.dir, "net/tcp")); err != nil {
		t.Fatal(err)
	}
	d, err := s.Sources[0].Snapshot(t.Context())
	if err == nil || !strings.Contains(err.Error(), "tcp sockets") {
		t.Errorf("the fault is %v", err)
	}
	if _, ok := d["tcp_established"]; ok || d["fd_max_process"] != "java (4711)" {
		t.Errorf("got %v", d)
	}
}
