package gopprof

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/pprof/profile"
)

// Contention is where goroutines of the service waited for others.
type Contention struct {
	Places []Delay // longest delay first, at most 64
	Delay  time.Duration
	// Enabled reports whether the service records it; nil where it does not say.
	Enabled *bool
}

// A Delay is how long goroutines waited at, or because of, one place, since the
// service began.
type Delay struct {
	Frame
	Via         string
	Delay       time.Duration
	Contentions int64
}

// Mutexes reads who held locks that others waited for.
func (s *Service) Mutexes(ctx context.Context) (*Contention, error) {
	return s.contention(ctx, "mutex")
}

// Blocking reads where goroutines waited for locks and channels.
func (s *Service) Blocking(ctx context.Context) (*Contention, error) {
	return s.contention(ctx, "block")
}

func (s *Service) contention(ctx context.Context, kind string) (*Contention, error) {
	return once(ctx, s, (*cached[*Contention])(nil), func(ctx context.Context) (*Contention, error) {
		p, err := s.profile(ctx, kind, 0)
		if err != nil {
			return nil, err
		}
		c, err := contentionOf(p)
		if err != nil {
			return nil, err
		}
		if len(p.Sample) > 0 {
			yes := true
			c.Enabled = &yes
		} else if kind == "mutex" {
			c.Enabled, err = s.mutexEnabled(ctx)
		}
		return c, err
	})
}

func contentionOf(p *profile.Profile) (*Contention, error) {
	delay, err := column(p, "delay")
	if err != nil {
		return nil, err
	}
	count, err := column(p, "contentions")
	if err != nil {
		return nil, err
	}
	c := &Contention{}
	places := map[string]*Delay{}
	for _, sample := range p.Sample {
		stack := frames(sample)
		if len(stack) == 0 {
			continue
		}
		at, via := owner(stack)
		d := places[at.String()]
		if d == nil {
			d = &Delay{Frame: at, Via: via}
			places[at.String()] = d
		}
		d.Delay += time.Duration(sample.Value[delay])
		d.Contentions += sample.Value[count]
		c.Delay += time.Duration(sample.Value[delay])
	}
	for _, d := range places {
		c.Places = append(c.Places, *d)
	}
	slices.SortFunc(c.Places, func(a, b Delay) int {
		return cmp.Or(cmp.Compare(b.Delay, a.Delay), strings.Compare(a.String(), b.String()))
	})
	c.Places = slices.Clone(c.Places[:min(64, len(c.Places))])
	return c, nil
}

// mutexEnabled reads what the service samples: the text form of the profile
// begins with it. An older service does not say.
func (s *Service) mutexEnabled(ctx context.Context) (*bool, error) {
	var enabled *bool
	err := s.fetch(ctx, s.pprof("mutex?debug=1"), 0, func(in *bufio.Reader) error {
		seen := 0
		return lines(in, func(line []byte) bool {
			if period, ok := bytes.CutPrefix(line, []byte("sampling period=")); ok {
				n, err := strconv.Atoi(strings.TrimSpace(string(period)))
				yes := n > 0
				if err == nil {
					enabled = &yes
				}
				return false
			}
			seen++
			return seen < 10
		})
	})
	if errors.Is(err, errAbsent) {
		return nil, nil
	}
	return enabled, err
}
