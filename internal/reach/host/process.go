package host

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Process is one process as its stat file shows it. It holds no command line
// and no environment: those may carry secrets.
type Process struct {
	PID     int32
	PPID    int32
	Session int32 // the process that leads its session, which may have ended
	Threads int32
	State   byte   // as ps shows it: R, S, D, Z, T, I
	Ticks   uint64 // processor time used in its life
	Start   uint64 // when it started, in ticks after boot; with PID it names a process
	RSS     uint64 // resident memory in bytes
	nameLen uint8
	name    [32]byte
}

// Name returns the process's name as the kernel has it: at most 15 bytes for a
// program, 32 here for a thread of the kernel.
func (p *Process) Name() string { return strings.ToValidUTF8(string(p.name[:p.nameLen]), "\uFFFD") }

// Label returns "name (pid)".
func (p *Process) Label() string { return fmt.Sprintf("%s (%d)", p.Name(), p.PID) }

// A Scan is one listing of all processes. It does not change once made.
type Scan struct {
	At        time.Time
	Uptime    time.Duration // zero: unknown
	Processes []Process     // by PID
	Skipped   int           // processes whose stat file could not be understood
}

// Scan lists the processes: one small file each, into one buffer. sizeHint is
// how many there may be; 0 is fine. Processes that end meanwhile are left out.
func (r *Reader) Scan(ctx context.Context, sizeHint int) (*Scan, error) {
	if r.cfg.ScanFor == 0 {
		return r.scan(ctx, sizeHint)
	}
	r.scanning.Lock()
	defer r.scanning.Unlock()
	if r.scanned != nil && time.Since(r.scanned.At) < r.cfg.ScanFor {
		return r.scanned, nil
	}
	s, err := r.scan(ctx, sizeHint)
	r.scanned = s
	return s, err
}

func (r *Reader) scan(ctx context.Context, sizeHint int) (*Scan, error) {
	s := &Scan{At: time.Now(), Processes: make([]Process, 0, sizeHint+sizeHint/16+64)}
	if up, err := r.Uptime(); err == nil {
		s.Uptime = up
	}
	page := uint64(os.Getpagesize())
	err := eachStat(ctx, r.cfg.Proc, func(stat []byte) {
		var p Process
		if parseStat(stat, page, &p) {
			s.Processes = append(s.Processes, p)
		} else {
			s.Skipped++
		}
	})
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	byPID := func(a, b Process) int { return cmp.Compare(a.PID, b.PID) }
	if !slices.IsSortedFunc(s.Processes, byPID) { // plain files come in any order
		slices.SortFunc(s.Processes, byPID)
	}
	if len(s.Processes) == 0 {
		return nil, fmt.Errorf("list processes: %s shows none", r.cfg.Proc)
	}
	return s, nil
}

// Restricted reports whether the listing may lack the processes of other users:
// process 1 is always there, so a listing without it was filtered (hidepid).
func (s *Scan) Restricted() bool { return s.Processes[0].PID != 1 }

// Threads returns the number of threads of all processes.
func (s *Scan) Threads() int {
	n := 0
	for i := range s.Processes {
		n += int(s.Processes[i].Threads)
	}
	return n
}

// Age returns how long the process has been running, and false when the
// machine's uptime is unknown.
func (s *Scan) Age(p *Process) (time.Duration, bool) {
	started := time.Duration(min(p.Start, 1<<40)) * (time.Second / TicksPerSecond)
	if s.Uptime == 0 {
		return 0, false
	}
	return max(0, s.Uptime-started), true
}

