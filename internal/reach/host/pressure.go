package host

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A Stall is a share of wall time in percent, over the last 10, 60 and 300
// seconds, in which tasks could not go on for want of something.
type Stall struct {
	Avg10, Avg60, Avg300 float64
	Total                uint64 // microseconds since boot
}

// A Pressure is what the kernel measured for one resource.
type Pressure struct {
	Some Stall // at least one task waited
	Full Stall // all tasks waited: nothing got done
}

// Pressures holds the pressure of each resource; nil where the kernel does not
// measure it (no CONFIG_PSI, or psi=0).
type Pressures struct{ CPU, Memory, IO *Pressure }

// Pressure reads the pressure stall information.
func (r *Reader) Pressure() (Pressures, error) {
	var p Pressures
	var faults []error
	for _, of := range []struct {
		name string
		to   **Pressure
	}{{"cpu", &p.CPU}, {"memory", &p.Memory}, {"io", &p.IO}} {
		b, err := r.readProc("pressure/" + of.name)
		if absent(err) {
			continue
		}
		if err == nil {
			*of.to, err = parsePressure(b)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("read pressure of %s: %w", of.name, err))
		}
	}
	return p, errors.Join(faults...)
}

func parsePressure(b []byte) (*Pressure, error) {
	var p Pressure
	some := false
	for line := range strings.Lines(string(b)) {
		kind, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		to := &p.Full
		switch kind {
		case "some":
			to, some = &p.Some, true
		case "full":
		default:
			continue
		}
		if err := parseStall(rest, to); err != nil {
			return nil, err
		}
	}
	if !some {
		return nil, errors.New(`no line "some"`)
	}
	return &p, nil
}

func parseStall(s string, to *Stall) error {
	for f := range strings.FieldsSeq(s) {
		key, value, _ := strings.Cut(f, "=")
		var err error
		switch key {
		case "avg10":
			to.Avg10, err = percent(value)
		case "avg60":
			to.Avg60, err = percent(value)
		case "avg300":
			to.Avg300, err = percent(value)
		case "total":
			to.Total, err = strconv.ParseUint(value, 10, 64)
		}
		if err != nil {
			return fmt.Errorf("%.40q: %w", f, err)
		}
	}
	return nil
}

func percent(s string) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	if err == nil && !(v >= 0 && v <= 100) {
		err = errors.New("not from 0 to 100")
	}
	return v, err
}
