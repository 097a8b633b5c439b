// Package natstest starts real NATS servers inside a test's process.
package natstest

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
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

// Roles starts a server whose users have the rights of their roles. What it returns
// connects as one of a role; the connection ends with the test.
func Roles(t testing.TB) (as func(role string) *bus.Conn) {
	t.Helper()
	dir := t.TempDir()
	authority, err := bus.NewAuthority(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := run(t, natsd.Options{StoreDir: t.TempDir(), Config: filepath.Join(dir, bus.ResolverFile)})
	return func(role string) *bus.Conn {
		t.Helper()
		creds, err := authority.Mint(role, role+"-1")
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), role+".creds")
		if err := os.WriteFile(file, creds, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := bus.Dial(t.Context(), bus.Config{InProcess: s, Creds: file}, role, Log(t))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
}

// Log returns a logger that writes to the test's log.
func Log(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}
