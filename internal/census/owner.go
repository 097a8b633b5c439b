package census

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// owner returns the name of a user of the machine, its number when it has none.
func (l *look) owner(uid uint32) string {
	if f, err := os.Open(l.cfg.Host.Path("/etc/passwd")); err == nil {
		defer f.Close()
		if name := userName(f, uid); name != "" {
			return name
		}
	}
	return "user " + strconv.FormatUint(uint64(uid), 10)
}

// userName finds a user in the text of /etc/passwd: name:password:uid:…
func userName(r io.Reader, uid uint32) string {
	want := strconv.FormatUint(uint64(uid), 10)
	lines := bufio.NewScanner(io.LimitReader(r, 1<<20))
	for lines.Scan() {
		f := strings.SplitN(lines.Text(), ":", 4)
		if len(f) == 4 && f[2] == want && f[0] != "" && len(f[0]) <= 64 {
			return strings.ToValidUTF8(f[0], "")
		}
	}
	return ""
}

// matches reports whether a path is one of the patterns' files.
func matches(patterns []string, path string) bool {
	for _, p := range patterns {
		if ok, _ := filepath.Match(p, path); ok {
			return true
		}
	}
	return false
}
