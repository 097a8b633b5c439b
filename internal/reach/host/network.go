package host

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/net"
)

// An Interface is the traffic of one network interface since it came up.
type Interface struct {
	Name string
	// Virtual interfaces carry traffic that another one carries too (bridges,
	// tunnels, a container's end of a cable), or that stays on the machine.
	Virtual  bool
	RxBytes  uint64
	TxBytes  uint64
	RxErrors uint64
	TxErrors uint64
	RxDrops  uint64
	TxDrops  uint64
}

// An InterfaceRate is the traffic of one interface over an interval, per second.
type InterfaceRate struct {
	Name                                                   string
	Virtual                                                bool
	RxBytes, TxBytes, RxErrors, TxErrors, RxDrops, TxDrops float64
}

// Since returns the traffic between two readings, and false when it cannot be
// told: another interface, no time passed, or its counters were reset.
func (i Interface) Since(prev Interface, elapsed time.Duration) (InterfaceRate, bool) {
	r := InterfaceRate{Name: i.Name, Virtual: i.Virtual}
	if i.Name != prev.Name {
		return r, false
	}
	for _, c := range []struct {
		to        *float64
		prev, cur uint64
	}{
		{&r.RxBytes, prev.RxBytes, i.RxBytes},
		{&r.TxBytes, prev.TxBytes, i.TxBytes},
		{&r.RxErrors, prev.RxErrors, i.RxErrors},
		{&r.TxErrors, prev.TxErrors, i.TxErrors},
		{&r.RxDrops, prev.RxDrops, i.RxDrops},
		{&r.TxDrops, prev.TxDrops, i.TxDrops},
	} {
		var ok bool
		if *c.to, ok = PerSecond(known(c.prev), known(c.cur), elapsed); !ok {
			return r, false
		}
	}
	return r, true
}

// InterfaceRates returns the traffic of the interfaces that are in both readings.
func InterfaceRates(prev, cur []Interface, elapsed time.Duration) []InterfaceRate {
	var out []InterfaceRate
	for _, i := range cur {
		for _, p := range prev {
			if r, ok := i.Since(p, elapsed); ok {
				out = append(out, r)
			}
		}
	}
	return out
}

// Interfaces reads the counters of the network interfaces, loopback left out.
func (r *Reader) Interfaces() ([]Interface, error) {
	if r.cfg.Proc != "/proc" {
		// net leads to the reader's own network namespace, not to the machine's.
		var unreadable *fs.PathError
		if list, err := r.interfaces("1/net/dev"); !errors.As(err, &unreadable) {
			return list, err
		}
	}
	list, err := r.interfaces("net/dev")
	if absent(err) {
		return nil, nil
	}
	return list, err
}

func (r *Reader) interfaces(file string) ([]Interface, error) {
	counters, err := net.IOCountersByFileWithContext(r.roots(), true, r.proc(file))
	if err != nil {
		return nil, fmt.Errorf("read network counters: %w", err)
	}
	var out []Interface
	for _, c := range counters {
		if c.Name == "lo" {
			continue
		}
		out = append(out, Interface{
			Name: c.Name, Virtual: virtual(c.Name),
			RxBytes: c.BytesRecv, RxErrors: c.Errin, RxDrops: c.Dropin,
			TxBytes: c.BytesSent, TxErrors: c.Errout, TxDrops: c.Dropout,
		})
	}
	return out, nil
}

// virtual goes by the names that container runtimes, VPNs and administrators
// give, since a container sees its own end of a cable without a device behind it.
func virtual(name string) bool {
	return strings.ContainsAny(name, ".:@") || hasAnyPrefix(name,
		"veth", "docker", "br", "virbr", "vnet", "cni", "cbr", "flannel", "cali", "cilium", "lxc", "lxd", "podman",
		"tun", "tap", "wg", "tailscale", "gre", "erspan", "sit", "ip6tnl", "ip6gre", "ip_vti", "ip6_vti", "tunl", "vxlan", "geneve",
		"dummy", "ifb", "bond", "team", "vlan", "macvtap", "nlmon", "kube-", "nodelocaldns", "ovs")
}
