// Package census lists what runs on a machine and whom it talks to, and says what
// changed since it looked last: reboots, services that were started again, programs
// and packages of other versions, configuration files.
//
// It changes nothing, runs no program and asks nobody but the kernel. What the
// probe's user may not look at is left out.
package census

import (
	"context"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/host"
)

// Config says where to look.
type Config struct {
	Node string
	Host *host.Reader
	// Files are configuration files to watch, as paths of the machine or as patterns
	// of filepath.Glob.
	Files []string
	// Targets are the names of what is watched besides the host, by the port where
	// it listens.
	Targets map[int]string
}

// A Keeper keeps what must outlast a restart of the probe, by name. Read returns nil
// for what was never written.
type Keeper interface {
	Read(name string) ([]byte, error)
	Write(name string, data []byte) error
}

// A Census remembers what it saw. It is safe for concurrent use.
type Census struct {
	cfg Config

	mu      sync.Mutex
	sockets sockets
	last    *host.Scan // of the sockets, for whoever asks next
	units   map[process]string
	seen    *seen // nil: not read yet
	saved   saved
}

// New returns a census that has looked at nothing yet.
func New(cfg Config) *Census {
	return &Census{cfg: cfg, sockets: newSockets(), units: map[process]string{}}
}

// A process is one process for as long as the machine runs.
type process struct {
	pid   int32
	start uint64
}

// fresh is how long processes and sockets that were just read serve.
const fresh = 10 * time.Second

// read lists the processes and the sockets. The caller holds the lock.
func (c *Census) read(ctx context.Context) (*host.Scan, error) {
	scan, err := c.cfg.Host.Scan(ctx, 128)
	if err == nil {
		err = c.look(ctx, scan)
	}
	if err != nil {
		return nil, err
	}
	c.last = scan
	return scan, nil
}
