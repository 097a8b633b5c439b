package census

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// What changes are called.
const (
	whatKernel  = "kernel"  // the machine was started with another kernel
	whatReboot  = "reboot"  // it was started again
	whatRestart = "restart" // a service was
	whatBinary  = "binary"  // a service's program is another one
	whatPackage = "package" // packages were installed, upgraded or removed
	whatConfig  = "config"  // a configuration file changed
)

const (
	// mostChanges is how many changes of a kind one look reports. Those beyond are
	// counted in one more.
	mostChanges = 20
	// mostNamed is how many things the text of a change names.
	mostNamed = 20
	// quiet is how long after a restart those of the same service are only counted.
	quiet = 10 * time.Minute
	// lived is how long a process must have run for its end to be a restart. Of one
	// that was gone for a while it is livedLong: jobs run now and then.
	lived     = 45 * time.Second
	livedLong = 5 * time.Minute
	// forget is how long a service that is gone is known.
	forget = 24 * time.Hour
)

// Changes returns what changed since the last time, also that of another process, by
// what keep holds. The first time nothing did. done keeps what was seen: it is to be
// called once the changes are on their way, and what was not kept is found again with
// the same ids. The error says what could not be read; the changes are those of the rest.
func (c *Census) Changes(ctx context.Context, keep Keeper) (found []protocol.Change, done func() error, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var faults []error
	if c.seen == nil {
		before, err := load(keep)
		c.seen, faults = before, append(faults, err)
	}
	scan := c.last
	if c.last = nil; scan == nil || time.Since(scan.At) > fresh {
		if scan, err = c.read(ctx); err != nil {
			return nil, nil, errors.Join(append(faults, err)...)
		}
		c.last = nil
	}
	boot, err := c.cfg.Host.Boot()
	if err != nil {
		return nil, nil, errors.Join(append(faults, err)...)
	}
	l := &look{Census: c, before: c.seen, first: c.seen == nil, at: scan.At.UTC(), scan: scan}
	if l.first {
		l.before = &seen{Boot: boot.ID, Kernel: boot.Kernel}
	}
	l.now = &seen{At: l.at, Boot: boot.ID, Kernel: boot.Kernel, Patterns: c.cfg.Files}
	l.reboot(boot)
	l.restarts()
	kept, err := l.packages(keep)
	faults = append(faults, err)
	faults = append(faults, l.files())
	done = func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		var err error
		for _, name := range slices.Sorted(maps.Keys(kept)) {
			err = errors.Join(err, keep.Write(name, kept[name]))
		}
		return errors.Join(err, c.save(l.now, keep))
	}
	return l.found, done, errors.Join(faults...)
}

// A look compares what is now with what was before.
type look struct {
	*Census
	before, now *seen
	first       bool
	at          time.Time
	scan        *host.Scan
	found       []protocol.Change
}

// report adds a change. Its id is made of what changed, so that the same change that
// is found twice is one.
func (l *look) report(c protocol.Change, id ...string) {
	c.Node, c.Source = l.cfg.Node, protocol.SourceProbe
	c.ID = protocol.EffectID(append([]string{"change", c.Node, c.What}, id...)...)
	c.At = l.within(c.At)
	l.found = append(l.found, c)
}

// within returns a time that cannot be before the last look or after this one: clocks
// are set, and files bear times of their authors.
func (l *look) within(at time.Time) time.Time {
	if at.After(l.at) || at.Before(l.before.At.Add(-time.Minute)) {
		return l.at
	}
	return at
}

// reboot compares the boots.
func (l *look) reboot(boot host.Boot) {
	if l.before.Boot == boot.ID {
		return
	}
	c := protocol.Change{What: whatReboot, From: l.before.Kernel, To: boot.Kernel, At: l.at.Add(-l.scan.Uptime), Text: "the host was started again, with the same kernel " + boot.Kernel}
	if l.before.Kernel != boot.Kernel {
		c.What, c.Text = whatKernel, fmt.Sprintf("the host was started again, with another kernel: %s instead of %s", cmp.Or(boot.Kernel, "unknown"), cmp.Or(l.before.Kernel, "unknown"))
	}
	l.report(c, boot.ID)
}

// restarts compares the services.
func (l *look) restarts() {
	l.now.Services = l.services(l.scan)
	rebooted := l.before.Boot != l.now.Boot
	var changed []string // keys of services with restarts to report
	for _, key := range slices.Sorted(maps.Keys(l.now.Services)) {
		s := l.now.Services[key]
		old, known := l.before.Services[key]
		if !known {
			s.Program, _ = l.program(s.PID, nil)
			l.now.Services[key] = s
			continue
		}
		same := !rebooted && old.PID == s.PID && old.Start == s.Start
		s.Reported, s.Restarts = old.Reported, old.Restarts
		if same {
			s.Since = old.Since // it is computed anew each time, and clocks differ
		} else if !rebooted && l.counts(old) {
			s.Restarts++
		}
		l.programs(key, old, &s, same)
		if s.Restarts > 0 && l.at.Sub(s.Reported) >= quiet {
			changed = append(changed, key)
		}
		l.now.Services[key] = s
	}
	for i, key := range changed {
		if i == mostChanges-1 && len(changed) > mostChanges {
			l.manyRestarts(changed[i:])
			break
		}
		l.restarted(key)
	}
	l.keepGone()
}

// counts reports whether the end of a service's process is worth a word: it had run
// for a while, or restarts of it are being counted.
func (l *look) counts(old service) bool {
	least := lived
	if old.Gone {
		least = livedLong
	}
	return old.Seen.Sub(old.Since) >= least || l.at.Sub(old.Reported) < time.Hour
}

