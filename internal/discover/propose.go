package discover

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// propose adds a proposal. Without settings there is nothing to watch that kind with.
func (k *look) propose(l listener, kind, name, why string, settings map[string]string) {
	if unit := k.unit(l.pid); unit != "" {
		why += "; unit " + unit
	}
	p := protocol.Proposal{
		Kind: kind, Process: cut(l.name, protocol.MaxProposalWord), PID: int(l.pid),
		Address: cut(l.String(), protocol.MaxProposalWord), Why: cut(why, protocol.MaxProposalText),
	}
	if len(settings) > 0 {
		name := k.free(name)
		// What does not fit would be wrong when it is cut.
		if c := config(kind, name, settings); len(c) <= protocol.MaxProposalText {
			p.Config = c
			k.names = append(k.names, name)
		}
	}
	if l.pid != 0 {
		k.proposed[l.pid] = true
	}
	k.out = append(k.out, p)
}

// unit returns the systemd unit of a process, where it is a service.
func (f *Finder) unit(pid int32) string {
	if pid == 0 {
		return ""
	}
	if unit := f.cfg.Host.Owner(pid).Cgroup; strings.HasSuffix(unit, ".service") {
		return unit
	}
	return ""
}

var noName = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// free returns a name for a target that no other one has.
func (k *look) free(name string) string {
	const longest = 48 // a number fits behind it
	name = strings.TrimLeft(noName.ReplaceAllString(name, "-"), "-_.")
	name = strings.TrimRight(name[:min(len(name), longest)], "-")
	if name == "" {
		name = "service"
	}
	for n, free := 2, name; ; n++ {
		if free != "host" && !slices.Contains(k.names, free) {
			return free
		}
		free = name + "-" + strconv.Itoa(n)
	}
}

// plain are names that YAML takes for nothing but text.
var plain = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// config writes the settings of a target as YAML, in one line.
func config(kind, name string, settings map[string]string) string {
	if !plain.MatchString(name) || slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}, name) {
		name = strconv.Quote(name)
	}
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		pairs = append(pairs, key+": "+quote(settings[key]))
	}
	return fmt.Sprintf("%s: {%s: {%s}}", kind, name, strings.Join(pairs, ", "))
}

// quote writes text between double quotes of YAML.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(printable(s)) + `"`
}

// printable replaces what would move the cursor of a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// cut makes text printable and returns at most so many bytes of it.
func cut(s string, most int) string {
	s = printable(s)
	return strings.ToValidUTF8(s[:min(len(s), most)], "")
}
