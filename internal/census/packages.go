package census

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// packages compares the databases of the package managers. A database is read when
// it was written since the last look; what it held is kept on the disk, not in
// memory. kept is what is to be written, by name.
func (l *look) packages(keep Keeper) (kept map[string][]byte, err error) {
	l.now.Packages, kept = map[string]packages{}, map[string][]byte{}
	for _, db := range l.cfg.Host.PackageDatabases() {
		old, known := l.before.Packages[db.Manager]
		now := packages{Changed: db.Changed, Size: db.Size}
		l.now.Packages[db.Manager] = now
		if known && old.Changed.Equal(now.Changed) && old.Size == now.Size {
			continue
		}
		c := protocol.Change{What: whatPackage, At: db.Changed}
		if !db.Listed {
			if known {
				c.Text = fmt.Sprintf("the database of %s was written: packages were installed, upgraded or removed; which ones is not read", db.Manager)
				l.report(c, db.Manager, db.Changed.String())
			}
			continue
		}
		var list []string
		if err := l.cfg.Host.Packages(db, func(name, version string) { list = append(list, name+" "+version) }); err != nil {
			delete(l.now.Packages, db.Manager)
			return kept, fmt.Errorf("read the packages of %s: %w", db.Manager, err)
		}
		slices.Sort(list)
		name := packagesName + db.Manager
		kept[name] = []byte(strings.Join(list, "\n"))
		before, err := keep.Read(name)
		if err != nil {
			return kept, err
		}
		if !known || before == nil {
			continue
		}
		if d := diff(before, kept[name]); d.changed() {
			c.Text, c.From, c.To = d.text(), d.from, d.to
			l.report(c, db.Manager, string(before), string(kept[name]))
		}
	}
	return kept, nil
}

// A difference is that of two lists of packages.
type difference struct {
	upgraded, installed, removed []string // the first ones, named
	more                         [3]int   // of each kind
	from, to                     string   // of the one package, where only one changed
}

func (d *difference) changed() bool { return len(d.upgraded)+len(d.installed)+len(d.removed) > 0 }

// diff compares two lists, each of "name version" in lines, sorted. A package whose
// version changed is upgraded, in whichever direction.
func diff(before, now []byte) *difference {
	d := &difference{}
	gone, come := only(before, now), only(now, before)
	for len(gone) > 0 || len(come) > 0 {
		var name, old, other, version string
		if len(gone) > 0 {
			name, old, _ = strings.Cut(gone[0], " ")
		}
		if len(come) > 0 {
			other, version, _ = strings.Cut(come[0], " ")
		}
		switch {
		case len(gone) == 0 || len(come) > 0 && other < name:
			come = come[1:]
			d.add(1, &d.installed, other+" "+version)
			d.from, d.to = "", version
		case len(come) == 0 || name < other:
			gone = gone[1:]
			d.add(2, &d.removed, name+" "+old)
			d.from, d.to = old, ""
		default:
			gone, come = gone[1:], come[1:]
			d.add(0, &d.upgraded, fmt.Sprintf("%s %s to %s", name, old, version))
			d.from, d.to = old, version
		}
	}
	if len(d.upgraded)+len(d.installed)+len(d.removed) > 1 {
		d.from, d.to = "", ""
	}
	return d
}

// only returns the lines of a that b does not have. Both are sorted.
func only(a, b []byte) []string {
	var out []string
	for len(a) > 0 {
		var line, other []byte
		line, a = cutLine(a)
		for len(b) > 0 {
			var rest []byte
			if other, rest = cutLine(b); bytes.Compare(other, line) >= 0 {
				break
			}
			b = rest
		}
		if len(line) > 0 && (len(b) == 0 || !bytes.Equal(other, line)) {
			out = append(out, string(line))
		}
	}
	return out
}

func cutLine(b []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(b, []byte("\n"))
	return line, rest
}

func (d *difference) add(kind int, list *[]string, what string) {
	if len(d.upgraded)+len(d.installed)+len(d.removed) < mostNamed {
		*list = append(*list, what)
	} else {
		d.more[kind]++
	}
}

// text says the difference in one line.
func (d *difference) text() string {
	var parts []string
	for i, of := range []struct {
		named []string
		did   string
	}{{d.upgraded, "upgraded"}, {d.installed, "installed"}, {d.removed, "removed"}} {
		n := len(of.named) + d.more[i]
		if n == 0 {
			continue
		}
		part := fmt.Sprintf("%d %s", n, of.did)
		if len(of.named) > 0 {
			part += ": " + strings.Join(of.named, ", ")
		}
		if len(of.named) > 0 && d.more[i] > 0 {
			part += fmt.Sprintf(" and %d more", d.more[i])
		}
		parts = append(parts, part)
	}
	return "packages: " + strings.Join(parts, "; ")
}
