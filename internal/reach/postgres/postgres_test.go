package postgres_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/fleetlens/fleetlens/internal/reach/postgres"
)

func TestValidate(t *testing.T) {
	const good = "postgres://watcher@db.example:5432/shop"
	for _, tt := range []struct {
		name string
		cfg  postgres.Config
		want string // empty: nothing is wrong
	}{
		{"a URL", postgres.Config{DSN: good}, ""},
		{"keys and values", postgres.Config{DSN: "host=db.example user=watcher password='a b' dbname=shop"}, ""},
		{"none", postgres.Config{}, "dsn: it is missing"},
		{"a word", postgres.Config{DSN: "s3cret"}, "dsn: it is no connection string"},
		{"a broken URL", postgres.Config{DSN: "postgres://watcher:s3cret%@db"}, "dsn: it is no connection string"},
		{"a port that is none", postgres.Config{DSN: "host=db port=many password=s3cret"}, "invalid port"},
		{"a mode that is none", postgres.Config{DSN: good + "?sslmode=maybe"}, "sslmode is invalid"},
		{"a time-out of nothing", postgres.Config{DSN: good, StatementTimeout: time.Nanosecond}, "statement_timeout: 1ns must be from 10ms to 1m0s"},
		{"a time-out of an hour", postgres.Config{DSN: good, ConnectTimeout: time.Hour}, "connect_timeout: 1h0m0s"},
		{"samples", postgres.Config{DSN: good, Samples: 1000, SampleEvery: -1}, "samples: 1000 must be from 1 to 100"},
		{"slow", postgres.Config{DSN: good, SlowMS: -5}, "slow_ms: -5"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.cfg.Validate()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the password is told: %v", err)
			}
		})
	}
}

func TestADSNIsNeverPrinted(t *testing.T) {
	cfg := postgres.Config{DSN: "postgres://watcher:s3cret@db/shop"}
	asJSON, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("target", "dsn", cfg.DSN, "cfg", cfg)
	for _, text := range []string{fmt.Sprint(cfg), fmt.Sprintf("%+v %#v %s %q", cfg, cfg, cfg.DSN, cfg.DSN), string(asJSON), string(asYAML), log.String()} {
		if strings.Contains(text, "s3cret") {
			t.Errorf("it is printed: %s", text)
		}
	}
}

// waits is a session that waits for others, if there are any.
func waits(pid int, by ...int) postgres.Waiter {
	return postgres.Waiter{Session: postgres.Session{PID: pid, Name: fmt.Sprint("s", pid)}, BlockedBy: by}
}

func TestChains(t *testing.T) {
	for _, tt := range []struct {
		name string
		list []postgres.Waiter
		want string // root:depth/blocked, most blocked first
	}{
		{"nobody waits", []postgres.Waiter{waits(1)}, ""},
		{"one waits for one", []postgres.Waiter{waits(1), waits(2, 1)}, "1:2/1"},
		{"a line of three", []postgres.Waiter{waits(3, 2), waits(2, 1), waits(1)}, "1:3/2"},
		{"two lines", []postgres.Waiter{waits(1), waits(2, 1), waits(5), waits(6, 5), waits(7, 5)}, "5:2/2 1:2/1"},
		{"one waits for two", []postgres.Waiter{waits(1), waits(2), waits(3, 1, 2)}, "1:2/1 2:2/1"},
		{"the same one twice, as of parallel workers", []postgres.Waiter{waits(1), waits(2, 1, 1)}, "1:2/1"},
		{"two wait for each other", []postgres.Waiter{waits(1, 2), waits(2, 1)}, "1:2/1 cycle"},
		{"a prepared transaction has no session", []postgres.Waiter{waits(2, 0)}, "0:2/1 prepared transaction"},
		{"who blocks has ended", []postgres.Waiter{waits(2, 9)}, "9:2/1 ended"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, c := range postgres.Chains(tt.list) {
				s := fmt.Sprintf("%d:%d/%d", c.PID, c.Depth, c.Blocked)
				if c.Cycle {
					s += " cycle"
				}
				if !strings.HasPrefix(c.Name, "s") {
					s += " " + c.Name
				}
				got = append(got, s)
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestWhatDiffersBetweenVersions(t *testing.T) {
	for _, tt := range []struct {
		version         int
		extension, what string
		has             string
	}{
		{120000, "1.7", "time", "total_time"},
		{150000, "1.7", "time", "total_time"}, // upgraded, and its extension was not
		{130000, "1.8", "time", "total_exec_time"},
		{180000, "1.12", "time", "total_exec_time"},
		{160000, "", "checkpoints", "FROM pg_stat_bgwriter"},
		{170000, "", "checkpoints", "FROM pg_stat_checkpointer"},
		{130000, "", "wal", "NULL::float8"},
		{140000, "", "wal", "pg_stat_wal"},
		{130000, "", "wait", "NULL::timestamptz"},
		{140000, "", "wait", "waitstart"},
		{150000, "", "scan", "NULL::timestamptz"},
		{160000, "", "scan", "last_idx_scan"},
		{150000, "", "reserved", "superuser_reserved_connections"},
		{160000, "", "reserved", "'reserved_connections'"},
		{120000, "", "slot", "NULL::text"},
		{130000, "", "slot", "wal_status"},
		{130000, "", "read", "GRANT SELECT"},
		{140000, "", "read", "pg_read_all_data"},
	} {
		if got := postgres.SQL(tt.version, tt.extension)[tt.what]; !strings.Contains(got, tt.has) {
			t.Errorf("%s of %d with %q is %s, want %q in it", tt.what, tt.version, tt.extension, got, tt.has)
		}
	}
}