func (l *look) restarted(key string) {
	s, old := l.now.Services[key], l.before.Services[key]
	c := protocol.Change{
		What: whatRestart, Target: l.cfg.Targets[s.Port], At: s.Since, From: fmt.Sprintf("process %d", old.PID), To: fmt.Sprintf("process %d", s.PID),
		Text: fmt.Sprintf("%s was started again: process %d instead of %d, which ran since %s", s.called(), s.PID, old.PID, old.Since.Format(time.RFC3339)),
	}
	if s.PID == old.PID && s.Start == old.Start || s.Restarts > 1 { // some were only counted
		c.From, c.To = "", ""
		c.Text = fmt.Sprintf("%s was started again %s since %s; now it is process %d", s.called(), times(s.Restarts), s.Reported.Format(time.RFC3339), s.PID)
	}
	l.report(c, l.now.Boot, key, fmt.Sprint(s.PID, s.Start))
	s.Reported, s.Restarts = l.at, 0
	l.now.Services[key] = s
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// manyRestarts reports the restarts of many services as one.
func (l *look) manyRestarts(keys []string) {
	var names, id []string
	for _, key := range keys {
		s := l.now.Services[key]
		names = append(names, s.called())
		id = append(id, key, fmt.Sprint(s.PID, s.Start))
		s.Reported, s.Restarts = l.at, 0
		l.now.Services[key] = s
	}
	l.report(protocol.Change{What: whatRestart, At: l.at, Text: fmt.Sprintf("%d more services were started again: %s", len(keys), enumerate(names))}, append(id, l.now.Boot)...)
}

// enumerate names the first things of a list and counts the rest.
func enumerate(list []string) string {
	if len(list) <= mostNamed {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:mostNamed], ", "), len(list)-mostNamed)
}

// programs compares what a service runs with what it ran. s is filled in.
func (l *look) programs(key string, old service, s *service, same bool) {
	program, file := l.program(s.PID, old.Program)
	s.Program = program
	target := l.cfg.Targets[s.Port]
	switch {
	case program == nil:
		s.Program = old.Program // it may be readable again
	case old.Program != nil && !old.Program.same(*program):
		at := s.Since
		if same { // the process became another program
			at = l.at
		}
		l.report(protocol.Change{
			What: whatBinary, Target: target, At: at, From: old.Program.String(), To: program.String(),
			Text: fmt.Sprintf("%s runs another program than before: %s", s.called(), program.Path),
		}, l.now.Boot, key, fmt.Sprint(s.PID, s.Start), program.String())
	case file.Gone && (!same || !old.Replaced):
		text, at := "was removed from the disk", l.at
		if !file.Instead.IsZero() {
			text, at = "was replaced on the disk", file.Instead
		}
		l.report(protocol.Change{
			What: whatBinary, Target: target, At: at, From: program.String(),
			Text: fmt.Sprintf("%s: its program %s %s; process %d goes on with the old one until it is started again", s.called(), program.Path, text, s.PID),
		}, l.now.Boot, key, fmt.Sprint(s.PID, s.Start), "replaced")
	}
	s.Replaced = file.Gone
}

// keepGone keeps the services that are not there any more: they may come back.
func (l *look) keepGone() {
	var gone []string
	for key, s := range l.before.Services {
		if _, there := l.now.Services[key]; !there && l.at.Sub(s.Seen) < forget {
			gone = append(gone, key)
		}
	}
	slices.SortFunc(gone, func(a, b string) int { // the latest first
		return cmp.Or(l.before.Services[b].Seen.Compare(l.before.Services[a].Seen), strings.Compare(a, b))
	})
	for _, key := range gone[:min(len(gone), max(0, mostServices-len(l.now.Services)))] {
		s := l.before.Services[key]
		s.Gone = true
		l.now.Services[key] = s
	}
}

// files compares the configuration files.
func (l *look) files() error {
	files, more := readFiles(l.cfg.Host, l.cfg.Files, l.before.Files)
	l.now.Files = files
	var changed []string
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if old, known := l.before.Files[path]; known && !old.same(files[path]) || !known && l.watched(path) {
			changed = append(changed, path)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(l.before.Files)) {
		if _, there := files[path]; !there && more == 0 && l.watched(path) && matches(l.cfg.Files, path) {
			changed = append(changed, path)
		}
	}
	for i, path := range changed {
		if i == mostChanges-1 && len(changed) > mostChanges {
			l.report(protocol.Change{What: whatConfig, At: l.at, Text: fmt.Sprintf("%d more files changed: %s", len(changed)-i, enumerate(changed[i:]))},
				append(slices.Clone(changed[i:]), l.at.String())...)
			break
		}
		l.fileChanged(path)
	}
	if more > 0 {
		return fmt.Errorf("--watch-file: there are %d files, the first %d are watched", more+len(files), len(files))
	}
	return nil
}

// watched reports whether a path was looked for the last time.
func (l *look) watched(path string) bool { return !l.first && matches(l.before.Patterns, path) }

func (l *look) fileChanged(path string) {
	old, known := l.before.Files[path]
	f, there := l.now.Files[path]
	c := protocol.Change{What: whatConfig, At: f.Changed}
	switch {
	case !there:
		c.At, c.Text, c.From = l.at, fmt.Sprintf("%s was removed", path), old.String()
	case !known:
		c.Text, c.To = fmt.Sprintf("%s is new; its owner is %s", path, l.owner(f.UID)), f.String()
	default:
		c.Text, c.From, c.To = fmt.Sprintf("%s changed; its owner is %s", path, l.owner(f.UID)), old.String(), f.String()
	}
	l.report(c, path, f.Hash, f.Changed.String(), fmt.Sprint(there))
}

func (f file) String() string {
	return fmt.Sprintf("%d bytes of %s", f.Size, f.Changed.UTC().Format(time.RFC3339))
}
