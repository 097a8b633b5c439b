package host

import (
	"fmt"
	"strconv"
	"strings"
)

// A Softnet is what the kernel counts where it takes packets from the network cards.
type Softnet struct {
	Dropped  Count // packets dropped because a processor's queue was full
	Squeezed Count // times a processor had to stop with packets left
}

// Softnet reads the counters, of all processors together.
func (r *Reader) Softnet() (*Softnet, error) {
	b, err := r.readProc(r.network() + "softnet_stat")
	if absent(err) {
		return &Softnet{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read softnet counters: %w", err)
	}
	s := parseSoftnet(b)
	return &s, nil
}

// parseSoftnet reads a line for each processor of hexadecimal numbers: packets,
// dropped, squeezed and more.
func parseSoftnet(b []byte) Softnet {
	var s Softnet
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 3 {
			continue
		}
		dropped, err1 := strconv.ParseUint(f[1], 16, 32)
		squeezed, err2 := strconv.ParseUint(f[2], 16, 32)
		if err1 != nil || err2 != nil {
			continue
		}
		s.Dropped, s.Squeezed = known(s.Dropped.N+dropped), known(s.Squeezed.N+squeezed)
	}
	return s
}
