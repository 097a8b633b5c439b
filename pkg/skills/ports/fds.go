package ports

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// grant says what a probe needs to see the descriptors of others.
const grant = "run the probe as root or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH. "

// mostKinds is how many descriptors of one process are looked at: a fiftieth of
// a second of work.
const mostKinds = 20_000

type fdAnswer struct {
	PID          int32          `json:"pid"`
	Name         string         `json:"name"`
	FDs          int            `json:"fds"`
	Limit        *uint64        `json:"limit,omitempty"`
	UsedPct      *float64       `json:"used_pct,omitempty"`
	Kinds        map[string]int `json:"kinds,omitempty"`
	KindsPartial bool           `json:"kinds_partial,omitempty"`
}

func (h *history) describe(p host.DescriptorUse) fdAnswer {
	a := fdAnswer{PID: p.PID, Name: skills.Cut(h.host.ProcessName(p.PID)), FDs: p.Open}
	if p.Limit.Known {
		a.Limit = &p.Limit.N
	}
	if pct, ok := p.UsedPct(); ok {
		pct = skills.Round(pct, 1)
		a.UsedPct = &pct
	}
	return a
}

// look counts what the descriptors of a process lead to and hands each to also,
// which may be nil.
func (h *history) look(a *fdAnswer, also func(host.Descriptor)) error {
	kinds := map[string]int{}
	seen := 0
	err := h.host.EachDescriptor(a.PID, func(d host.Descriptor) bool {
		if seen == mostKinds {
			a.KindsPartial = true
			return false
		}
		seen++
		kind := d.Kind
		if len(kinds) >= 20 && kinds[kind] == 0 {
			kind = "other"
		}
		kinds[kind]++
		if also != nil {
			also(d)
		}
		return true
	})
	a.Kinds = kinds
	return err
}

func (h *history) topFDs(ctx context.Context, limit int, sortBy string) (any, error) {
	all, err := h.host.Descriptors(ctx)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all.Processes, func(x, y host.DescriptorUse) int {
		px, _ := x.UsedPct()
		py, _ := y.UsedPct()
		if sortBy == "fds" {
			px, py = 0, 0
		}
		return cmp.Or(cmp.Compare(py, px), cmp.Compare(y.Open, x.Open), cmp.Compare(x.PID, y.PID))
	})
	a := struct {
		Processes []fdAnswer `json:"processes"`
		Truncated bool       `json:"truncated,omitempty"`
		Note      string     `json:"note,omitempty"`
	}{Processes: []fdAnswer{}, Truncated: len(all.Processes) > limit}
	hidden := 0
	for _, p := range all.Processes[:min(limit, len(all.Processes))] {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		row := h.describe(p)
		if err := h.look(&row, nil); err != nil {
			row.Kinds = nil
			hidden++
		}
		a.Processes = append(a.Processes, row)
	}
	if all.Unreadable > 0 {
		a.Note = "the descriptors of " + strconv.Itoa(all.Unreadable) + " processes could not be counted: " + grant
	}
	if hidden > 0 {
		a.Note += "of " + strconv.Itoa(hidden) + " of these processes only the number of descriptors can be told, not their kinds: " + grant
	}
	return a, nil
}

type pathAnswer struct {
	Path        string `json:"path"`
	Kind        string `json:"kind"`
	Descriptors int    `json:"descriptors"`
}

func (h *history) process(ctx context.Context, pid int32) (any, error) {
	var a struct {
		fdAnswer
		Paths     []pathAnswer   `json:"paths,omitempty"`
		States    map[string]int `json:"socket_states,omitempty"`
		Sockets   []socketAnswer `json:"sockets,omitempty"`
		Truncated bool           `json:"truncated,omitempty"`
		Note      string         `json:"note,omitempty"`
	}
	n, err := h.host.OpenFiles(pid)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no process %d", pid)
	}
	a.fdAnswer = h.describe(host.DescriptorUse{PID: pid, Open: n, Limit: h.host.FileLimit(pid)})
	type key struct{ path, kind string }
	paths, inodes := map[key]int{}, map[uint64]bool{}
	if err == nil {
		err = h.look(&a.fdAnswer, func(d host.Descriptor) {
			if d.Inode != 0 {
				inodes[d.Inode] = true
			}
			if k := (key{d.Path, d.Kind}); d.Path != "" {
				paths[k]++
			}
		})
	}
	if err != nil {
		a.Kinds = nil
		a.Note = "what its descriptors lead to could not be read: " + grant
		return a, nil
	}
	for k, n := range paths {
		a.Paths = append(a.Paths, pathAnswer{skills.Cut(k.path), k.kind, n})
	}
	slices.SortFunc(a.Paths, func(x, y pathAnswer) int {
		return cmp.Or(cmp.Compare(y.Descriptors, x.Descriptors), cmp.Compare(x.Path, y.Path))
	})
	f, err := h.find(ctx, inodes)
	if err != nil {
		return nil, err
	}
	a.States = map[string]int{}
	for i := range f.sockets {
		a.States[f.sockets[i].State.String()]++
	}
	slices.SortFunc(f.sockets, byBothQueues)
	a.Truncated = len(a.Paths) > 20 || len(f.sockets) > 50 || a.KindsPartial
	a.Paths = a.Paths[:min(20, len(a.Paths))]
	for i := range f.sockets[:min(50, len(f.sockets))] {
		row := rowOf(&f.sockets[i])
		row.PID, row.Name = pid, a.Name
		a.Sockets = append(a.Sockets, row)
	}
	return a, nil
}
