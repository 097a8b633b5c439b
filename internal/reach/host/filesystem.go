package host

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// FixtureFilesystems is the file of a Proc of plain files that stands for its
// filesystems: a JSON array of [Filesystem]. It is for tests, which cannot have
// a full disk otherwise; a real proc filesystem cannot hold such a file, and it
// is never looked for there.
const FixtureFilesystems = "fleetlens-filesystems"

// A Filesystem is one mounted filesystem, under the mount point that shows most of it.
type Filesystem struct {
	Mount    string `json:"mount"`
	Device   string `json:"device,omitempty"`
	Type     string `json:"fstype,omitempty"`
	ReadOnly bool   `json:"read_only,omitempty"` // the filesystem itself, not this mount of it
	Hung     bool   `json:"hung,omitempty"`      // it did not tell its size in time; sizes are zero

	Total     uint64 `json:"total_bytes"`
	Free      uint64 `json:"free_bytes"`      // root's reserve included
	Available uint64 `json:"available_bytes"` // to programs that are not root's
	Inodes    uint64 `json:"inodes,omitempty"`
	InodeFree uint64 `json:"inodes_free,omitempty"`
}

// UsedPct returns the use in percent of what programs that are not root's may
// use, as df does: 100 means that they can write no more.
func (f Filesystem) UsedPct() float64 {
	used := f.Total - min(f.Free, f.Total)
	if used == 0 {
		return 0
	}
	return 100 * float64(used) / (float64(used) + float64(f.Available))
}

// InodesUsedPct returns the use of inodes in percent, and false where the
// filesystem makes them as it needs them.
func (f Filesystem) InodesUsedPct() (float64, bool) {
	if f.Inodes == 0 {
		return 0, false
	}
	return 100 * float64(f.Inodes-min(f.InodeFree, f.Inodes)) / float64(f.Inodes), true
}

// Filesystems reads the sizes of the filesystems that can fill up, fullest
// first. A filesystem mounted several times is there once. One that does not
// answer in time is there as Hung, at the end, and is not asked again before it
// has answered.
func (r *Reader) Filesystems(ctx context.Context) ([]Filesystem, error) {
	if r.fixture() {
		return r.fixtureFilesystems()
	}
	mounts, err := r.mounts()
	if err != nil {
		return nil, err
	}
	var out []Filesystem
	var faults []error
	asked := make([]*question, len(mounts))
	for i, m := range mounts {
		asked[i] = r.sizes.ask(filepath.Join("/", r.cfg.Root, m.point), r.statfs)
	}
	for i, m := range mounts {
		f := Filesystem{Mount: m.point, Device: m.device, Type: m.fstype, ReadOnly: m.readOnly}
		s, err := asked[i].wait(ctx, r.cfg.StatfsTimeout)
		switch {
		case errors.Is(err, errHung):
			f.Hung = true
		case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist):
			continue // not ours to see, or unmounted since
		case err != nil:
			faults = append(faults, fmt.Errorf("size of %s: %w", m.point, err))
			continue
		case s.total == 0:
			continue
		default:
			f.Total, f.Free, f.Available, f.Inodes, f.InodeFree = s.total, s.free, s.available, s.inodes, s.inodesFree
		}
		out = append(out, f)
	}
	byUse(out)
	return out, errors.Join(faults...)
}

func (r *Reader) fixtureFilesystems() ([]Filesystem, error) {
	b, err := r.readProc(FixtureFilesystems)
	if err != nil {
		if absent(err) {
			return nil, nil
		}
		return nil, err
	}
	var out []Filesystem
	if err := json.Unmarshal(b, &out); err != nil {
		return nil, fmt.Errorf("filesystems of the fixture: %w", err)
	}
	byUse(out)
	return out, nil
}

func byUse(list []Filesystem) {
	slices.SortStableFunc(list, func(a, b Filesystem) int {
		if a.Hung != b.Hung {
			if a.Hung {
				return 1
			}
			return -1
		}
		return cmp.Or(cmp.Compare(b.UsedPct(), a.UsedPct()), cmp.Compare(a.Mount, b.Mount))
	})
}

