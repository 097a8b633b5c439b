package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A Cgroup is a control group (version 2): a container, a systemd service, or
// a slice of them.
type Cgroup struct {
	Path string // in the hierarchy: /system.slice/nginx.service

	MemoryMax Count // bytes; unknown when there is no limit
	// MemoryUsed is what cannot be dropped: the group's memory without the file
	// cache that nobody used lately. A group that reads files is always at its
	// limit otherwise.
	MemoryUsed Count
	SwapMax    Count // bytes; unknown when there is no limit
	SwapUsed   Count
	OOMKills   Count // processes of the group killed for want of memory

	CPUMax           float64 // cores; 0 when there is no limit
	Periods          Count   // intervals in which the limit was enforced
	ThrottledPeriods Count   // those in which the group had to stand still
	ThrottledUsec    Count
	CPUUsec          Count // processor time used

	TasksMax Count // unknown when there is no limit
	Tasks    Count
}

// MemoryUsedPct returns the use of the memory limit, and false without one.
func (c Cgroup) MemoryUsedPct() (float64, bool) { return share(c.MemoryUsed, c.MemoryMax) }

// ThrottledPct returns the share of enforcement periods between two readings in
// which the group was throttled, and false when there is no limit or none passed.
func (c Cgroup) ThrottledPct(prev Cgroup) (float64, bool) {
	if c.Path != prev.Path || c.CPUMax == 0 || !c.Periods.Known || !prev.Periods.Known || c.Periods.N <= prev.Periods.N ||
		c.ThrottledPeriods.N < prev.ThrottledPeriods.N {
		return 0, false
	}
	return min(100, 100*float64(c.ThrottledPeriods.N-prev.ThrottledPeriods.N)/float64(c.Periods.N-prev.Periods.N)), true
}

// Limited reports whether the group has a limit of its own.
func (c Cgroup) Limited() bool {
	return c.MemoryMax.Known || c.CPUMax > 0 || c.TasksMax.Known
}

func share(used, limit Count) (float64, bool) {
	if !used.Known || !limit.Known || limit.N == 0 {
		return 0, false
	}
	return 100 * float64(used.N) / float64(limit.N), true
}

// Cgroup reads the group that limits the probe itself: its own, or the nearest
// ancestor with a limit on memory or processor time. In a container that is the
// container. It is nil where there is none.
func (r *Reader) Cgroup() (*Cgroup, error) {
	b, err := r.readProc("self/cgroup")
	if err != nil {
		if absent(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("read own cgroup: %w", err)
	}
	own, ok := parseOwnCgroup(b)
	if !ok {
		return nil, nil
	}
	root := r.cgroupRoot()
	for at := own; ; at = path.Dir(at) {
		c, err := readCgroup(root, at)
		if err != nil {
			return nil, err
		}
		if c.MemoryMax.Known || c.CPUMax > 0 {
			return &c, nil
		}
		if at == "/" {
			return nil, nil
		}
	}
}

// parseOwnCgroup returns the path in the version 2 hierarchy, and false when
// there is none or it lies outside of what the reader can see.
func parseOwnCgroup(b []byte) (string, bool) {
	for line := range strings.Lines(string(b)) {
		if p, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "0::"); ok {
			if !strings.HasPrefix(p, "/") || slices.Contains(strings.Split(p, "/"), "..") {
				return "", false
			}
			return path.Clean(p), true
		}
	}
	return "", false
}

func (r *Reader) cgroupRoot() string {
	root := filepath.Join(r.cfg.Sys, "fs/cgroup")
	if _, err := os.Stat(filepath.Join(root, "cgroup.controllers")); err != nil {
		if hybrid := filepath.Join(root, "unified"); dirExists(hybrid) {
			return hybrid
		}
	}
	return root
}

func dirExists(name string) bool {
	st, err := os.Stat(name)
	return err == nil && st.IsDir()
}

// maxCgroups bounds how many groups one listing reads.
const maxCgroups = 5000

// LimitedCgroups reads the groups of the machine that have a limit or had a
// process killed for want of memory. It reads a few files for each group of the
// machine: it is for answering questions, not for every snapshot. truncated
// says that there were more groups than it reads.
func (r *Reader) LimitedCgroups(ctx context.Context) (list []Cgroup, truncated bool, err error) {
	root := r.cgroupRoot()
	seen := 0
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil // gone since, or not ours to see
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if seen++; seen > maxCgroups {
			truncated = true
			return fs.SkipAll
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		c, err := readCgroup(root, path.Join("/", filepath.ToSlash(rel)))
		if err != nil {
			return nil
		}
		if c.Limited() || c.OOMKills.N > 0 {
			list = append(list, c)
		}
		return nil
	})
	slices.SortStableFunc(list, func(a, b Cgroup) int {
		x, _ := a.MemoryUsedPct()
		y, _ := b.MemoryUsedPct()
		return cmp.Or(cmp.Compare(y, x), cmp.Compare(b.OOMKills.N, a.OOMKills.N), cmp.Compare(a.Path, b.Path))
	})
	return list, truncated, err
}

func readCgroup(root, at string) (Cgroup, error) {
	c := Cgroup{Path: at}
	dir := filepath.Join(root, filepath.FromSlash(at))
	var faults []error
	read := func(name string, parse func([]byte)) {
		b, err := os.ReadFile(filepath.Join(dir, name))
		switch {
		case err == nil:
			parse(b)
		case !absent(err):
			faults = append(faults, fmt.Errorf("read cgroup %s: %w", at, err))
		}
	}
	number := func(to *Count) func([]byte) { return func(b []byte) { *to = count(string(b)) } }
	read("memory.max", number(&c.MemoryMax))
	if c.MemoryMax.Known {
		read("memory.current", number(&c.MemoryUsed))
		read("memory.stat", func(b []byte) {
			keyed(b, func(key string, n uint64) {
				if key == "inactive_file" {
					c.MemoryUsed.N -= min(n, c.MemoryUsed.N)
				}
			})
		})
		read("memory.swap.max", number(&c.SwapMax))
		read("memory.swap.current", number(&c.SwapUsed))
	}
	read("memory.events", func(b []byte) {
		keyed(b, func(key string, n uint64) {
			if key == "oom_kill" {
				c.OOMKills = known(n)
			}
		})
	})
	read("cpu.max", func(b []byte) { c.CPUMax = parseCPUMax(b) })
	read("cpu.stat", func(b []byte) {
		keyed(b, func(key string, n uint64) {
			switch key {
			case "usage_usec":
				c.CPUUsec = known(n)
			case "nr_periods":
				c.Periods = known(n)
			case "nr_throttled":
				c.ThrottledPeriods = known(n)
			case "throttled_usec":
				c.ThrottledUsec = known(n)
			}
		})
	})
	read("pids.max", number(&c.TasksMax))
	if c.TasksMax.Known {
		read("pids.current", number(&c.Tasks))
	}
	return c, errors.Join(faults...)
}

// parseCPUMax returns the limit in cores: "150000 100000" is 1.5, "max 100000" none.
func parseCPUMax(b []byte) float64 {
	n, err := uints(string(b), 2)
	if err != nil || n[1] == 0 {
		return 0
	}
	cores := float64(n[0]) / float64(n[1])
	if math.IsInf(cores, 0) {
		return 0
	}
	return cores
}
