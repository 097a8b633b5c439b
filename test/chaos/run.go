//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/fleetlens/fleetlens/internal/proc"
)

// Bounds of a run.
const (
	// each is how long the test goes on for each investigation.
	each = 800 * time.Millisecond
	// least and most are how long things fail; drain is how long the rest may take.
	least, most, drain = 20 * time.Second, 4 * time.Minute, 2 * time.Minute
	// longest is after how long a run is given up.
	longest = 8 * time.Minute
)

// A verdict is what the checker says.
type verdict struct {
	Investigations int      `json:"investigations"`
	Lost           int      `json:"lost"`
	Doubled        int      `json:"doubled"`
	Done           int      `json:"done"`
	Cancelled      int      `json:"cancelled"`
	Failed         int      `json:"failed"`
	Notifications  int      `json:"notifications"`
	Insights       int      `json:"insights"`
	Runs           int      `json:"operator_runs"`
	Takeovers      int      `json:"takeovers"`
	DeadLetters    int      `json:"dead_letters"`
	Faults         []string `json:"faults,omitempty"`
}

// A report is the last line of a run.
type report struct {
	verdict
	Kills          int64   `json:"kills"`
	KillsAtPublish int64   `json:"kills_at_publish"`
	Freezes        int64   `json:"freezes"`
	Restarts       int64   `json:"nats_restarts"`
	Repeats        int64   `json:"repeats"`
	Cancels        int64   `json:"cancels"`
	ModelCalls     int64   `json:"model_calls"`
	ModelFailures  int64   `json:"model_failures"`
	Cluster        bool    `json:"cluster"`
	Seed           uint64  `json:"seed"`
	Seconds        float64 `json:"seconds"`
}

// run is one test from the first process to the checker's word.
func run(ctx context.Context, o options, say io.Writer) (r report, err error) {
	begin := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, longest, fmt.Errorf("not done after %s", longest))
	defer cancel()
	dir, remove, err := folder(o.keep)
	if err != nil {
		return r, err
	}
	defer remove()
	fmt.Fprintln(say, "building")
	if err := build(ctx, dir); err != nil {
		return r, err
	}
	scripted, err := newModel(o.seed)
	if err != nil {
		return r, err
	}
	defer func() { _ = scripted.server.Close() }() // it ends with the program too
	f, err := newFleet(ctx, o, dir, scripted)
	if err != nil {
		return r, err
	}
	defer f.stop()

	lasts := min(max(time.Duration(o.investigations)*each, least), most)
	fmt.Fprintf(say, "%d investigations, chaos for %s\n", o.investigations, lasts)
	m := newMonkey(f, say)
	chaos, calm := context.WithCancel(ctx)
	defer calm()
	played := make(chan error, 1)
	go func() { played <- m.play(chaos, lasts) }()
	ids, err := f.request(ctx, m, lasts)
	calm()
	if err := errors.Join(err, <-played); err != nil {
		return r, err
	}
	fmt.Fprintln(say, "calm: checking")
	r.verdict, err = check(ctx, f, ids, say)
	c := &m.counts
	r.Kills, r.KillsAtPublish, r.Freezes, r.Restarts = c.kills.Load(), c.killsAtPublish.Load(), c.freezes.Load(), c.restarts.Load()
	r.Repeats, r.Cancels, r.ModelCalls, r.ModelFailures = c.repeats.Load(), c.cancels.Load(), scripted.answers.Load(), scripted.failed.Load()
	r.Cluster, r.Seed, r.Seconds = o.cluster, o.seed, time.Since(begin).Round(time.Millisecond).Seconds()
	return r, err
}

// folder returns an empty folder for the logs and the streams, and what removes it
// unless it is kept.
func folder(keep string) (dir string, remove func(), err error) {
	if keep == "" {
		dir, err = os.MkdirTemp("", "fleetlens-chaos-")
		return dir, func() { _ = os.RemoveAll(dir) }, err // a temporary folder is left behind then
	}
	if dir, err = filepath.Abs(keep); err == nil {
		err = os.MkdirAll(dir, 0o750)
	}
	if err != nil {
		return "", nil, err
	}
	there, err := os.ReadDir(dir)
	if err == nil && len(there) > 0 {
		err = proc.Usage("--keep %s: it is not empty, and a run must not find the streams of another", keep)
	}
	return dir, func() {}, err
}

// check asks the checker, which gives what is still at work its time.
func check(ctx context.Context, f *fleet, ids string, say io.Writer) (v verdict, err error) {
	cmd := exec.CommandContext(ctx, filepath.Join(f.dir, "check"), "--server", urls(f.servers), "--ids", ids, "--within", drain.String())
	cmd.Stderr = say
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() != 1 || len(out) == 0) {
		return v, fmt.Errorf("the checker: %w", err)
	}
	return v, json.Unmarshal(out, &v)
}
