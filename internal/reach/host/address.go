package host

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// Addresses returns the machine's own addresses, sorted, each once, without
// loopback and link-local ones: what other hosts can reach it by.
func (r *Reader) Addresses() ([]netip.Addr, error) {
	var list []netip.Addr
	add := func(a netip.Addr) {
		if a = a.Unmap().WithZone(""); a.IsGlobalUnicast() {
			list = append(list, a)
		}
	}
	if r.ownNetwork() {
		nets, err := net.InterfaceAddrs()
		if err != nil {
			return nil, fmt.Errorf("list addresses: %w", err)
		}
		for _, n := range nets {
			if p, err := netip.ParsePrefix(n.String()); err == nil {
				add(p.Addr())
			}
		}
	} else {
		b, err := r.readProc(r.network() + "fib_trie")
		if err != nil && !absent(err) {
			return nil, fmt.Errorf("list addresses: %w", err)
		}
		parseTrie(b, add)
		if b, err = r.readProc(r.network() + "if_inet6"); err != nil && !absent(err) {
			return nil, fmt.Errorf("list addresses: %w", err)
		}
		parseInet6(b, add)
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return slices.Compact(list), nil
}

// parseTrie parses /proc/net/fib_trie: a leaf "|-- 10.1.2.3" that is followed by
// "/32 host LOCAL" is an address of the machine.
func parseTrie(b []byte, fn func(netip.Addr)) {
	var leaf netip.Addr
	for line := range bytes.Lines(b) {
		line = bytes.TrimSpace(line)
		if rest, ok := bytes.CutPrefix(line, []byte("|-- ")); ok {
			leaf, _ = netip.ParseAddr(string(rest[:min(len(rest), 64)]))
		} else if bytes.Equal(line, []byte("/32 host LOCAL")) && leaf.IsValid() {
			fn(leaf)
		}
	}
}

// parseInet6 parses /proc/net/if_inet6: the address in 32 hex digits begins a line.
func parseInet6(b []byte, fn func(netip.Addr)) {
	for line := range bytes.Lines(b) {
		f := bytes.Fields(line)
		var raw [16]byte
		if len(f) < 6 || len(f[0]) != 32 {
			continue
		}
		if _, err := hex.Decode(raw[:], f[0]); err == nil {
			fn(netip.AddrFrom16(raw))
		}
	}
}
