package host

import (
	"cmp"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An Executable is the file that a process runs. Size and time of its last change
// name a version of it: package managers set the time, and copies of the same
// version have the same. Inodes do not, since a layered filesystem gives new ones at
// each start.
type Executable struct {
	Path string // as the process's own filesystem has it
	// Gone: the path leads to another file now, or to none. The process goes on with
	// the old one.
	Gone    bool
	Size    int64     // bytes; 0 with a zero ModTime: it could not be read
	ModTime time.Time // UTC
	// Instead is when the file was written that is at the path of one that is gone,
	// in the process's own filesystem; zero: there is none.
	Instead time.Time
}

// Executable reads what a process runs. It needs the right to look at the process,
// as its own user or root has.
func (r *Reader) Executable(pid int32) (Executable, error) {
	name := r.proc(strconv.Itoa(int(pid)) + "/exe")
	target, err := os.Readlink(name)
	if err != nil {
		return Executable{}, err
	}
	var e Executable
	e.Path, e.Gone = strings.CutSuffix(strings.ToValidUTF8(target, "\uFFFD"), " (deleted)")
	// This asks for the file that runs, whatever is at the path now.
	if st, err := os.Stat(name); err == nil {
		e.Size, e.ModTime = st.Size(), st.ModTime().UTC()
	} else if !e.Gone {
		return Executable{}, err
	}
	if e.Gone {
		if st, err := os.Stat(r.proc(strconv.Itoa(int(pid)) + "/root" + e.Path)); err == nil {
			e.Instead = st.ModTime().UTC()
		}
	}
	return e, nil
}

// Unit returns the last part of a process's control group: nginx.service. It is
// empty when it has none or is gone.
func (r *Reader) Unit(pid int32) string {
	b, err := r.readProc(strconv.Itoa(int(pid)) + "/cgroup")
	if err != nil {
		return ""
	}
	return parseUnit(b)
}

// Path returns where this process finds a file of the machine.
func (r *Reader) Path(name string) string {
	if r.cfg.Root == "" {
		return name
	}
	return r.cfg.Root + "/" + strings.TrimPrefix(name, "/")
}

// ByPID returns a process of the listing by its number.
func (s *Scan) ByPID(pid int32) (*Process, bool) {
	i, ok := slices.BinarySearchFunc(s.Processes, pid, func(p Process, pid int32) int { return cmp.Compare(p.PID, pid) })
	if !ok {
		return nil, false
	}
	return &s.Processes[i], true
}
