package probe

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A state is the folder in which a probe keeps what it must know after a restart:
// baselines, and what it saw last. An empty one keeps nothing.
type state string

// read returns a file of the folder; nil when there is none.
func (s state) read(name string) ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	b, err := os.ReadFile(filepath.Join(string(s), name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// write replaces a file of the folder: whoever reads it sees the old one or the new
// one, whole, also after a crash.
func (s state) write(name string, data []byte) (err error) {
	if s == "" {
		return nil
	}
	f, err := os.CreateTemp(string(s), "."+name+"-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(string(s), name))
}

// openState makes the folder if it is not there. It must be writable.
func openState(folder string) (state, error) {
	if folder == "" {
		return "", nil
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("--state: %w", err)
	}
	s := state(folder)
	if err := s.write("writable", nil); err != nil {
		return "", fmt.Errorf("--state: %w", err)
	}
	return s, os.Remove(filepath.Join(folder, "writable"))
}
