package bus_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natsd"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
)

func TestAServerWithoutJetStreamGetsAnErrorThatNamesTheFix(t *testing.T) {
	s, err := server.NewServer(&server.Options{DontListen: true, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(s.Shutdown)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := bus.Dial(ctx, bus.Config{InProcess: s}, "test", natstest.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Setup(ctx, bus.SetupOptions{}); err == nil || !strings.Contains(err.Error(), "nats-server -js") {
		t.Errorf("setup: %v, want an error that says how to turn JetStream on", err)
	}
}

func TestSetupWorksWhereTheAccountDemandsMaxBytes(t *testing.T) {
	for _, tt := range []struct{ name, account, wantErr string }{
		{"every stream has a size", "max_file: 10G, max_bytes_required: true", ""},
		{"too little room names the fix", "max_file: 1M, max_bytes_required: true", "--max-bytes"},
		{"an account without JetStream names the fix", "", "JetStream is not enabled for this account"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "server.conf")
			jetstream := ""
			if tt.account != "" {
				jetstream = "jetstream: {" + tt.account + "}, "
			}
			conf := "accounts: { A: { " + jetstream + " users: [{user: a, password: b}] } }"
			if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := natsd.Start(natsd.Options{StoreDir: t.TempDir(), Host: "127.0.0.1", Config: file})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Stop)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			c, err := bus.Dial(ctx, bus.Config{Server: s.URL(), User: "a", Password: "b"}, "test", natstest.Log(t))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, err = c.Setup(ctx, bus.SetupOptions{})
			switch {
			case tt.wantErr == "" && err != nil:
				t.Error(err)
			case tt.wantErr != "" && (err == nil || !strings.Contains(err.Error(), tt.wantErr)):
				t.Errorf("setup: %v, want an error with %q", err, tt.wantErr)
			}
		})
	}
}
