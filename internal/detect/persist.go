package detect

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"slices"
)

// The file of baselines: magic, a byte of version, what the node learned in
// seconds, the number of records, the records each with its length before it, and
// a CRC-32 (IEEE) of all that. Numbers are unsigned varints. A version is read for
// ever; a change to what a record holds is a new one.
const (
	magic   = "FLDB"
	version = 1
)

// ErrNewer is wrapped by the error of Restore for a file of a later version: the
// caller learns anew and keeps the file for whoever wrote it.
var ErrNewer = errors.New("the baselines are of a later version")

// Marshal returns the baselines of all metrics, compact: what a model knows, but
// not its recent samples, courses, or what is being told.
func (d *Detector) Marshal() []byte {
	b := append([]byte(magic), version)
	learned := max(0, d.now-d.start) + d.before
	b = binary.AppendUvarint(b, uint64(learned/1000))
	names := slices.DeleteFunc(slices.SortedFunc(maps.Keys(d.series), compareNames), func(n Name) bool { return d.series[n].model.n <= fewest })
	b = binary.AppendUvarint(b, uint64(len(names)))
	for _, n := range names {
		record := d.series[n].marshal(n)
		b = append(binary.AppendUvarint(b, uint64(len(record))), record...)
	}
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// Restore takes what Marshal returned in place of what the detector knows, as far
// as there is room. Time that was learned then counts. On an error the detector is
// as before.
func (d *Detector) Restore(saved []byte) error {
	if !bytes.HasPrefix(saved, []byte(magic)) {
		return errors.New("these are no baselines")
	}
	body := saved[len(magic):]
	if len(body) > 0 && body[0] > version {
		return fmt.Errorf("version %d, this program reads up to %d: %w", body[0], version, ErrNewer)
	}
	if len(body) < 5 || body[0] == 0 {
		return errors.New("the baselines are cut off")
	}
	end := len(saved) - 4
	if crc32.ChecksumIEEE(saved[:end]) != binary.BigEndian.Uint32(saved[end:]) {
		return errors.New("the baselines are damaged: wrong checksum")
	}
	r := reader{rest: saved[len(magic)+1 : end]}
	learned := r.uint(math.MaxInt64 / 1000)
	count := r.uint(math.MaxInt32)
	restored := map[Name]*series{}
	for i := uint64(0); i < count && !r.failed; i++ {
		record := reader{rest: r.bytes(r.uint(math.MaxInt32))}
		name, s := unmarshalV1(&record)
		if record.failed || len(record.rest) > 0 {
			return fmt.Errorf("baseline %d of %d cannot be read", i+1, count)
		}
		if len(restored) < d.options.MaxMetrics && d.Watches(name.Skill) {
			restored[name] = s
		}
	}
	if r.failed || len(r.rest) > 0 {
		return errors.New("the baselines are cut off")
	}
	d.before, d.series = int64(learned)*1000, restored
	clear(d.ignored)
	return nil
}

func (s *series) marshal(n Name) []byte {
	var b []byte
	for _, part := range []string{n.Target, n.Skill, n.Metric} {
		b = append(binary.AppendUvarint(b, uint64(len(part))), part...)
	}
	var flags byte
	if s.counter {
		flags = 1
	}
	b = append(b, flags)
	b = binary.AppendUvarint(b, uint64(max(0, s.fed)/1000))
	b = binary.AppendUvarint(b, uint64(s.learned/1000))
	m := &s.model
	b = binary.AppendUvarint(b, uint64(m.n))
	level := float64(float32(m.level))
	b = binary.BigEndian.AppendUint32(b, math.Float32bits(float32(level)))
	for _, v := range []float64{
		s.step.value, math.Sqrt(m.vary), math.Sqrt(m.nearSq), m.fast - level, m.shapes.usual.value, m.seasonal.value,
	} {
		b = appendShort(b, v)
	}
	p50, p95, p99 := s.spread.percentiles()
	low, high := s.spread.ends()
	for _, v := range []float64{low, p50, p95, p99, high} {
		b = appendShort(b, v-level)
	}
	for i := range m.rank {
		b = m.rank[i].append(b)
	}
	return m.calendar.week.append(b, level)
}

// unmarshalV1 reads a record of version 1.
func unmarshalV1(r *reader) (Name, *series) {
	n := Name{r.text(), r.text(), r.text()}
	s := &series{counter: r.uint(1) == 1}
	s.fed = int64(r.uint(math.MaxInt64/1000)) * 1000
	s.raw = math.Inf(1) // the counter goes on from the next sample
	s.seen, s.learned = s.fed, int64(r.uint(math.MaxInt64/1000))*1000
	m := &s.model
	m.n = uint32(r.uint(math.MaxUint32))
	m.level = r.float32()
	s.step = mean{r.short(), horizon}
	sd, near := r.short(), r.short()
	m.vary, m.nearSq = sd*sd, near*near
	m.fast = m.level + r.short()
	m.near, m.prev = m.fast, m.fast
	m.shapes.usual, m.shapes.quiet = mean{r.short(), m.n}, relearn
	m.seasonal = mean{r.short(), m.n}
	s.spread.restore(m.n, m.level+r.short(), m.level+r.short(), m.level+r.short(), m.level+r.short(), m.level+r.short())
	for i := range m.rank {
		m.rank[i].read(r)
	}
	m.calendar.week.read(r, m.level)
	m.calendar.recall(s.fed / 1000)
	s.typical, s.deviation, s.before = m.level, sd, m.fast
	if m.n <= fewest || s.step.value < 0 || m.shapes.usual.value < 0 || m.seasonal.value < 0 {
		r.failed = true
	}
	return n, s
}

// rankShares are the shares of a history above which bins are kept on disk: with
// the highest bin they tell the tail, which is what surprises are made of.
var rankShares = [...]float64{1. / 4, 1. / 16, 1. / 64, 1. / 512}

func (e *evidence) append(b []byte) []byte {
	b = append(b, byte(math.Round(math.Log2(float64(e.n)+1)*19)))
	for _, share := range append(rankShares[:], 0) {
		var sum int
		k := bins - 1
		for ; k > 0; k-- {
			if sum += int(e.count[k]); sum > int(share*float64(e.n)) {
				break
			}
		}
		b = append(b, byte(k))
	}
	return b
}

// read spreads the history evenly between the bins that are known.
func (e *evidence) read(r *reader) {
	n := math.Round(math.Exp2(float64(r.byte())/19) - 1)
	if n >= rememberAt {
		n = rememberAt - 1
	}
	from, above := 0, 1.0
	for _, share := range append(rankShares[:], 0) {
		to := int(r.byte())
		if r.failed || to < from || to >= bins {
			r.failed = true
			return
		}
		whole := int(math.Round((above - share) * n))
		for k := to; k >= from && whole > 0; k-- {
			part := (whole + k - from) / (k - from + 1) // the rest, to the higher bins first
			e.count[k] += uint16(part)
			e.n += uint16(part)
			whole -= part
		}
		from, above = to, share
	}
}

// nibbles are the steps of a calendar's range on disk; the last stands for unknown.
const nibbles = 15

func (c *cycle) append(b []byte, level float64) []byte {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range c.mean {
		if !unknown(v) {
			low, high = min(low, float64(v)), max(high, float64(v))
		}
	}
	if low > high {
		return append(b, 0)
	}
	b = appendShort(appendShort(append(b, 1), low-level), high-low)
	for i := 0; i < len(c.mean); i += 2 {
		b = append(b, nibble(c.mean[i], low, high)<<4|nibble(c.mean[i+1], low, high))
	}
	return b
}

func nibble(v float32, low, high float64) byte {
	if unknown(v) {
		return nibbles
	}
	if high == low {
		return 0
	}
	return byte(math.Round((float64(v) - low) / (high - low) * (nibbles - 1)))
}

func (c *cycle) read(r *reader, level float64) {
	if r.uint(1) == 0 {
		return
	}
	low := level + r.short()
	step := r.short() / (nibbles - 1)
	c.mean = make([]float32, weekParts)
	for i, b := range r.bytes(weekParts / 2) {
		for j, v := range [2]byte{b >> 4, b & 15} {
			c.mean[2*i+j] = float32(low + float64(v)*step)
			if v == nibbles {
				c.mean[2*i+j] = float32(math.NaN())
			}
		}
	}
}

// recall makes the day's parts from the hours of the week that were last before t.
func (c *calendar) recall(t int64) {
	if c.week.mean == nil {
		return
	}
	hour := floorDiv(t, weekPart)
	c.day.mean = make([]float32, dayParts)
	for i := range c.day.mean {
		c.day.mean[i] = float32(math.NaN())
	}
	for back := int64(1); back < weekParts; back++ {
		v := c.week.mean[mod(hour-back, weekParts)]
		at := 2 * mod(hour-back, dayParts/2)
		if !unknown(v) && unknown(c.day.mean[at]) {
			c.day.mean[at], c.day.mean[at+1] = v, v
		}
	}
}

// ends returns the lowest and the highest value.
func (q *quantiles) ends() (low, high float64) {
	if q.n == 0 {
		return 0, 0
	}
	return float64(q.height[0]), float64(q.height[min(int(q.n), len(markers))-1])
}

// restore sets the markers from five of them, those between by interpolation.
func (q *quantiles) restore(n uint32, low, p50, p95, p99, high float64) {
	q.n = uint16(min(max(n, 200), rememberAt/2)) // fewer have no room for the markers
	q.place = spread(q.n)
	known := []struct{ share, height float64 }{{0, low}, {markers[at50], p50}, {markers[at95], p95}, {markers[at99], p99}, {1, high}}
	for i, share := range markers {
		k := 1
		for known[k].share < share {
			k++
		}
		a, b := known[k-1], known[k]
		b.height = max(a.height, b.height)
		known[k] = b
		q.height[i] = float32(a.height + (b.height-a.height)*(share-a.share)/(b.share-a.share))
	}
}

// A reader reads a record. After a failure it gives zeros.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) bytes(n uint64) []byte {
	if r.failed || n > uint64(len(r.rest)) {
		r.failed = true
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint(most uint64) uint64 {
	v, n := binary.Uvarint(r.rest)
	if r.failed || n <= 0 || v > most {
		r.failed = true
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) text() string { return string(r.bytes(r.uint(1 << 12))) }

func (r *reader) float32() float64 {
	b := r.bytes(4)
	if b == nil {
		return 0
	}
	return r.finite(math.Float32frombits(binary.BigEndian.Uint32(b)))
}

// appendShort appends v as the upper half of a float32: more than two digits.
func appendShort(b []byte, v float64) []byte {
	f := float32(min(max(v, -math.MaxFloat32/2), math.MaxFloat32/2))
	bits := math.Float32bits(f)
	return binary.BigEndian.AppendUint16(b, uint16((bits+0x7fff+bits>>16&1)>>16))
}

func (r *reader) short() float64 {
	b := r.bytes(2)
	if b == nil {
		return 0
	}
	return r.finite(math.Float32frombits(uint32(binary.BigEndian.Uint16(b)) << 16))
}

// finite fails for values that no baseline has.
func (r *reader) finite(v float32) float64 {
	if f := float64(v); !(math.Abs(f) > math.MaxFloat32/2) && f == f {
		return f
	}
	r.failed = true
	return 0
}
