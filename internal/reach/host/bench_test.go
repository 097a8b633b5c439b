//go:build linux

package host

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

const manyProcesses = 2000

// BenchmarkScan lists 2,000 processes that are plain files.
func BenchmarkScan(b *testing.B) {
	dir := b.TempDir()
	for pid := 1; pid <= manyProcesses; pid++ {
		sub := filepath.Join(dir, strconv.Itoa(pid))
		if err := os.Mkdir(sub, 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(sub, "stat"), []byte(stat(pid, "worker")), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	scan(b, New(Config{Proc: dir}), manyProcesses)
}

// BenchmarkScanOfRealProcesses lists 2,000 processes of the machine, which it
// starts and ends. It costs more than plain files: the kernel writes each line.
func BenchmarkScanOfRealProcesses(b *testing.B) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		b.Fatal(err)
	}
	started := make([]*os.Process, 0, manyProcesses)
	b.Cleanup(func() {
		for _, p := range started {
			_ = p.Kill()
		}
		for _, p := range started {
			_, _ = p.Wait()
		}
	})
	for range manyProcesses {
		// They end by themselves if this one is killed.
		p, err := os.StartProcess(sleep, []string{"sleep", "120"}, &os.ProcAttr{})
		if err != nil {
			b.Fatalf("after %d processes: %v", len(started), err)
		}
		started = append(started, p)
	}
	scan(b, New(Config{}), manyProcesses)
}

func scan(b *testing.B, r *Reader, least int) {
	b.Helper()
	b.ReportAllocs()
	began := cpuTime(b)
	for b.Loop() {
		s, err := r.Scan(b.Context(), manyProcesses)
		if err != nil {
			b.Fatal(err)
		}
		if len(s.Processes) < least {
			b.Fatalf("%d processes, want at least %d", len(s.Processes), least)
		}
	}
	b.ReportMetric(float64(cpuTime(b)-began)/float64(b.N), "cpu-ns/op")
}

// cpuTime returns the processor time this process used: on a machine with other
// work it says more than the clock.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkSample reads everything but the processes.
func BenchmarkSample(b *testing.B) {
	r := New(Config{})
	b.ReportAllocs()
	began := cpuTime(b)
	for b.Loop() {
		if _, err := r.Sample(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(cpuTime(b)-began)/float64(b.N), "cpu-ns/op")
}
