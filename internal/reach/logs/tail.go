package logs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// Bounds of what is read and kept of one file.
const (
	longestLine = 16 << 10 // bytes of a line that are looked at; the rest is passed over
	lastBytes   = 64 << 10 // read of a file that is met with something in it
	perPoll     = 4 << 20  // bytes read of one file at a time; when there is more, the newest
	afterJump   = 1 << 20  // bytes read when there was more
	printBytes  = 64       // before the offset that are compared to see that they are the same
)

// A tail follows one path. It keeps the file open, so that what was written
// before a rotation is read after it too.
type tail struct {
	path     string
	file     *os.File
	offset   int64
	print    []byte // what stood before the offset
	partial  []byte // the beginning of a line without its end
	skipping bool   // the rest of a line that is too long, or that has no beginning
	cut      bool   // partial is the beginning of a longer line
	skipped  int64  // bytes passed over because too much came at once
	binary   bool

	old  *tail       // the file that had the path before; it is read once more
	left func(*tail) // told before a file is closed for good that another one replaced
}

// A line is what a tail found. Its bytes are valid until the next one.
type line struct {
	text []byte
	cut  bool
}

// open opens the path. Reading begins at its beginning, or near its end.
func (t *tail) open(fromStart bool) error {
	f, err := os.Open(t.path)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		_ = f.Close() // it was not read
		return errors.Join(err, fmt.Errorf("%s is no regular file", t.path))
	}
	t.file, t.offset, t.partial, t.print = f, 0, t.partial[:0], t.print[:0]
	t.cut, t.skipping = false, false
	if !fromStart && info.Size() > lastBytes {
		t.offset, t.skipping = info.Size()-lastBytes, true
	}
	return nil
}

func (t *tail) close() {
	if t.old != nil {
		t.old.close()
		t.old = nil
	}
	if t.file != nil {
		_ = t.file.Close() // it was only read
		t.file = nil
	}
}

// has says whether the file is the one that is open.
func (t *tail) has(info os.FileInfo) bool {
	mine, err := t.file.Stat()
	return err == nil && os.SameFile(mine, info)
}

// poll reads what was written since the last time and calls each with its lines.
func (t *tail) poll(buf []byte, each func(line)) error {
	if t.old != nil {
		if err := t.leave(buf, each); err != nil {
			return err
		}
	}
	if err := t.read(buf, each); err != nil {
		return err
	}
	return t.rotate(buf, each)
}

// leave reads what was still written to the file that lost the path, and closes it.
func (t *tail) leave(buf []byte, each func(line)) error {
	old := t.old
	err := old.read(buf, each)
	old.flush(each)
	if t.left != nil {
		t.left(old)
	}
	old.close()
	t.old = nil
	return err
}

// rotate goes on with the file that has the path now, when that is another one. The
// program may write to the old one until it is told: it is read until the next poll.
func (t *tail) rotate(buf []byte, each func(line)) error {
	mine, err := t.file.Stat()
	if err != nil {
		return err
	}
	theirs, err := os.Stat(t.path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil // renamed, and not made again yet: the old one may still be written
	case err != nil:
		return err
	case os.SameFile(mine, theirs):
		return nil
	}
	old := *t
	old.left, t.file, t.partial, t.print = nil, nil, nil, nil
	t.old = &old
	if err := t.open(true); err != nil {
		t.close()
		return err
	}
	return t.read(buf, each)
}

// read reads from the offset to the end of the open file.
func (t *tail) read(buf []byte, each func(line)) error {
	info, err := t.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() < t.offset || !t.same() { // truncated, and perhaps written again since
		t.flush(each)
		t.offset, t.skipping, t.print = 0, false, t.print[:0]
	}
	if pending := info.Size() - t.offset; pending > perPoll {
		t.flush(each)
		t.skipped += pending - afterJump
		t.offset, t.skipping = info.Size()-afterJump, true
	}
	for end := info.Size(); t.offset < end && !t.binary; {
		n, err := t.file.ReadAt(buf[:min(int64(len(buf)), end-t.offset)], t.offset)
		t.offset += int64(n)
		t.split(buf[:n], each)
		if n > 0 {
			t.print = append(t.print[:0], buf[max(0, n-printBytes):n]...)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read %s: %w", t.path, err)
		}
		if n == 0 {
			return nil
		}
	}
	return nil
}

// same says whether what stands before the offset is what stood there.
func (t *tail) same() bool {
	if len(t.print) == 0 || t.offset < int64(len(t.print)) {
		return true
	}
	var now [printBytes]byte
	n, err := t.file.ReadAt(now[:len(t.print)], t.offset-int64(len(t.print)))
	return err == nil && bytes.Equal(now[:n], t.print)
}

// split cuts lines off what was read.
func (t *tail) split(b []byte, each func(line)) {
	if !t.skipping && bytes.IndexByte(b[:min(len(b), 512)], 0) >= 0 {
		t.binary = true // no text
		return
	}
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n')
		piece := b
		if end >= 0 {
			piece = b[:end]
		}
		t.take(piece, end >= 0, each)
		if end < 0 {
			return
		}
		t.skipping = false
		b = b[end+1:]
	}
}

// take adds a piece to the line that is being read; last says that the line ends
// with it.
func (t *tail) take(piece []byte, last bool, each func(line)) {
	if t.skipping {
		return
	}
	if room := longestLine - len(t.partial); len(piece) > room {
		piece, t.cut = piece[:room], true
	}
	if last && len(t.partial) == 0 { // the common case: nothing is copied
		each(line{piece, t.cut})
		t.cut = false
		return
	}
	t.partial = append(t.partial, piece...)
	if last || t.cut {
		t.skipping = t.cut && !last
		t.flush(each)
	}
}

// flush gives out what there is of a line.
func (t *tail) flush(each func(line)) {
	if len(t.partial) > 0 {
		each(line{t.partial, t.cut})
	}
	t.partial, t.cut = t.partial[:0], false
	if cap(t.partial) > 4<<10 {
		t.partial = nil
	}
}