// CPU calls fn for each process with the processor time it used since prev, in
// percent of one core. A process that started since then counts from its start.
// Without prev it is the average over the process's life.
func (s *Scan) CPU(prev *Scan, fn func(p *Process, pct float64)) {
	at := 0
	for i := range s.Processes {
		p := &s.Processes[i]
		if prev == nil {
			pct := 0.0
			if age, ok := s.Age(p); ok && age >= time.Second {
				pct = 100 * float64(p.Ticks) / TicksPerSecond / age.Seconds()
			}
			fn(p, pct)
			continue
		}
		for at < len(prev.Processes) && prev.Processes[at].PID < p.PID {
			at++
		}
		used := p.Ticks
		if at < len(prev.Processes) && prev.Processes[at].PID == p.PID && prev.Processes[at].Start == p.Start {
			used -= min(used, prev.Processes[at].Ticks)
		}
		pct := 0.0
		if d := s.At.Sub(prev.At).Seconds(); d > 0 {
			pct = 100 * float64(used) / TicksPerSecond / d
		}
		fn(p, pct)
	}
}

// parseStat parses a line of /proc/N/stat. The name is in parentheses and may
// itself hold blanks and parentheses, so it ends at the last one.
func parseStat(b []byte, page uint64, p *Process) bool {
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 2 || end < open {
		return false
	}
	pid, ok := number(b[:open-1])
	if !ok || pid == 0 || pid > 1<<30 {
		return false
	}
	p.PID = int32(pid)
	p.nameLen = uint8(copy(p.name[:], b[open+1:end]))

	rest := b[end+1:]
	for field := 3; field <= 24; field++ {
		rest = bytes.TrimLeft(rest, " ")
		var word []byte
		if i := bytes.IndexByte(rest, ' '); i >= 0 {
			word, rest = rest[:i], rest[i:]
		} else {
			return false // cut off, perhaps within a number
		}
		if field == 3 {
			if len(word) != 1 {
				return false
			}
			p.State = word[0]
			continue
		}
		switch field {
		case 4, 6, 14, 15, 20, 22, 24:
		default:
			continue
		}
		n, ok := number(word)
		if !ok {
			return false
		}
		switch field {
		case 4:
			p.PPID = int32(min(n, 1<<30))
		case 6:
			p.Session = int32(min(n, 1<<30))
		case 14, 15:
			p.Ticks += n
		case 20:
			p.Threads = int32(min(n, 1<<30))
		case 22:
			p.Start = n
		case 24:
			p.RSS = min(n, 1<<40) * page
		}
	}
	return true
}

// number parses digits without allocating. Numbers of 2^62 and more are refused.
func number(b []byte) (uint64, bool) {
	if len(b) == 0 || len(b) > 19 {
		return 0, false
	}
	var n uint64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, n < 1<<62
}

// OpenFiles returns how many files a process has open.
func (r *Reader) OpenFiles(pid int32) (int, error) {
	r.detect()
	name := r.proc(strconv.Itoa(int(pid)) + "/fd")
	if r.fdCounts {
		st, err := os.Stat(name)
		if err != nil {
			return 0, err
		}
		return int(st.Size()), nil
	}
	d, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	return len(names), err
}

// An Owner says whose a process is.
type Owner struct {
	UID    Count
	Cgroup string // the last part of its control group's path: nginx.service; empty when it has none
}

// Owner reads whose the process is. A process that is gone has none.
func (r *Reader) Owner(pid int32) Owner {
	var o Owner
	dir := strconv.Itoa(int(pid))
	if b, err := r.readProc(dir + "/status"); err == nil {
		o.UID = parseUID(b)
	}
	if b, err := r.readProc(dir + "/cgroup"); err == nil {
		o.Cgroup = parseUnit(b)
	}
	return o
}

func parseUID(b []byte) Count {
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte("Uid:")); ok {
			if f := bytes.Fields(rest); len(f) > 0 {
				return count(string(f[0]))
			}
		}
	}
	return Count{}
}

// parseUnit returns the last part of the process's group in the hierarchy that
// services and containers are in: version 2's, or systemd's of version 1.
func parseUnit(b []byte) string {
	unit := ""
	for line := range strings.Lines(string(b)) {
		f := strings.SplitN(strings.TrimRight(line, "\n"), ":", 3)
		if len(f) != 3 || f[1] != "" && f[1] != "name=systemd" {
			continue
		}
		if base := path.Base(f[2]); base != "/" && base != "." {
			unit = base
		}
	}
	return unit
}
