package probe_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// leaky is a skill whose every word has a secret.
func leaky() skills.Skill {
	snapshot := func(context.Context) (skills.Data, error) {
		return skills.Data{"n": 4111111111111111.0, "last_line": "login of bob with password=hunter2", "ok": true},
			errors.New("read postgres://shop:hunter2@db/shop: permission denied")
	}
	rows := func(context.Context, skills.Args) (any, error) {
		return map[string]any{
			"processes": []map[string]any{{"pid": 7, "command": "mysqldump --password=hunter2 shop"}},
			"env":       map[string]string{"PGPASSWORD": "hunter2", "LANG": "C"},
			"seen_in":   []string{"91fe29e0c4b5a697"},
		}, nil
	}
	fails := func(context.Context, skills.Args) (any, error) {
		return nil, errors.New("dial shop:hunter2@tcp(db:3306)/shop: connection refused")
	}
	panics := func(context.Context, skills.Args) (any, error) { panic("token=hunter2hunter2hunter2") }
	many := func(context.Context, skills.Args) (any, error) {
		list := make([]string, 16_000)
		for i := range list {
			list[i] = "pwd=hunter2"
		}
		return list, nil
	}
	return skill("pantry", snapshot, callback("pantry_rows", rows), callback("pantry_fails", fails),
		callback("pantry_panics", panics), callback("pantry_many", many))
}

func TestSecretsDoNotLeaveTheHost(t *testing.T) {
	conn := natstest.Setup(t, natstest.Run(t), "test")
	start(t, conn, config(), leaky())

	t.Run("in what a callback gives", func(t *testing.T) {
		r, err := ask[protocol.CallReply](t, conn, "call", protocol.Call{Callback: "pantry_rows"})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]any{
			"processes": []any{map[string]any{"pid": 7.0, "command": "mysqldump --password=[redacted:password] shop"}},
			"env":       map[string]any{"PGPASSWORD": "[redacted:password]", "LANG": "C"},
			"seen_in":   []any{"91fe29e0c4b5a697"},
		}
		if diff := cmp.Diff(want, r.Value); diff != "" || r.Node != "web 1" || r.Callback != "pantry_rows" || r.Truncated {
			t.Errorf("reply %+v (-want +got):\n%s", r, diff)
		}
	})
	for name, want := range map[string]string{
		"pantry_fails":  "pantry_fails: dial shop:[redacted:password]@tcp(db:3306)/shop: connection refused",
		"pantry_panics": "token=[redacted:token]",
	} {
		t.Run("in the error of "+name, func(t *testing.T) {
			_, err := ask[protocol.CallReply](t, conn, "call", protocol.Call{Callback: name})
			refused(t, err, 500, want)
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the secret is in %v", err)
			}
		})
	}
	t.Run("in an answer that grows by it, which is cut again", func(t *testing.T) {
		r, err := ask[protocol.CallReply](t, conn, "call", protocol.Call{Callback: "pantry_many"})
		if err != nil {
			t.Fatal(err)
		}
		list, _ := r.Value.([]any)
		if !r.Truncated || len(list) == 0 || len(list) >= 14_000 || list[0] != "pwd=[redacted:password]" {
			t.Errorf("truncated %v, %d entries", r.Truncated, len(list))
		}
	})
	t.Run("in a snapshot that is asked for", func(t *testing.T) {
		s, err := ask[protocol.Snapshot](t, conn, "snapshot", protocol.Call{Skill: "pantry"})
		if err != nil {
			t.Fatal(err)
		}
		cleanSnapshot(t, s)
	})
	t.Run("in a snapshot on the stream", func(t *testing.T) { cleanSnapshot(t, onStream(t, conn)) })
}

func TestRedactionCanBeOff(t *testing.T) {
	conn := natstest.Setup(t, natstest.Run(t), "test")
	cfg := config()
	cfg.Redact = false
	start(t, conn, cfg, leaky())
	if got, want := onStream(t, conn).Data["last_line"], "login of bob with password=hunter2"; got != want {
		t.Errorf("last_line %q, want %q", got, want)
	}
	_, err := ask[protocol.CallReply](t, conn, "call", protocol.Call{Callback: "pantry_fails"})
	refused(t, err, 500, "shop:hunter2@tcp")
}

func cleanSnapshot(t *testing.T, s protocol.Snapshot) {
	t.Helper()
	want := map[string]any{"n": 4111111111111111.0, "last_line": "login of bob with password=[redacted:password]", "ok": true}
	if diff := cmp.Diff(want, s.Data); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"read postgres://shop:[redacted:password]@db/shop: permission denied"}, s.Errors); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	if s.Node != "web 1" || s.Target != "host" || s.Skill != "pantry" || len(s.ID) != 16 {
		t.Errorf("the address changed: %+v", s)
	}
}

// onStream waits for the probe's first snapshot.
func onStream(t *testing.T, conn *bus.Conn) protocol.Snapshot {
	t.Helper()
	for until := time.Now().Add(patience); time.Now().Before(until); {
		m, err := conn.Last(t.Context(), bus.Snapshots, protocol.SnapshotSubject("web 1", "host", "pantry"))
		if errors.Is(err, bus.ErrNotFound) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		s, err := protocol.Decode[protocol.Snapshot](m.Data)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	t.Fatal("no snapshot came")
	return protocol.Snapshot{}
}
