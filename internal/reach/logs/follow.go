package logs

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// mostLeft is of how many rotated files it is remembered how far they were read.
const mostLeft = 64

// A fileID names a file whatever its path is.
type fileID struct{ dev, ino uint64 }

func idOf(info os.FileInfo) fileID {
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		return fileID{uint64(sys.Dev), sys.Ino} //nolint:unconvert // an int32 on other systems
	}
	return fileID{}
}

// A place is how far a file was read, and what stands before.
type place struct {
	offset int64
	print  []byte
}

// A follow is a tail with what is known of its lines.
type follow struct {
	tail
	container bool
	source    string
	pending   string // the beginning of a line that the container runtime divided
	entries   uint64
	last      time.Time
	lost      time.Time // since when the path is gone; zero while it is there
}

// pollFiles reads every file that the patterns name now, and those that they
// named the last time.
func (r *Reader) pollFiles(ctx context.Context, first bool, now time.Time) {
	list, denied := r.cfg.find(r.follower.reads(), now)
	r.unreadable = append(r.unreadable, denied...)
	here := map[string]bool{}
	for _, f := range list {
		if ctx.Err() != nil {
			return
		}
		here[f.path] = true
		t := r.tails[f.path]
		if t == nil {
			if t = r.meet(f, first, now); t == nil {
				continue
			}
		}
		t.lost = time.Time{}
		r.pollFile(t, now)
	}
	for _, path := range slices.Sorted(maps.Keys(r.tails)) {
		if !here[path] {
			r.lose(path, now)
		}
	}
}

// lose reads the rest of a file whose path is gone. Until its program makes a new
// one it may write to the old one: it is closed after a minute.
func (r *Reader) lose(path string, now time.Time) {
	t := r.tails[path]
	r.pollFile(t, now)
	if t.lost.IsZero() {
		t.lost = now
	}
	if t.file == nil || now.Sub(t.lost) < time.Minute {
		return
	}
	t.flush(r.sink(t, false, now))
	r.remember(&t.tail)
	t.close()
	delete(r.tails, path)
}

// meet begins to follow a file. What stands in it already is known, unless the
// file is new since the last time.
func (r *Reader) meet(f found, first bool, now time.Time) *follow {
	info, err := os.Stat(f.path)
	if err != nil {
		return nil
	}
	for _, other := range r.tails {
		if other.has(info) || other.old != nil && other.old.has(info) {
			return nil // it was renamed: who followed it still does
		}
	}
	t := &follow{tail: tail{path: f.path, left: r.remember}, container: f.container, source: sourceOf(f, r.cfg.Root)}
	was, left := r.left[idOf(info)]
	fresh := !first && f.changed.After(r.polled.Add(-freshness)) && info.Size() <= perPoll
	if err := t.open(fresh || left); err != nil {
		r.fail(f.path, err)
		return nil
	}
	r.tails[f.path] = t
	if left {
		t.offset, t.print = was.offset, was.print // when it is another file with the same number, it is read from its beginning
		return t
	}
	if !fresh {
		if err := t.read(r.buf, r.sink(t, true, now)); err != nil {
			r.fail(f.path, err)
		}
	}
	return t
}

// remember keeps how far a file was read that loses its path.
func (r *Reader) remember(t *tail) {
	info, err := t.file.Stat()
	if err != nil {
		return
	}
	if len(r.left) >= mostLeft {
		clear(r.left)
	}
	r.left[idOf(info)] = place{t.offset, slices.Clone(t.print)}
}

func (r *Reader) pollFile(t *follow, now time.Time) {
	before := t.skipped
	if err := t.poll(r.buf, r.sink(t, false, now)); err != nil {
		r.fail(t.path, err)
	}
	if t.file == nil { // it is met again when it can be read
		delete(r.tails, t.path)
	}
	r.skipped += t.skipped - before
}

func (r *Reader) fail(path string, err error) {
	u := Unreadable{Source: path, Reason: err.Error()}
	if errors.Is(err, os.ErrPermission) {
		u.Reason, u.Grant = "permission denied", howToGrant(path)
	}
	r.unreadable = append(r.unreadable, u)
}

// sink makes entries of a file's lines.
func (r *Reader) sink(t *follow, known bool, now time.Time) func(line) {
	return func(l line) {
		text, at := string(l.text), time.Time{}
		if t.container {
			var whole bool
			if text, at, whole = t.unwrap(text); !whole {
				return
			}
		}
		if strings.TrimSpace(text) == "" {
			return
		}
		e := ParseLine(text, now)
		e.Source, e.Cut = t.source, l.cut
		if e.Time.IsZero() {
			e.Time = at
		}
		t.entries++
		t.last = now
		r.take(&e, text, known, now)
	}
}

// unwrap takes off what the container runtime puts around a line, and puts the
// parts of a long one together.
func (t *follow) unwrap(wrapped string) (text string, at time.Time, whole bool) {
	text, at, more := containerLine(wrapped)
	if more || t.pending != "" {
		text = t.pending + text
		t.pending = ""
	}
	if more && len(text) < longestLine {
		t.pending = text
		return "", at, false
	}
	return text, at, true
}
