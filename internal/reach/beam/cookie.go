package beam

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A Local is a node of this machine, as its process shows it.
type Local struct {
	PID  int
	Name string // full; empty of a node without distribution
	// cookie is where it has its cookie from.
	args []string
	env  map[string]string
	root string // of its file system
}

// Locals returns the nodes that run on this machine, by its proc filesystem. What may
// not be read of a process is left out.
func Locals(proc string) []Local {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil
	}
	var out []Local
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if l, ok := LocalAt(proc, pid); ok {
			out = append(out, l)
		}
	}
	return out
}

// LocalAt returns the node that a process is; false when it is none, or may not be
// looked at.
func LocalAt(proc string, pid int) (Local, bool) {
	dir := filepath.Join(proc, strconv.Itoa(pid))
	comm, err := os.ReadFile(filepath.Join(dir, "comm"))
	// The first thread of OTP 26 and later has a name of its own in some releases.
	if name := strings.TrimSpace(string(comm)); err != nil || !strings.HasPrefix(name, "beam") && !strings.HasPrefix(name, "erts_") {
		return Local{}, false
	}
	line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	if err != nil {
		return Local{}, false
	}
	l := Local{PID: pid, args: strings.Split(strings.TrimRight(string(line), "\x00"), "\x00"), env: map[string]string{}, root: filepath.Join(dir, "root")}
	env, _ := os.ReadFile(filepath.Join(dir, "environ")) // of others it may not be read
	for v := range strings.SplitSeq(string(env), "\x00") {
		if name, value, ok := strings.Cut(v, "="); ok {
			l.env[name] = value
		}
	}
	l.Name = l.fullName(proc)
	return l, true
}

// flag returns the value of the last flag of that name.
func (l Local) flag(name string) string {
	for i := len(l.args) - 2; i >= 0; i-- {
		if l.args[i] == name {
			return l.args[i+1]
		}
	}
	return ""
}

// fullName returns the node's name as others call it.
func (l Local) fullName(proc string) string {
	long, short := l.flag("-name"), l.flag("-sname")
	name := long
	if name == "" {
		name = short
	}
	if name == "" || strings.Contains(name, "@") {
		return name
	}
	host, err := os.ReadFile(filepath.Join(proc, "sys/kernel/hostname"))
	if err != nil {
		return ""
	}
	h := strings.TrimSpace(string(host))
	if long == "" {
		h, _, _ = strings.Cut(h, ".")
	}
	return name + "@" + h
}

// FindCookie returns the cookie of a node of this machine, from where such nodes have
// theirs: its command line, RELEASE_COOKIE, the release's own file, .erlang.cookie in
// the home of its user. Of a node that is not here, or may not be looked at, it is the
// one of this process's own user.
func FindCookie(proc, node string) (string, error) {
	all := Locals(proc)
	i := slices.IndexFunc(all, func(l Local) bool { return l.Name == node })
	if i < 0 {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		return readCookie(filepath.Join(home, ".erlang.cookie"))
	}
	return all[i].cookie()
}

func (l Local) cookie() (string, error) {
	if c := l.flag("-setcookie"); c != "" {
		return c, nil
	}
	if c := l.env["RELEASE_COOKIE"]; c != "" {
		return c, nil
	}
	var errs []error
	try := func(parts ...string) string {
		c, err := readCookie(filepath.Join(append([]string{l.root}, parts...)...))
		if err != nil {
			errs = append(errs, err)
		}
		return c
	}
	if root := l.env["RELEASE_ROOT"]; root != "" {
		if c := try(root, "releases", "COOKIE"); c != "" {
			return c, nil
		}
	}
	if home := l.env["HOME"]; home != "" {
		if c := try(home, ".erlang.cookie"); c != "" {
			return c, nil
		}
	}
	if config := l.env["XDG_CONFIG_HOME"]; config != "" {
		if c := try(config, "erlang", ".erlang.cookie"); c != "" {
			return c, nil
		}
	}
	return "", fmt.Errorf("process %d: %w", l.PID, orUnread(errors.Join(errs...)))
}

// orUnread is for a process of which nothing could be read.
func orUnread(err error) error {
	if err == nil {
		return errors.New("its environment may not be read: run the probe as the node's user or as root")
	}
	return err
}
