package bus

import (
	"context"
	"fmt"
	"regexp"
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
	return fmt.Sprintf("this user may not publish to %s: use credentials of a role that may (`fleetlens creds --help` lists them)", e.Subject)
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
