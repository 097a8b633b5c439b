package discover

import (
	"context"
	"fmt"
	"net"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A look is one look at all listeners.
type look struct {
	*Finder
	seen     listeners
	asked    int
	names    []string // of targets, those proposed among them
	proposed map[int32]bool
	beam     bool // a node of Erlang was proposed
	out      []protocol.Proposal
}

// epmdPort is where the names of Erlang's nodes are told.
const epmdPort = 4369

// consider proposes what a listener looks like, if anything.
func (k *look) consider(ctx context.Context, l listener) {
	port, socket := postgresPort(l.path)
	switch {
	case l.name == "postgres" || l.name == "postmaster":
		k.propose(l, "postgres", "postgres", "the process is PostgreSQL", dsn(l))
	case socket && l.pid == 0:
		k.propose(l, "postgres", "postgres", fmt.Sprintf("the name of the socket is PostgreSQL's, port %d; its process belongs to somebody else", port), dsn(l))
	case l.name == "beam.smp":
		k.beam = true
		k.considerNode(l)
	case l.name == "epmd" || l.pid == 0 && l.addr.Port() == epmdPort:
		if !k.anyBeam() {
			k.propose(l, "beam", "epmd", "epmd tells the names of Erlang's nodes", nil)
		}
	case l.pid != 0 && int(l.pid) != os.Getpid() && l.addr.IsValid():
		k.considerGo(ctx, l)
	}
}

// considerNode proposes an Erlang node, unless it is a target already. One without a
// name has no distribution and can be no target.
func (k *look) considerNode(l listener) {
	const why = "the process is Erlang's virtual machine"
	node, ok := beam.LocalAt(k.cfg.Host.Proc(), int(l.pid))
	switch {
	case ok && slices.Contains(k.cfg.Nodes, node.Name):
	case ok && node.Name != "":
		name, _, _ := strings.Cut(node.Name, "@")
		k.propose(l, "beam", name, why+", the node "+node.Name, map[string]string{"node": node.Name})
	default:
		k.propose(l, "beam", "beam.smp", why, nil)
	}
}

// anyBeam reports whether a node of Erlang is among the listeners: epmd says no more.
func (k *look) anyBeam() bool {
	for _, l := range k.seen.list {
		k.beam = k.beam || l.name == "beam.smp"
	}
	return k.beam
}

// A process is whose listener it is.
type process struct {
	pid   int32
	inode uint64
}

// forwarders are Go programs behind whose listeners others answer.
var forwarders = regexp.MustCompile(`/(docker-proxy|rootlessport|rootlessport/parent)$`)

// natsServer is the package of NATS' server, whatever its version.
var natsServer = regexp.MustCompile(`^github\.com/nats-io/nats-server(/v[0-9]+)?$`)

// prometheusServer is the package of Prometheus' server, which serves net/http/pprof too.
const prometheusServer = "github.com/prometheus/prometheus/cmd/prometheus"

// considerGo asks the listener of a Go program whether it serves net/http/pprof; that of
// NATS' server, whether it is the monitoring port.
func (k *look) considerGo(ctx context.Context, l listener) {
	program := k.goProgram(l)
	if program.Go == "" || forwarders.MatchString(program.Path) || !k.cfg.Host.OwnNetwork() {
		return
	}
	wanted := pprofIndex
	if natsServer.MatchString(program.Path) {
		wanted = natsVars
	}
	for _, at := range l.reachable(k.seen.bound) {
		if k.asked >= mostAsked {
			return
		}
		yes, asked := k.serves(ctx, question{l.pid, l.inode, at}, wanted)
		if asked {
			k.asked++
		}
		switch {
		case yes && wanted.path == natsVars.path:
			l.addr = at
			k.propose(l, "nats", "nats", "NATS' server, at its monitoring port", map[string]string{"url": "http://" + at.String()})
			return
		case yes:
			l.addr = at
			if program.Path == prometheusServer {
				k.propose(l, "prometheus", "prometheus", "the process is Prometheus' server", map[string]string{"url": "http://" + at.String()})
				return
			}
			why := "a Go program"
			if program.Path != "" {
				why += " (" + program.Path + ")"
			}
			k.propose(l, "go", nameOf(program.Path, l.name), why+" that serves /debug/pprof/", map[string]string{"url": "http://" + at.String()})
			return
		}
	}
}

// goProgram returns what the program of a listener's process is, read once.
func (f *Finder) goProgram(l listener) host.GoProgram {
	p := process{l.pid, l.inode}
	program, known := f.programs[p]
	if !known {
		program, _ = f.cfg.Host.GoProgram(l.pid) // not one, or not to be seen: the same
		f.programs[p] = program
	}
	return program
}

var version = regexp.MustCompile(`^v[0-9]+$`)

// nameOf returns what people call a program: the last part of its package that is no version.
func nameOf(pkg, process string) string {
	base := path.Base(pkg)
	if version.MatchString(base) {
		base = path.Base(path.Dir(pkg))
	}
	if pkg == "" || base == "." || base == "/" || base == "command-line-arguments" {
		return process
	}
	return base
}

// dsn returns the settings of a PostgreSQL target that is at a listener.
func dsn(l listener) map[string]string {
	if port, ok := postgresPort(l.path); ok {
		return map[string]string{"dsn": fmt.Sprintf("host=%s port=%d user=fleetlens dbname=postgres", path.Dir(l.path), port)}
	}
	addr := l.addr.Addr()
	name := addr.String()
	if addr.IsUnspecified() {
		name = "127.0.0.1"
	}
	return map[string]string{"dsn": "postgres://fleetlens@" + net.JoinHostPort(name, strconv.Itoa(int(l.addr.Port()))) + "/postgres"}
}
