package host

import (
	"fmt"
	"strings"
)

// A RAIDArray is one software RAID array.
type RAIDArray struct {
	Name    string // md0
	Disks   int    // that it should have
	Working int
}

// Degraded reports whether a disk is missing.
func (a RAIDArray) Degraded() bool { return a.Working < a.Disks }

// RAID lists the software RAID arrays that have redundancy; none where the kernel
// has no such driver.
func (r *Reader) RAID() ([]RAIDArray, error) {
	b, err := r.readProc("mdstat")
	if absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read RAID arrays: %w", err)
	}
	return parseRAID(b), nil
}

// parseRAID reads mdstat: "md0 : active raid1 sda1[0] sdb1[1]", and on the next
// line "… [2/1] [U_]".
func parseRAID(b []byte) []RAIDArray {
	var out []RAIDArray
	name := ""
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		switch {
		case len(f) >= 3 && f[1] == ":" && strings.HasPrefix(f[0], "md"):
			name = f[0]
		case name != "":
			for _, word := range f {
				inner, ok := strings.CutPrefix(word, "[")
				inner, ok2 := strings.CutSuffix(inner, "]")
				disks, working, ok3 := strings.Cut(inner, "/")
				d, w := count(disks), count(working)
				if ok && ok2 && ok3 && d.Known && w.Known && d.N < 1<<16 && w.N <= d.N {
					out = append(out, RAIDArray{name, int(d.N), int(w.N)})
					name = ""
					break
				}
			}
		}
	}
	return out
}
