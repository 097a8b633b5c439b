package census

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/host"
)

const (
	// mostFiles bounds the files that are watched.
	mostFiles = 256
	// MaxFile is how many bytes a file may have whose content is compared. Of a larger
	// one the size and the time of its last change are.
	MaxFile = 1 << 20
)

// A file is a configuration file as it was read last. Its content is not kept.
type file struct {
	Hash    string    `json:"hash,omitempty"` // empty: it is too large, or could not be read
	Size    int64     `json:"size"`
	Changed time.Time `json:"changed"`
	UID     uint32    `json:"uid"`
}

// same reports whether the content is the same, as far as that can be told.
func (f file) same(o file) bool {
	if f.Hash != "" && o.Hash != "" {
		return f.Hash == o.Hash
	}
	return f.Size == o.Size && f.Changed.Equal(o.Changed)
}

// readFiles reads the files of the patterns. Of those that did not change since
// before only the size and the time are read. more is how many there were too many.
func readFiles(h *host.Reader, patterns []string, before map[string]file) (files map[string]file, more int) {
	files = map[string]file{}
	root := h.Path("")
	for _, pattern := range patterns {
		names, err := filepath.Glob(h.Path(pattern))
		if err != nil {
			continue // the settings were checked
		}
		slices.Sort(names)
		for _, name := range names {
			path := strings.TrimPrefix(name, strings.TrimSuffix(root, "/"))
			if _, read := files[path]; read {
				continue
			}
			st, err := os.Stat(name)
			if err != nil || !st.Mode().IsRegular() {
				continue
			}
			if len(files) >= mostFiles {
				more++
				continue
			}
			f := file{Size: st.Size(), Changed: st.ModTime().UTC(), UID: uidOf(st)}
			if b, ok := before[path]; ok && b.Size == f.Size && b.Changed.Equal(f.Changed) {
				f.Hash = b.Hash
			} else if f.Size <= MaxFile {
				f.Hash = hash(name)
			}
			files[path] = f
		}
	}
	return files, more
}

// hash returns a digest of a file's first MaxFile bytes, "" when it cannot be read.
func hash(name string) string {
	f, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, MaxFile)); err != nil {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// CheckPattern says what is wrong with a path or pattern of a file to watch.
func CheckPattern(pattern string) error {
	if !strings.HasPrefix(pattern, "/") {
		return fmt.Errorf("%q is not a whole path: write /etc/nginx/*.conf", pattern)
	}
	if _, err := filepath.Match(pattern, "/"); err != nil {
		return fmt.Errorf("%q is no pattern: in a name, * stands for any letters, ? for one, [a-z] for one of those", pattern)
	}
	return nil
}
