package discover

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// watched are the addresses that targets have already.
type watched struct {
	paths map[string]bool
	ports map[uint16][]string // the hosts that targets name with a port
	mine  map[netip.Addr]bool // the machine's addresses
	names map[string]bool     // the machine's names
}

func parseWatched(list []string) watched {
	w := watched{paths: map[string]bool{}, ports: map[uint16][]string{}, names: map[string]bool{"localhost": true, "": true}}
	if name, err := os.Hostname(); err == nil {
		w.names[strings.ToLower(name)] = true
	}
	for _, at := range list {
		if strings.HasPrefix(at, "/") || strings.HasPrefix(at, "@") {
			w.paths[resolved(at)] = true
			if port, ok := postgresPort(at); ok { // the server's TCP port has the same number
				w.ports[uint16(port)] = append(w.ports[uint16(port)], "localhost")
			}
			continue
		}
		name, digits, err := net.SplitHostPort(at)
		port, err2 := strconv.ParseUint(digits, 10, 16)
		if err == nil && err2 == nil {
			w.ports[uint16(port)] = append(w.ports[uint16(port)], strings.ToLower(name))
		}
	}
	return w
}

// readAddresses reads the machine's addresses, which may change.
func (w *watched) readAddresses() {
	w.mine = map[netip.Addr]bool{}
	list, _ := net.InterfaceAddrs() // without them only loopback is this machine
	for _, a := range list {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			w.mine[p.Addr().Unmap()] = true
		}
	}
}

// resolved returns a path with its folder's links followed: /var/run is /run.
func resolved(path string) string {
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(dir, filepath.Base(path))
	}
	return path
}

// has reports whether a target is at the listener.
func (w *watched) has(l listener) bool {
	if l.path != "" {
		port, ok := postgresPort(l.path)
		return w.paths[resolved(l.path)] || ok && w.local(uint16(port))
	}
	for _, name := range w.ports[l.addr.Port()] {
		ip, err := netip.ParseAddr(name)
		switch {
		case err != nil && w.names[name]:
			return true
		case err != nil: // somebody else's name, as far as is known here
		case ip.Unmap() == l.addr.Addr(), l.addr.Addr().IsUnspecified() && (ip.IsLoopback() || w.mine[ip.Unmap()]):
			return true
		}
	}
	return false
}

// local reports whether a target is at a port of this machine.
func (w *watched) local(port uint16) bool {
	return w.has(listener{addr: netip.AddrPortFrom(netip.IPv4Unspecified(), port)})
}
