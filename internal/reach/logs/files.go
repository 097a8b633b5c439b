package logs

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// mostFiles is how many files are followed, those that were written last.
const mostFiles = 200

// forgotten is after how long a file that is not written is not followed.
const forgotten = 48 * time.Hour

// A found file is one that a pattern names.
type found struct {
	path      string
	container bool // its lines are wrapped by a container runtime
	changed   time.Time
}

// defaultFiles are followed when the configuration names none.
var defaultFiles = []string{"/var/log/*.log", "/var/log/*/*.log", "/var/log/syslog", "/var/log/messages", "/var/log/secure"}

// copies are the files that syslog daemons fill from the journal. They are left
// out where the journal is read.
var copies = []string{"syslog", "messages", "auth.log", "kern.log", "daemon.log", "user.log", "mail.log", "cron.log", "secure"}

// patterns returns what to follow.
func (c Config) patterns() (files, containers []string) {
	names := c.Files
	if len(names) == 0 {
		names = defaultFiles
	}
	for _, p := range names {
		if p != Off {
			files = append(files, filepath.Join(c.Root, p))
		}
	}
	if dir := cmp.Or(c.Docker, DefaultDocker); dir != Off {
		containers = append(containers, filepath.Join(c.Root, dir, "*", "*-json.log"))
	}
	if dir := cmp.Or(c.Pods, DefaultPods); dir != Off {
		containers = append(containers, filepath.Join(c.Root, dir, "*", "*", "*.log"))
	}
	return files, containers
}

// find evaluates the patterns anew, the files that were written last first, and
// reports the folders in them that it may not read.
func (c Config) find(journal bool, now time.Time) (list []found, denied []Unreadable) {
	files, containers := c.patterns()
	seen := map[string]bool{}
	for _, kind := range []struct {
		patterns  []string
		container bool
	}{{files, false}, {containers, true}} {
		for _, pattern := range kind.patterns {
			matches, _ := filepath.Glob(pattern) // a bad pattern was refused before
			if dir := deniedFolder(pattern); len(matches) == 0 && dir != "" && !seen[dir] {
				seen[dir] = true
				denied = append(denied, Unreadable{dir, "permission denied", howToGrant(dir)})
			}
			for _, path := range matches {
				info, err := os.Stat(path)
				if err != nil || !info.Mode().IsRegular() || seen[path] || now.Sub(info.ModTime()) > forgotten || journal && c.isCopy(path) {
					continue
				}
				seen[path] = true
				list = append(list, found{path, kind.container, info.ModTime()})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b found) int { return b.changed.Compare(a.changed) })
	return list[:min(len(list), mostFiles)], denied
}

func (c Config) isCopy(path string) bool {
	return len(c.Files) == 0 && slices.Contains(copies, filepath.Base(path)) && filepath.Dir(path) == filepath.Join(c.Root, "/var/log")
}

// deniedFolder returns the folder of a pattern when it may not be read.
func deniedFolder(pattern string) string {
	dir := pattern
	for strings.ContainsAny(dir, "*?[") {
		dir = filepath.Dir(dir)
	}
	if dir == pattern {
		return ""
	}
	f, err := os.Open(dir)
	if err != nil {
		if os.IsPermission(err) {
			return dir
		}
		return ""
	}
	_ = f.Close() // nothing was read
	return ""
}

// sourceOf is what a file is called in answers: its path, or a container's short id.
func sourceOf(f found, root string) string {
	path := f.path
	if root != "" && root != "/" {
		path = strings.TrimPrefix(path, strings.TrimSuffix(root, "/"))
	}
	if name := filepath.Base(path); f.container && strings.HasSuffix(name, "-json.log") {
		return "docker:" + strings.TrimSuffix(name, "-json.log")[:min(12, len(name)-len("-json.log"))]
	}
	return path
}
