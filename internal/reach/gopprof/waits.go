package gopprof

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A Wait is goroutines that stand at one place in one state.
type Wait struct {
	Frame
	State     string // as the runtime says it
	Count     int
	Minutes   int    // the longest
	CreatedBy string // who started one of them
}

// mostDumped is how many goroutines a service may have that is asked for all of
// them: it stops while it writes them down.
const mostDumped = 10_000

// Waits reads how long goroutines have stood where they are; the runtime counts
// whole minutes. The longest comes first, at most 128.
func (s *Service) Waits(ctx context.Context) ([]Wait, error) {
	g, err := s.Goroutines(ctx)
	if err != nil {
		return nil, err
	}
	if g.Total > mostDumped {
		return nil, fmt.Errorf("the service has %d goroutines: it is asked how long they wait with at most %d, since it stops meanwhile", g.Total, mostDumped)
	}
	return once(ctx, s, (*cached[[]Wait])(nil), func(ctx context.Context) ([]Wait, error) {
		var list []Wait
		address := s.pprof("goroutine?debug=2")
		err := s.fetch(ctx, address, 0, func(in *bufio.Reader) (err error) {
			list, err = parseWaits(in)
			return err
		})
		if errors.Is(err, errAbsent) {
			return nil, noPprof(address)
		}
		return list, err
	})
}

var (
	headRE = regexp.MustCompile(`^goroutine \d+ (?:gp=\S+ m=\S+ (?:mp=\S+ )?)?\[([^\],]{1,64})(?:, (\d{1,9}) minutes)?(?:, [^\]]*)?\]:`)
	lineRE = regexp.MustCompile(`^\t(.+):(\d{1,9})(?: \+0x[0-9a-f]+)?\s*$`)
)

// A dump is a list of goroutines being read, one after the other.
type dump struct {
	places  map[string]*Wait
	cur     *Wait // nil between two
	stack   []Frame
	created bool // what follows is where it was started
	seen    bool
}

func parseWaits(in *bufio.Reader) ([]Wait, error) {
	d := dump{places: map[string]*Wait{}}
	err := lines(in, func(raw []byte) bool {
		d.line(strings.TrimRight(string(raw), "\r\n"))
		return true
	})
	if err != nil {
		return nil, err
	}
	d.end()
	if !d.seen {
		return nil, errors.New("its answer is no list of goroutines")
	}
	var out []Wait
	for _, w := range d.places {
		out = append(out, *w)
	}
	slices.SortFunc(out, func(a, b Wait) int {
		return cmp.Or(cmp.Compare(b.Minutes, a.Minutes), cmp.Compare(b.Count, a.Count), strings.Compare(a.String(), b.String()))
	})
	return slices.Clone(out[:min(128, len(out))]), nil
}

func (d *dump) line(line string) {
	switch {
	case strings.HasPrefix(line, "goroutine "):
		d.end()
		if m := headRE.FindStringSubmatch(line); m != nil {
			d.seen = true
			minutes, _ := strconv.Atoi(m[2]) // none: less than one
			d.cur = &Wait{State: m[1], Minutes: minutes}
		}
	case d.cur == nil || line == "":
	case strings.HasPrefix(line, "created by "):
		by, _, _ := strings.Cut(strings.TrimPrefix(line, "created by "), " in goroutine ")
		d.cur.CreatedBy, d.created = name(by), true
	case strings.HasPrefix(line, "\t"):
		if m := lineRE.FindStringSubmatch(line); m != nil && len(d.stack) > 0 && !d.created && d.stack[len(d.stack)-1].File == "" {
			n, _ := strconv.Atoi(m[2])
			d.stack[len(d.stack)-1].File, d.stack[len(d.stack)-1].Line = shortFile(m[1]), n
		}
	case len(d.stack) < 128 && !d.created:
		d.stack = append(d.stack, Frame{Function: name(calledFunction(line))})
	}
}

// end takes in the goroutine that was read.
func (d *dump) end() {
	if d.cur != nil && len(d.stack) > 0 {
		d.cur.Frame, _ = owner(d.stack)
		key := d.cur.State + "\x00" + d.cur.String()
		switch known := d.places[key]; {
		case known != nil:
			known.Count++
			known.Minutes = max(known.Minutes, d.cur.Minutes)
		case len(d.places) < 4096:
			d.cur.Count = 1
			d.places[key] = d.cur
		}
	}
	d.cur, d.stack, d.created = nil, nil, false
}

// calledFunction returns the function of a call as a dump has it, without its
// arguments: main.(*T).work(0x1, {0x2, 0x3}).
func calledFunction(line string) string {
	if i := strings.LastIndexByte(line, '('); i > 0 {
		return line[:i]
	}
	return line
}
