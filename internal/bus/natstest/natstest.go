// Package natstest starts real NATS servers inside a test's process.
package natstest

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natsd"
)

// Run starts a server with JetStream that ends with the test. It opens no port.
func Run(t testing.TB) *natsd.Server {
	t.Helper()
	return run(t, natsd.Options{StoreDir: t.TempDir()})
}

// Listen is Run with a port on loopback, for processes of their own.
func Listen(t testing.TB) *natsd.Server {
	t.Helper()
	return run(t, natsd.Options{StoreDir: t.TempDir(), Host: "127.0.0.1"})
}

func run(t testing.TB, o natsd.Options) *natsd.Server {
	t.Helper()
	s, err := natsd.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// Dial connects to the server; the connection ends with the test.
func Dial(t testing.TB, s *natsd.Server, source string) *bus.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, err := bus.Dial(ctx, bus.Config{InProcess: s}, source, Log(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Setup is Dial and the whole table of streams, with the durables of the skills.
func Setup(t testing.TB, s *natsd.Server, source string, skills ...string) *bus.Conn {
	t.Helper()
	c := Dial(t, s, source)
	if _, err := c.Setup(t.Context(), bus.SetupOptions{Skills: skills}); err != nil {
		t.Fatal(err)
	}
	return c
}

// Log returns a logger that writes to the test's log.
func Log(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}
