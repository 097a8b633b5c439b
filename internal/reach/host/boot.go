package host

import (
	"fmt"
	"strings"
)

// A Boot tells one start of the machine from another.
type Boot struct {
	ID     string // random, of the kernel's own making
	Kernel string // its release: 6.1.0-28-amd64; empty: unknown
}

// Boot reads which start of the machine this is.
func (r *Reader) Boot() (Boot, error) {
	id, err := r.readProc("sys/kernel/random/boot_id")
	if err != nil {
		return Boot{}, fmt.Errorf("read the boot's id: %w", err)
	}
	kernel, _ := r.readProc("sys/kernel/osrelease") // the boot is told without it too
	return Boot{ID: word(id), Kernel: word(kernel)}, nil
}

// word bounds what a file says in one word.
func word(b []byte) string {
	s := strings.ToValidUTF8(strings.TrimSpace(string(b[:min(len(b), 256)])), "")
	first, _, _ := strings.Cut(s, "\n")
	return first
}
