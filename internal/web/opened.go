package web

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
)

// An Opened shows one conclusion that was exported. It needs no NATS, and nothing can be
// written to it.
type Opened struct {
	front
	bundle *Bundle
}

// Open reads a bundle and returns a server that shows it.
func Open(bundle io.Reader, c Config, log *slog.Logger) (*Opened, error) {
	b, err := readBundle(bundle)
	if err != nil {
		return nil, err
	}
	// A cookie is of a host, whatever the port: beside a fleet's server this one needs its own.
	f, err := newFront(c, cookieName+"_opened", log)
	return &Opened{front: f, bundle: b}, err
}

// maxBundle is how large an export may be: ten times what one with the longest journals has.
const maxBundle = 64 << 20

// readBundle reads an export, and says what is wrong with what is none.
func readBundle(from io.Reader) (*Bundle, error) {
	raw, err := io.ReadAll(io.LimitReader(from, maxBundle+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxBundle {
		return nil, fmt.Errorf("it is larger than %d MiB, which no export is", maxBundle>>20)
	}
	// Of a newer version only the type is sure to be read.
	var is struct {
		Type string `json:"type"`
	}
	err = json.Unmarshal(raw, &is)
	if errors.As(err, new(*json.SyntaxError)) {
		return nil, fmt.Errorf("it is no JSON: %w", err)
	}
	if err == nil && is.Type != "" && is.Type != bundleType {
		return nil, fmt.Errorf("it is a %.60q, and this version reads %s: use a newer fleetlens", is.Type, bundleType)
	}
	var b Bundle
	if err := json.Unmarshal(raw, &b); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			err = fmt.Errorf("%s is a JSON %s", cmp.Or(wrong.Field, "all of it"), wrong.Value)
		}
		return nil, fmt.Errorf("it is no export of an insight: %w", err)
	}
	if b.Insight.ID == "" {
		return nil, errors.New("it holds no insight")
	}
	if err := b.Insight.Validate(); err != nil {
		return nil, fmt.Errorf("its insight: %w", err)
	}
	return &b, nil
}

// Run listens and serves until ctx ends. ready, if not nil, is told the address.
func (o *Opened) Run(ctx context.Context, listen string, ready func(address string)) error {
	return o.listen(ctx, listen, o.Handler(), ready)
}

// Handler returns what answers, guarded. It can be served by any server.
func (o *Opened) Handler() http.Handler {
	mux := o.mux(o.routes(), "this server shows a file and has no fleet: "+prefix+"/opened is all that it has")
	mux.Handle("GET /{$}", http.RedirectHandler("/open", http.StatusSeeOther))
	return o.guard(mux)
}

func (o *Opened) routes() []route {
	return []route{
		{"GET", "/me", "", nil, nil, Me{}, o.me},
		{"GET", "/opened", "The bundle that `fleetlens ui --open` shows; other servers have none.", nil, nil, Bundle{}, o.opened},
	}
}

func (o *Opened) me(context.Context, *query) (any, error) {
	return Me{Opened: true, Why: "an exported insight is shown from a file"}, nil
}

func (o *Opened) opened(context.Context, *query) (any, error) { return o.bundle, nil }
