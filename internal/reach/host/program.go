package host

import (
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
)

// maxProgram bounds what is read of one program's file, in bytes.
const maxProgram = 4 << 20

// A GoProgram is what a Go program's file says of itself.
type GoProgram struct {
	Go   string // the release it was built with: go1.26.0
	Path string // of its main package: example.com/shop/cmd/checkout; empty for some test programs
	// Version is that of its main module: v1.4.2; empty or (devel) where the build did not know it.
	Version string
	// Revision is what was checked out when it was built; empty: unknown.
	Revision string
}

// errNoGo is told of programs that are not written in Go.
var errNoGo = errors.New("it is no Go program")

// GoProgram tells of the Go program that a process runs, from its file. Programs in
// other languages, and those this process may not look at, are errors. At most
// 4 MiB of the file are read, none of the process's memory.
func (r *Reader) GoProgram(pid int32) (p GoProgram, err error) {
	f, err := os.Open(r.proc(strconv.Itoa(int(pid)) + "/exe"))
	if err != nil {
		return GoProgram{}, err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return GoProgram{}, errNoGo
	}
	defer func() { // the packages below are not made for files that were forged
		if v := recover(); v != nil {
			err = fmt.Errorf("read the program of process %d: %v", pid, v)
		}
	}()
	limited := &limitedReaderAt{file: f, left: maxProgram}
	// Without this section buildinfo would search all data of a program in another language.
	if file, err := elf.NewFile(limited); err != nil || file.Section(".go.buildinfo") == nil {
		return GoProgram{}, errNoGo
	}
	info, err := buildinfo.Read(limited)
	if err != nil {
		return GoProgram{}, err
	}
	p = GoProgram{Go: info.GoVersion, Path: info.Path, Version: info.Main.Version}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			p.Revision = s.Value
		}
	}
	return p, nil
}

// A limitedReaderAt ends when so many bytes were read.
type limitedReaderAt struct {
	file io.ReaderAt
	left int
}

func (l *limitedReaderAt) ReadAt(b []byte, off int64) (int, error) {
	if len(b) > l.left {
		return 0, errors.New("too much of the file would be read")
	}
	l.left -= len(b)
	return l.file.ReadAt(b, off)
}
