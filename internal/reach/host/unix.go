package host

import (
	"bytes"
	"fmt"
	"strconv"
)

// A UnixListener is a unix socket with a path that a process accepts connections on.
type UnixListener struct {
	Path  string // as the process bound it; abstract ones begin with @
	Inode uint64
}

// UnixListeners calls fn with each listening unix socket that has a path, until fn
// returns false.
func (r *Reader) UnixListeners(fn func(UnixListener) bool) error {
	b, err := r.readProc(r.network() + "unix")
	if absent(err) {
		return nil // a kernel without them
	}
	if err != nil {
		return fmt.Errorf("list unix sockets: %w", err)
	}
	parseUnix(b, fn)
	return nil
}

// acceptsConnections is __SO_ACCEPTCON among the flags of /proc/net/unix.
const acceptsConnections = 1 << 16

// parseUnix parses /proc/net/unix. Lines of another form, the heading among them,
// are passed over.
func parseUnix(b []byte, fn func(UnixListener) bool) {
	for line := range bytes.Lines(b) {
		f := bytes.SplitN(bytes.TrimRight(line, "\n"), []byte(" "), 2)
		if len(f) < 2 || !bytes.HasSuffix(f[0], []byte(":")) {
			continue
		}
		// RefCount Protocol Flags Type St Inode Path: the path may hold blanks.
		var words [6][]byte
		rest := f[1]
		for i := range words {
			rest = bytes.TrimLeft(rest, " ")
			words[i], rest, _ = bytes.Cut(rest, []byte(" "))
		}
		flags, err := strconv.ParseUint(string(words[2]), 16, 32)
		inode, ok := number(words[5])
		if err != nil || !ok || flags&acceptsConnections == 0 || len(rest) == 0 {
			continue
		}
		if !fn(UnixListener{Path: string(bytes.ToValidUTF8(rest, []byte("\uFFFD"))), Inode: inode}) {
			return
		}
	}
}

// OwnNetwork reports whether this process is in the machine's network: only then
// does a connect lead to the listeners that Sockets tells of.
func (r *Reader) OwnNetwork() bool { return r.ownNetwork() }
