package logs_test

import (
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/logs"
)

func TestParseLine(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.Local)
	at := func(s string) time.Time {
		v, err := time.ParseInLocation("2006-01-02 15:04:05", s, time.Local)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	none := time.Time{}
	for _, tt := range []struct {
		name, line string
		at         time.Time
		level      logs.Level
		module     string
		pid        int
		message    string
	}{
		{"syslog", "Nov  9 06:55:46 web-1 sshd[24200]: Invalid user bob", at("2026-11-09 06:55:46"), logs.Info, "sshd", 24200, "Invalid user bob"},
		{"syslog of last year", "Dec 10 06:55:46 web-1 cron: run", at("2025-12-10 06:55:46"), logs.Info, "cron", 0, "run"},
		{"syslog with a modern time", "2026-11-22T11:59:00.123456+00:00 web-1 nginx[7]: upstream is gone", time.Date(2026, 11, 22, 11, 59, 0, 0, time.UTC), logs.Info, "nginx", 7, "upstream is gone"},
		{"syslog from the wire", "<11>Nov 22 11:59:00 web-1 app[3]: disk is full", at("2026-11-22 11:59:00"), logs.Error, "app", 3, "disk is full"},
		{"log4j", "2026-11-22 11:59:00,978 ERROR [main] org.app.Store: disk is full", at("2026-11-22 11:59:00"), logs.Error, "org.app.Store", 0, "disk is full"},
		{"logback", "2026-11-22 11:59:00.978 WARN  org.app.Store - slow", at("2026-11-22 11:59:00"), logs.Warning, "org.app.Store", 0, "slow"},
		{"Go's log", "2026/11/22 11:59:00 listening on :80", at("2026-11-22 11:59:00"), logs.Info, "", 0, "listening on :80"},
		{"Apache's error log", "[Sun Nov 22 11:59:00.123456 2026] [core:error] [pid 77] File does not exist", at("2026-11-22 11:59:00"), logs.Error, "core", 77, "File does not exist"},
		{"Apache's old error log", "[Sun Nov 22 11:59:00 2026] [error] mod_jk child in error state 6", at("2026-11-22 11:59:00"), logs.Error, "", 0, "mod_jk child in error state 6"},
		{"nginx", "2026/11/22 11:59:00 [crit] 812#812: *5 connect() failed", at("2026-11-22 11:59:00"), logs.Critical, "", 0, "812#812: *5 connect() failed"},
		{"Android", "11-22 11:59:00.811  1702  2395 D WindowManager: opening app", at("2026-11-22 11:59:00"), logs.Debug, "WindowManager", 2395, "opening app"},
		{"dates without separators", "261122 115900 148 INFO dfs.DataNode$Responder: block is gone", at("2026-11-22 11:59:00"), logs.Info, "dfs.DataNode$Responder", 148, "block is gone"},
		{"PostgreSQL", "2026-11-22 11:59:00.123 UTC [77] FATAL:  too many clients", time.Date(2026, 11, 22, 11, 59, 0, 0, time.UTC), logs.Critical, "", 77, "too many clients"},
		{"Python's default", "ERROR:app.store:disk is full", none, logs.Error, "", 0, "ERROR:app.store:disk is full"},
		{"a level in front", "WARN: slow", none, logs.Warning, "", 0, "slow"},
		{"logfmt", `time=2026-11-22T11:59:00Z level=error msg="disk is full"`, none, logs.Error, "", 0, `time=2026-11-22T11:59:00Z level=error msg="disk is full"`},
		{"JSON", `{"level":"error","ts":1795348740,"logger":"store","msg":"disk is full"}`, time.Unix(1795348740, 0), logs.Error, "store", 0, "disk is full"},
		{"JSON with numbers for levels", `{"level":50,"time":1795348740000,"pid":9,"name":"api","msg":"disk is full"}`, time.Unix(1795348740, 0), logs.Error, "api", 9, "disk is full"},
		{"colours", "\x1b[31mERROR\x1b[0m disk is full", none, logs.Error, "", 0, "disk is full"},
		{"a word is no level", "Error rates are fine", none, logs.Info, "", 0, "Error rates are fine"},
		{"a number is no process", "2026/11/22 11:59:00 42 jobs are left", at("2026-11-22 11:59:00"), logs.Info, "", 0, "42 jobs are left"},
		{"a panic", "panic: runtime error: index out of range", none, logs.Critical, "", 0, "panic: runtime error: index out of range"},
		{"nothing at all", "hello", none, logs.Info, "", 0, "hello"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := logs.ParseLine(tt.line, now)
			if !e.Time.Truncate(time.Second).Equal(tt.at) || e.Level != tt.level || e.Module != tt.module || e.PID != tt.pid || e.Message != tt.message {
				t.Errorf("got  %v %v %q %d %q\nwant %v %v %q %d %q", e.Time, e.Level, e.Module, e.PID, e.Message, tt.at, tt.level, tt.module, tt.pid, tt.message)
			}
		})
	}
}

func TestLevels(t *testing.T) {
	for _, name := range logs.Levels() {
		if l, ok := logs.ParseLevel(name); !ok || l.String() != name {
			t.Errorf("ParseLevel(%q) = %v, %v", name, l, ok)
		}
	}
	for _, name := range []string{"", "errors", "no"} {
		if _, ok := logs.ParseLevel(name); ok {
			t.Errorf("%q is a level", name)
		}
	}
}

func FuzzParseLine(f *testing.F) {
	for _, s := range []string{"", "[", "<1>", "Nov  9 06:55:46 a b[", "{\"msg\":\"x\",\"level\":[]}", "[Sun Nov 22 11:59:00 20", "2026-99-99 99:99:99", "\x1b[", "00:00:00 1 2 3 4 5 6 7 8 9"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if e := logs.ParseLine(line, time.Unix(1_800_000_000, 0)); len(e.Message) > 2*len(line)+16 {
			t.Errorf("%d bytes of message from %d", len(e.Message), len(line))
		}
	})
}
