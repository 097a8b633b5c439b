package bus_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natsd"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func TestADenialIsToldAtOnce(t *testing.T) {
	dir := t.TempDir()
	authority, err := bus.NewAuthority(filepath.Join(dir, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := natsd.Start(natsd.Options{StoreDir: t.TempDir(), Host: "127.0.0.1", Config: filepath.Join(dir, "keys", bus.ResolverFile)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	creds, err := authority.Mint(bus.ViewerRole, "bob")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "bob.creds")
	if err := os.WriteFile(file, creds, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := bus.Dial(ctx, bus.Config{Server: s.URL(), Creds: file}, "test", natstest.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, tt := range []struct {
		name string
		try  func() error
	}{
		{"a request", func() error { _, err := c.Request(ctx, protocol.RunSubject, protocol.Request{Reason: "x"}); return err }},
		{"a publish", func() error {
			_, err := c.Publish(ctx, bus.Outgoing{Subject: protocol.RequestSubject, Body: protocol.Request{Reason: "x"}})
			return err
		}},
		{"a read of a stream that holds work", func() error { _, err := c.Get(ctx, bus.Work, 1); return err }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.try()
			var denied *bus.DeniedError
			if !errors.As(err, &denied) || ctx.Err() != nil {
				t.Errorf("got %v, want a denial before the time is over", err)
			}
		})
	}
}

func TestADenialNamesTheLeastRoleThatMay(t *testing.T) {
	for subject, want := range map[string]string{
		"investigate.request": bus.ClientRole, "people.note.i": bus.ClientRole, "probe.web-1.words": bus.ViewerRole, "probe.web-1.call": bus.OperatorRole,
		"$JS.API.STREAM.MSG.GET.FL_JOURNAL": bus.ViewerRole, "insights.info.none.i": bus.CoordinatorRole, "$JS.API.CONSUMER.MSG.NEXT.FL_WORK.coordinator": bus.CoordinatorRole, "$JS.API.STREAM.DELETE.FL_WORK": bus.AdminRole,
	} {
		err := &bus.DeniedError{Subject: subject}
		if err.Role() != want || !strings.Contains(err.Error(), "of the role "+want) {
			t.Errorf("%s: %q: %v, want %q", subject, err.Role(), err, want)
		}
	}
}
