package gopprof

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/pprof/profile"
)

// profile reads a profile as net/http/pprof gives it.
func (s *Service) profile(ctx context.Context, question string, extra time.Duration) (*profile.Profile, error) {
	var p *profile.Profile
	address := s.pprof(question)
	err := s.fetch(ctx, address, extra, func(in *bufio.Reader) (err error) {
		p, err = parseProfile(in)
		return err
	})
	if errors.Is(err, errAbsent) {
		return nil, noPprof(address)
	}
	return p, err
}

// parseProfile reads a profile, compressed or not, within bounds.
func parseProfile(in *bufio.Reader) (p *profile.Profile, err error) {
	defer func() {
		if r := recover(); r != nil {
			p, err = nil, fmt.Errorf("its answer is no profile: %v", r)
		}
	}()
	begin, err := in.Peek(2)
	if err != nil && len(begin) == 0 {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("its answer is empty, not a profile")
		}
		return nil, err
	}
	var from io.Reader = in
	if len(begin) == 2 && begin[0] == 0x1f && begin[1] == 0x8b {
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, fmt.Errorf("its answer is no profile: %w", err)
		}
		from = z
	}
	var raw bytes.Buffer
	if _, err := raw.ReadFrom(io.LimitReader(from, maxUnpacked+1)); err != nil {
		return nil, err
	}
	if raw.Len() > maxUnpacked {
		return nil, fmt.Errorf("its profile has more than %d MiB", maxUnpacked>>20)
	}
	if err := plausible(raw.Bytes()); err != nil {
		return nil, err
	}
	if p, err = profile.ParseUncompressed(raw.Bytes()); err == nil {
		err = p.CheckValid()
	}
	if err != nil {
		return nil, fmt.Errorf("its answer is no profile: %w", err)
	}
	return p, nil
}

// How much a profile may have of each kind of entry: the parser makes objects of
// each, which take many times the bytes. By the numbers of their fields.
var most = map[uint64]struct {
	entries, bytes int
	name           string
}{
	1: {20, 1 << 10, "types of sample"},
	2: {100_000, 8 << 20, "samples"},
	3: {10_000, 1 << 20, "mappings"},
	4: {200_000, 16 << 20, "locations"},
	5: {200_000, 8 << 20, "functions"},
	6: {1_000_000, maxUnpacked, "strings"},
}

var errNoProfile = errors.New("its answer is no profile: url must be the address of net/http/pprof")

// plausible walks the outermost fields of a profile and counts them.
func plausible(raw []byte) error {
	var entries, size [7]int
	for len(raw) > 0 {
		tag, n := binary.Uvarint(raw)
		if n <= 0 {
			return errNoProfile
		}
		raw = raw[n:]
		var length uint64
		switch tag & 7 {
		case 0:
			if _, n = binary.Uvarint(raw); n <= 0 {
				return errNoProfile
			}
			raw = raw[n:]
			continue
		case 2:
			if length, n = binary.Uvarint(raw); n <= 0 || length > uint64(len(raw)-n) {
				return errNoProfile
			}
		default:
			return errNoProfile
		}
		raw = raw[n+int(length):]
		field := tag >> 3
		if limit, known := most[field]; known {
			entries[field]++
			size[field] += int(length)
			if entries[field] > limit.entries || size[field] > limit.bytes {
				return fmt.Errorf("its profile has more than %d %s (or %d KiB of them)", limit.entries, limit.name, limit.bytes>>10)
			}
		}
	}
	return nil
}

// column returns the index of a type of sample.
func column(p *profile.Profile, name string) (int, error) {
	for i, t := range p.SampleType {
		if t.Type == name {
			return i, nil
		}
	}
	return 0, fmt.Errorf("the profile has no %s in it", name)
}