// mounts lists the filesystems that can fill up, each once.
func (r *Reader) mounts() ([]mount, error) {
	of := "self"
	if r.cfg.Root != "" {
		of = "1" // the probe's own mounts are those of its container
	}
	b, err := r.readProc(of + "/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	return distinct(parseMounts(b)), nil
}

type mount struct {
	id       string // device number: mounts of one filesystem share it
	root     string // the folder of the filesystem that is mounted
	point    string
	fstype   string
	device   string
	readOnly bool
}

// parseMounts parses a mountinfo file; lines of another form are passed over.
// It is not gopsutil's Partitions: that does not tell which mounts are of one
// filesystem, nor a read-only filesystem from a read-only mount.
func parseMounts(b []byte) []mount {
	var out []mount
	for line := range strings.Lines(string(b)) {
		left, right, ok := strings.Cut(line, " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if !ok || len(l) < 6 || len(r) < 2 {
			continue
		}
		m := mount{id: l[2], root: unescape(l[3]), point: unescape(l[4]), fstype: r[0], device: unescape(r[1])}
		if len(r) > 2 {
			// The filesystem's own options: a mount of it may be read-only all the
			// same, as a service's view of its host often is.
			m.readOnly = slices.Contains(strings.Split(r[2], ","), "ro")
		}
		out = append(out, m)
	}
	return out
}

// unescape undoes the octal escapes of mountinfo: \040 is a blank.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// distinct leaves out what cannot fill up, and all but one mount of a
// filesystem: the one that shows most of it, under the shortest path. Where two
// filesystems are mounted on one point, the later hides the earlier.
func distinct(mounts []mount) []mount {
	var out []mount
	for i, m := range mounts {
		hidden := slices.ContainsFunc(mounts[i+1:], func(later mount) bool { return later.point == m.point })
		if hidden || !canFill(m) {
			continue
		}
		same := slices.IndexFunc(out, func(o mount) bool { return o.id == m.id })
		switch {
		case same < 0:
			out = append(out, m)
		case better(m, out[same]):
			out[same] = m
		}
	}
	return out
}

func better(a, b mount) bool {
	return cmp.Or(cmp.Compare(len(a.root), len(b.root)), cmp.Compare(len(a.point), len(b.point))) < 0
}

// canFill reports whether the mount is of a filesystem that has a size of its
// own. A tmpfs has: a full /dev/shm or /tmp stops programs as a full disk does.
func canFill(m mount) bool {
	switch m.fstype {
	case "proc", "sysfs", "cgroup", "cgroup2", "devpts", "devtmpfs", "mqueue", "hugetlbfs", "debugfs", "tracefs", "securityfs",
		"pstore", "efivarfs", "bpf", "configfs", "autofs", "binfmt_misc", "nsfs", "rpc_pipefs", "nfsd", "selinuxfs", "smackfs",
		"ramfs", "rootfs", "fusectl", "fuse.gvfsd-fuse", "fuse.portal", "fuse.lxcfs", "fuse.snapfuse",
		"squashfs", "iso9660", "udf", "erofs", "cramfs", "romfs":
		return false
	case "overlay", "aufs":
		return m.point == "/" // of a container that has no other; elsewhere they repeat the disk below
	case "tmpfs":
		// Not the tmpfs that systemd and container runtimes use as a lid.
		return !m.readOnly && !strings.HasPrefix(m.point, "/sys/") && !strings.HasPrefix(m.point, "/proc/") &&
			!strings.HasPrefix(m.point, "/run/credentials/")
	}
	switch m.point {
	case "/etc/hosts", "/etc/hostname", "/etc/resolv.conf":
		return false // files that a container runtime mounts from its host's disk
	}
	return true
}

type size struct{ total, free, available, inodes, inodesFree uint64 }

var errHung = errors.New("it does not answer")

// A statfsQueue asks for sizes without ever waiting longer than it was told: a
// filesystem whose server is gone holds the thread that asks for ever. There is
// at most one such thread a filesystem.
type statfsQueue struct {
	mu      sync.Mutex
	waiting map[string]*question
}

type question struct {
	asked time.Time
	done  chan struct{} // closed when size and err are there
	size  size
	err   error
}

// ask asks for the size of path, or joins who asked before and has no answer yet.
func (q *statfsQueue) ask(path string, statfs func(string) (size, error)) *question {
	q.mu.Lock()
	defer q.mu.Unlock()
	if one, ok := q.waiting[path]; ok {
		return one
	}
	one := &question{asked: time.Now(), done: make(chan struct{})}
	if q.waiting == nil {
		q.waiting = make(map[string]*question)
	}
	q.waiting[path] = one
	go func() {
		one.size, one.err = statfs(path)
		q.mu.Lock()
		delete(q.waiting, path)
		q.mu.Unlock()
		close(one.done)
	}()
	return one
}

// wait waits for the answer until timeout after the question was asked.
func (one *question) wait(ctx context.Context, timeout time.Duration) (size, error) {
	late := time.NewTimer(time.Until(one.asked.Add(timeout)))
	defer late.Stop()
	select {
	case <-one.done:
		return one.size, one.err
	case <-late.C:
	case <-ctx.Done():
	}
	select {
	case <-one.done: // both at once: the answer counts
		return one.size, one.err
	default:
		return size{}, errHung
	}
}
