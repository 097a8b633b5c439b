package bus

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// denials tells whoever waits for an answer that the server refused to take the
// question. The server says so on the connection, apart from any request: without
// this a forbidden request looks like one that nobody answers in time.
type denials struct {
	mu      sync.Mutex
	waiting map[string]map[int]context.CancelCauseFunc
	next    int
}

// A DeniedError says that the user of this connection may not publish to a subject.
type DeniedError struct{ Subject string }

// Error implements error.
func (e *DeniedError) Error() string {
	role := e.Role()
	return fmt.Sprintf("this user may not publish to %s: use credentials of the role %s (`fleetlens creds mint %s NAME`)", e.Subject, role, role)
}

// Role returns the role that may publish to the subject, of several the one with the
// least rights.
func (e *DeniedError) Role() string {
	for _, name := range []string{ViewerRole, ClientRole, OperatorRole, CoordinatorRole} {
		r, _ := RoleOf(name)
		may := func(pattern string) bool { return within(e.Subject, pattern) }
		if slices.ContainsFunc(r.Publish, may) && !slices.ContainsFunc(r.NotPublish, may) {
			return name
		}
	}
	return AdminRole
}

// within reports whether a subject is one of a pattern's.
func within(subject, pattern string) bool {
	s, p := strings.Split(subject, "."), strings.Split(pattern, ".")
	for i, token := range p {
		if token == ">" {
			return len(s) > i
		}
		if i >= len(s) || token != "*" && token != s[i] {
			return false
		}
	}
	return len(s) == len(p)
}

var deniedRE = regexp.MustCompile(`(?i)permissions violation for publish to "([^"]+)"`)

// observe ends the waits for the subject that an error of the server names.
func (d *denials) observe(err error) {
	m := deniedRE.FindStringSubmatch(err.Error())
	if m == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, end := range d.waiting[m[1]] {
		end(&DeniedError{Subject: m[1]})
	}
}

// watch returns a context that ends when the server denies the subject.
func (d *denials) watch(ctx context.Context, subject string) (context.Context, func()) {
	ctx, end := context.WithCancelCause(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waiting == nil {
		d.waiting = map[string]map[int]context.CancelCauseFunc{}
	}
	if d.waiting[subject] == nil {
		d.waiting[subject] = map[int]context.CancelCauseFunc{}
	}
	id := d.next
	d.next++
	d.waiting[subject][id] = end
	return ctx, func() {
		end(nil)
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.waiting[subject], id)
		if len(d.waiting[subject]) == 0 {
			delete(d.waiting, subject)
		}
	}
}

// deniedCause returns the denial that ended ctx, or err.
func deniedCause(ctx context.Context, err error) error {
	if denied, ok := context.Cause(ctx).(*DeniedError); ok { //nolint:errorlint // the cause is never wrapped
		return denied
	}
	return err
}
