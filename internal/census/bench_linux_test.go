package census

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/fleetlens/fleetlens/internal/reach/host"
)

// busy returns the processor time of this process in seconds.
func busy(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// passes measures what a look costs whose sockets and packages were seen before, as
// those of a probe are but for the first.
func passes(b *testing.B, c *Census, keep Keeper) {
	pass := func() {
		if _, err := c.Links(b.Context()); err != nil {
			b.Fatal(err)
		}
		_, done, err := c.Changes(b.Context(), keep)
		if err != nil {
			b.Fatal(err)
		}
		if err := done(); err != nil {
			b.Fatal(err)
		}
	}
	pass()
	b.ReportAllocs()
	before := busy(b)
	for b.Loop() {
		pass()
	}
	used := busy(b) - before
	b.ReportMetric(1e3*used/float64(b.N), "cpu-ms/pass")
	b.ReportMetric(100*used/float64(b.N)/60, "pct-of-a-core")
}

// BenchmarkThisMachine looks at the machine that it runs on.
func BenchmarkThisMachine(b *testing.B) {
	passes(b, New(Config{Node: "bench", Host: host.New(host.Config{}), Files: []string{"/etc/*.conf"}}), memory{})
}

// BenchmarkFirstLook is a probe's first: programs and packages are read.
func BenchmarkFirstLook(b *testing.B) {
	b.ReportAllocs()
	before := busy(b)
	for b.Loop() {
		c := New(Config{Node: "bench", Host: host.New(host.Config{})})
		if _, _, err := c.Changes(b.Context(), memory{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(1e3*(busy(b)-before)/float64(b.N), "cpu-ms/pass")
}

// BenchmarkManyProcesses looks at a machine of plain files with 2,000 processes, 60
// services and 5,000 connections.
func BenchmarkManyProcesses(b *testing.B) {
	m := newMachine(b)
	var sockets []string
	for i := range 2000 {
		m.process(100+i, 2, "worker", 500, "batch.slice", "")
	}
	m.write("usr/bin/app", "one")
	for i := range 60 {
		m.process(5000+i, 1, fmt.Sprintf("app-%d", i), 500, fmt.Sprintf("app-%d.service", i), "usr/bin/app")
		sockets = append(sockets, fmt.Sprintf("listen 0.0.0.0:%d 0.0.0.0:0 %d", 3000+i, 3000+i))
		m.holds(5000+i, 3000+i)
	}
	for i := range 5000 {
		sockets = append(sockets, fmt.Sprintf("established 10.0.0.5:%d 10.0.%d.%d:80 0", 20000+i, i%300/250, i%250))
	}
	m.sockets(sockets...)
	passes(b, m.census, m.keep)
}
