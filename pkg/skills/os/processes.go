package hostos

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

type processAnswer struct {
	PID        int32    `json:"pid"`
	Name       string   `json:"name"`
	PPID       int32    `json:"ppid"`
	UID        *uint64  `json:"uid,omitempty"`
	Cgroup     string   `json:"cgroup,omitempty"`
	CPUPct     float64  `json:"cpu_pct"`
	MemoryMB   float64  `json:"memory_mb"`
	MemoryPct  *float64 `json:"memory_pct,omitempty"`
	Threads    int32    `json:"threads"`
	FDs        *int     `json:"fds,omitempty"`
	State      string   `json:"state"`
	StartedAt  string   `json:"started_at,omitempty"`
	AgeSeconds *float64 `json:"age_seconds,omitempty"`
}

type nameAnswer struct {
	Name      string  `json:"name"`
	Processes int     `json:"processes"`
	CPUPct    float64 `json:"cpu_pct"`
	MemoryMB  float64 `json:"memory_mb"`
	Threads   int     `json:"threads"`
	FDs       *int    `json:"fds,omitempty"`
}

type topAnswer struct {
	Processes     []processAnswer `json:"processes"`
	ByName        []nameAnswer    `json:"by_name,omitempty"`
	ProcessCount  int             `json:"process_count"`
	CPUBasis      string          `json:"cpu_basis"` // "interval" or "lifetime"
	IntervalSince *float64        `json:"interval_seconds,omitempty"`
	FDsUnreadable int             `json:"fds_unreadable,omitempty"`
	Note          string          `json:"note,omitempty"`
}

// usage is a process with what it is sorted by.
type usage struct {
	p   *host.Process
	cpu float64
	fds int // -1: not read, or not readable
}

func (u usage) by(key string) float64 {
	switch key {
	case "memory":
		return float64(u.p.RSS)
	case "fds":
		return float64(u.fds)
	case "threads":
		return float64(u.p.Threads)
	}
	return u.cpu
}

func (h *history) top(ctx context.Context, limit int, sortBy string) (any, error) {
	scan, err := h.scan(ctx)
	if err != nil {
		return nil, err
	}
	a := topAnswer{ProcessCount: len(scan.Processes), CPUBasis: "lifetime"}
	var before *host.Scan
	if prev := h.since(ctx, scan.At); prev != nil && prev.scan != nil {
		before, a.CPUBasis = prev.scan, "interval"
		a.IntervalSince = opt(scan.At.Sub(before.At).Seconds(), true, 1)
	}
	all := make([]usage, 0, len(scan.Processes))
	scan.CPU(before, func(p *host.Process, pct float64) { all = append(all, usage{p, pct, -1}) })
	if sortBy == "fds" {
		for i := range all {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			h.countFDs(&all[i], &a.FDsUnreadable)
		}
	}
	slices.SortStableFunc(all, func(x, y usage) int {
		return cmp.Or(cmp.Compare(y.by(sortBy), x.by(sortBy)), cmp.Compare(y.p.RSS, x.p.RSS))
	})
	a.ByName = byName(all, sortBy)
	var total float64
	if m, err := h.host.Memory(); err == nil {
		total = float64(m.Total)
	}
	for _, u := range all[:min(limit, len(all))] {
		if sortBy != "fds" {
			h.countFDs(&u, &a.FDsUnreadable)
		}
		a.Processes = append(a.Processes, h.describe(scan, u, total))
	}
	if a.FDsUnreadable > 0 {
		a.Note = "the open files of " + strconv.Itoa(a.FDsUnreadable) + " processes could not be counted: run the probe as root or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH. "
	}
	if scan.Restricted() {
		a.Note += "processes of other users are not shown (proc is mounted with hidepid, or process 1 is out of sight): run the probe as root or in the group that the mount option gid= names."
	}
	return a, nil
}

func (h *history) countFDs(u *usage, unreadable *int) {
	n, err := h.host.OpenFiles(u.p.PID)
	switch {
	case err == nil:
		u.fds = n
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ESRCH): // it ended
	default:
		*unreadable++
	}
}

func (h *history) describe(scan *host.Scan, u usage, total float64) processAnswer {
	owner := h.host.Owner(u.p.PID)
	row := processAnswer{
		PID: u.p.PID, Name: u.p.Name(), PPID: u.p.PPID, UID: optCount(owner.UID), Cgroup: skills.Cut(owner.Cgroup),
		CPUPct: skills.Round(u.cpu, 1), MemoryMB: skills.Round(mebibytes(u.p.RSS), 1), Threads: u.p.Threads, State: state(u.p.State),
	}
	if total > 0 {
		row.MemoryPct = opt(100*float64(u.p.RSS)/total, true, 1)
	}
	if u.fds >= 0 {
		row.FDs = &u.fds
	}
	if age, ok := scan.Age(u.p); ok {
		row.AgeSeconds = opt(age.Seconds(), true, 0)
		row.StartedAt = scan.At.Add(-age).UTC().Format(time.RFC3339)
	}
	return row
}

// byName sums up the processes of one name where there are several: fifty
// workers of 100 MiB are not seen among single processes. The five largest sums.
func byName(all []usage, sortBy string) []nameAnswer {
	sums := map[string]*nameAnswer{}
	keys := map[string]float64{}
	for _, u := range all {
		name := u.p.Name()
		s := sums[name]
		if s == nil {
			s = &nameAnswer{Name: name}
			sums[name] = s
		}
		s.Processes++
		s.CPUPct += u.cpu
		s.MemoryMB += mebibytes(u.p.RSS)
		s.Threads += int(u.p.Threads)
		if u.fds >= 0 {
			if s.FDs == nil {
				s.FDs = new(int)
			}
			*s.FDs += u.fds
		}
		keys[name] += max(0, u.by(sortBy))
	}
	var out []nameAnswer
	for _, s := range sums {
		if s.Processes > 1 && keys[s.Name] > 0 {
			s.CPUPct, s.MemoryMB = skills.Round(s.CPUPct, 1), skills.Round(s.MemoryMB, 1)
			out = append(out, *s)
		}
	}
	slices.SortFunc(out, func(x, y nameAnswer) int {
		return cmp.Or(cmp.Compare(keys[y.Name], keys[x.Name]), cmp.Compare(x.Name, y.Name))
	})
	return out[:min(5, len(out))]
}

func state(letter byte) string {
	switch letter {
	case 'R':
		return "running"
	case 'S':
		return "sleeping"
	case 'D':
		return "uninterruptible"
	case 'Z':
		return "zombie"
	case 'T':
		return "stopped"
	case 't':
		return "traced"
	case 'I':
		return "idle"
	case 'X', 'x':
		return "dead"
	}
	return "unknown"
}
