// Package host reads a Linux machine through its proc and sys filesystems:
// counters, filesystems, limits and processes.
//
// It reads and does arithmetic; it keeps no history and judges nothing. A rate
// needs two readings, and whoever asks for one keeps the earlier reading: nothing
// here sleeps. What the kernel does not offer is absent from a result (nil, or not
// Known), never zero. Parsers take bytes and never panic on what they are given.
//
// Memory and network counters are gopsutil's. The rest is read here: gopsutil does
// not have it, or costs more, or says less; each place says why.
//
// The trees may be mounted elsewhere, as a container sees its host, or be plain
// files, as a test does: see [Config].
package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/shirou/gopsutil/v4/common"
)

// Config says where the machine's trees are.
type Config struct {
	// Proc is the proc filesystem; empty means /proc.
	Proc string
	// Sys is the sys filesystem; empty means /sys.
	Sys string
	// Root is where the machine's root filesystem is mounted, when that is not
	// the probe's own: a container that has the host's at /host says "/host".
	// The mounts are then those of process 1 of Proc.
	Root string
	// StatfsTimeout is how long one filesystem may take to tell its size before
	// it counts as hung; zero means one second.
	StatfsTimeout time.Duration
	// ScanFor is how long one listing of the processes serves whoever asks next:
	// several skills that collect together; zero: not at all.
	ScanFor time.Duration
}

// A Reader reads one machine. It is safe for concurrent use.
type Reader struct {
	cfg    Config
	statfs func(path string) (size, error)
	sizes  statfsQueue

	scanning sync.Mutex
	scanned  *Scan // the last, where ScanFor is set

	once     sync.Once
	isProcfs bool // Proc is a real proc filesystem, not a tree of plain files
	fdCounts bool // the size of /proc/N/fd is the number of open files (Linux 6.2)
	ownPIDs  bool // Proc numbers processes as this one sees them
}

// New returns a reader. It reads nothing yet: a tree that is not there shows
// as errors of the readings.
func New(cfg Config) *Reader {
	if cfg.Proc == "" {
		cfg.Proc = "/proc"
	}
	if cfg.Sys == "" {
		cfg.Sys = "/sys"
	}
	if cfg.Root == "/" {
		cfg.Root = ""
	}
	if cfg.StatfsTimeout == 0 {
		cfg.StatfsTimeout = time.Second
	}
	return &Reader{cfg: cfg, statfs: statfs}
}

func (r *Reader) detect() {
	r.once.Do(func() {
		r.isProcfs = isProcfs(r.cfg.Proc)
		if self, err := os.Readlink(r.proc("self")); err == nil && r.isProcfs {
			r.ownPIDs = self == strconv.Itoa(os.Getpid())
		}
		if st, err := os.Stat(r.proc("self/fd")); err == nil && r.isProcfs {
			r.fdCounts = st.Size() > 0
		}
	})
}

// Plain reports whether the machine is made of plain files, as tests have it: what
// its kernel and its services say by other ways is then not its own.
func (r *Reader) Plain() bool { return r.fixture() }

// fixture reports whether Proc is a tree of plain files.
func (r *Reader) fixture() bool {
	r.detect()
	return !r.isProcfs
}

// Proc is where the proc filesystem is.
func (r *Reader) Proc() string { return r.cfg.Proc }

func (r *Reader) proc(name string) string { return filepath.Join(r.cfg.Proc, name) }

// roots tells gopsutil where the machine's trees are, so that it never asks the
// environment of the process for them.
func (r *Reader) roots() context.Context {
	return context.WithValue(context.Background(), common.EnvKey, common.EnvMap{
		common.HostProcEnvKey: r.cfg.Proc,
		common.HostSysEnvKey:  r.cfg.Sys,
		common.HostRootEnvKey: filepath.Join("/", r.cfg.Root),
	})
}

func (r *Reader) readProc(name string) ([]byte, error) { return os.ReadFile(r.proc(name)) }

// absent reports whether a reading failed because this kernel does not have it.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOTDIR)
}

// A Sample is one reading of all counters, filesystems and limits. Parts that
// could not be read are nil.
type Sample struct {
	At          time.Time
	Uptime      time.Duration // zero: unknown
	CPU         *CPU
	Load        *Load
	Memory      *Memory
	VM          *VM
	Pressure    Pressures
	Files       *Files
	Tasks       *TaskLimits
	Disks       []Disk
	Interfaces  []Interface
	Filesystems []Filesystem
	Cgroup      *Cgroup
}

// Sample reads everything but the processes. The error joins what could not be
// read; the sample holds the rest.
func (r *Reader) Sample(ctx context.Context) (*Sample, error) {
	s := &Sample{At: time.Now()}
	var faults []error
	note := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	var err error
	s.CPU, err = r.CPU()
	note(err)
	s.Load, err = r.Load()
	note(err)
	s.Memory, err = r.Memory()
	note(err)
	s.VM, err = r.VM()
	note(err)
	s.Pressure, err = r.Pressure()
	note(err)
	s.Files, err = r.Files()
	note(err)
	s.Tasks, err = r.TaskLimits()
	note(err)
	s.Disks, err = r.Disks()
	note(err)
	s.Interfaces, err = r.Interfaces()
	note(err)
	s.Cgroup, err = r.Cgroup()
	note(err)
	if up, err := r.Uptime(); err == nil {
		s.Uptime = up
	}
	s.Filesystems, err = r.Filesystems(ctx)
	note(err)
	return s, errors.Join(faults...)
}

// A Count is a number that some kernels do not have.
type Count struct {
	N     uint64
	Known bool
}

func known(n uint64) Count { return Count{N: n, Known: true} }

// PerSecond returns how fast a counter grew between two readings, and false
// when nobody can tell: it is unknown, no time passed, or it was reset.
func PerSecond(prev, cur Count, elapsed time.Duration) (float64, bool) {
	if !prev.Known || !cur.Known || cur.N < prev.N || elapsed <= 0 {
		return 0, false
	}
	return float64(cur.N-prev.N) / elapsed.Seconds(), true
}

// Uptime returns how long the machine has been up.
func (r *Reader) Uptime() (time.Duration, error) {
	b, err := r.readProc("uptime")
	if err != nil {
		return 0, fmt.Errorf("read uptime: %w", err)
	}
	return parseUptime(b)
}

func parseUptime(b []byte) (time.Duration, error) {
	first, _, _ := strings.Cut(strings.TrimSpace(string(b)), " ")
	s, err := strconv.ParseFloat(first, 64)
	if err != nil || !(s >= 0 && s < 1e9) {
		return 0, fmt.Errorf("uptime: %.40q is no number of seconds", b)
	}
	return time.Duration(s * float64(time.Second)), nil
}

// OSName returns the name of the operating system as people write it: "Debian
// GNU/Linux 12 (bookworm)". It is "Linux" when the machine does not say.
func (r *Reader) OSName() string {
	for _, name := range []string{"etc/os-release", "usr/lib/os-release"} {
		b, err := os.ReadFile(filepath.Join("/", r.cfg.Root, name))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			if v, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
				if v = strings.Trim(v, `"'`); v != "" {
					return v
				}
			}
		}
	}
	return "Linux"
}

// keyed parses lines of "key value" and calls fn with the key and the number.
// Lines of another form are passed over.
func keyed(b []byte, fn func(key string, n uint64)) {
	for line := range strings.Lines(string(b)) {
		key, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if n := count(rest); n.Known {
			fn(key, n.N)
		}
	}
}
