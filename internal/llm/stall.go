package llm

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// A StallError says that an answer began and then stood still.
type StallError struct{ After time.Duration }

// Error implements error.
func (e *StallError) Error() string {
	return fmt.Sprintf("the provider's answer stood still for %s", e.After)
}

// watch makes a request whose answer fails with a StallError when no byte of it
// arrives for that long, and which holds at most maxAnswerBody bytes.
func watch(rt http.RoundTripper, r *http.Request, stall time.Duration) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	resp, err := rt.RoundTrip(r.WithContext(ctx))
	if err != nil {
		cancel(nil)
		return nil, err
	}
	b := &watched{ReadCloser: resp.Body, ctx: ctx, cancel: cancel, stall: stall, left: maxAnswerBody}
	b.failure, _ = ctx.Value(failureKey{}).(*failure)
	b.timer = time.AfterFunc(stall, func() { cancel(&StallError{After: stall}) })
	resp.Body = b
	return resp, nil
}

// watched is the body of an answer.
type watched struct {
	io.ReadCloser
	ctx     context.Context //nolint:containedctx // a body has no other way to know its request's
	cancel  context.CancelCauseFunc
	timer   *time.Timer
	stall   time.Duration
	left    int
	failure *failure
}

// Read implements io.Reader.
func (b *watched) Read(p []byte) (int, error) {
	if b.left <= 0 {
		err := fmt.Errorf("the provider's answer has more than %d bytes", maxAnswerBody)
		b.failure.set(err)
		return 0, err
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	if n > 0 {
		b.timer.Reset(b.stall)
	}
	if err != nil && err != io.EOF {
		if stalled, ok := context.Cause(b.ctx).(*StallError); ok { //nolint:errorlint // set above, unwrapped
			err = stalled
		}
		if b.failure.set(err) {
			err = io.EOF // whoever notes it asks there; the client may log it otherwise
		}
	}
	return n, err
}

// Close implements io.Closer.
func (b *watched) Close() error {
	b.timer.Stop()
	b.cancel(nil)
	return b.ReadCloser.Close()
}

// A failure is how reading an answer failed, for clients that do not tell.
type failure struct {
	mu  sync.Mutex
	err error
}

type failureKey struct{}

// noting returns a context whose requests note there how reading failed.
func noting(ctx context.Context) (context.Context, *failure) {
	f := &failure{}
	return context.WithValue(ctx, failureKey{}, f), f
}

// set notes an error, and says whether there is somebody to read it.
func (f *failure) set(err error) bool {
	if f == nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
	return true
}

func (f *failure) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}
