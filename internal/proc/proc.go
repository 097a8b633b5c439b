// Package proc is what the mains share: flags, environment, configuration file,
// logging, signals and exit codes.
package proc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/telemetry"
	"github.com/fleetlens/fleetlens/pkg/signals"
)

// Exit codes of every program.
const (
	ExitDone   = 0
	ExitFailed = 1 // the program could not do its work
	ExitUsage  = 2 // wrong flags or settings
	ExitResult = 3 // the investigation failed or ran out of time
	// ExitSeverity is for a caller who asked for it: an insight is as severe as it said, or
	// Fleetlens itself is in a critical state.
	ExitSeverity = 4
)

// Settings are a program's configuration.
type Settings interface {
	Flags(fs *pflag.FlagSet)
	// Sections returns the parts of the configuration file that are no flags, by
	// key, as pointers to decode into. Nil when there are none.
	Sections() map[string]any
	// Validate names every wrong setting, joined.
	Validate() error
}

// An Env is what a process runs in.
type Env struct {
	Log *slog.Logger
	NATS
	// Telemetry is where its signals go.
	Telemetry signals.Providers
	// Ready is called once the process takes work: /readyz says so from then on.
	Ready func()
}

// NATS dials with the settings that every program has.
type NATS struct {
	Config bus.Config
	log    *slog.Logger
	health *telemetry.Health
}

// Dial connects as source ("probe/web-1"). The process is ready only while the
// connection is up.
func (n NATS) Dial(ctx context.Context, source string) (*bus.Conn, error) {
	n.health.Need("NATS", func() error { return errors.New("it is not connected yet") })
	conn, err := bus.Dial(ctx, n.Config, source, n.log)
	if err == nil {
		n.health.Need("NATS", Connected(conn))
	}
	return conn, err
}

// Connected returns a check of a connection, for telemetry.Health.
func Connected(conn *bus.Conn) func() error {
	return func() error {
		if !conn.Connected() {
			return errors.New("the connection is down; it is being made again")
		}
		return nil
	}
}

// A UsageError is an error of the caller: exit code 2.
type UsageError struct{ Err error }

// Error implements error.
func (e UsageError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e UsageError) Unwrap() error { return e.Err }

// Usage marks an error as the caller's.
func Usage(format string, args ...any) error { return UsageError{fmt.Errorf(format, args...)} }

// An ExitError ends the program with a code. Its text is printed when it has one.
type ExitError struct {
	Code int
	Err  error
}

// Error implements error.
func (e ExitError) Error() string {
	if e.Err == nil {
		return ""
	}
	return e.Err.Error()
}

// Unwrap returns the cause.
func (e ExitError) Unwrap() error { return e.Err }

// Main runs a process until it ends or is told to stop, and exits.
func Main(name, doc string, cfg Settings, run func(ctx context.Context, env Env) error) {
	cmd := Command(name, doc, cfg, run)
	cmd.Version = Version()
	Exit(cmd)
}

// Command returns a process as a command, with the flags that every process has.
func Command(name, doc string, cfg Settings, run func(ctx context.Context, env Env) error) *cobra.Command {
	var nats bus.Config
	var logging Logging
	var http telemetry.HTTP
	var file string
	cmd := &cobra.Command{
		Use: name, Short: firstSentence(doc), Long: doc, Args: cobra.NoArgs,
		SilenceUsage: true, SilenceErrors: true,
	}
	cmd.Flags().StringVar(&file, "config", "", "configuration `file` (YAML); its keys are the names of these flags")
	nats.Flags(cmd.Flags())
	logging.Flags(cmd.Flags())
	http.Flags(cmd.Flags(), Addresses[name])
	cfg.Flags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := Load(cmd.Flags(), file, cfg.Sections()); err != nil {
			return UsageError{err}
		}
		if err := errors.Join(cfg.Validate(), nats.Validate(), logging.Validate(), http.Validate()); err != nil {
			return UsageError{err}
		}
		return Observed(cmd.Context(), name, http, logging.New(os.Stderr), func(ctx context.Context, o Observing) error {
			nats.Telemetry = o.Providers
			return run(ctx, Env{Log: o.Log, NATS: NATS{Config: nats, log: o.Log, health: o.Health}, Telemetry: o.Providers, Ready: o.Health.Begun})
		})
	}
	return cmd
}

func firstSentence(doc string) string {
	s, _, _ := strings.Cut(doc, ".")
	return s
}

// Exit runs a command until it ends or the process is told to stop (SIGINT,
// SIGTERM), prints its error and exits with the code that the error means.
func Exit(cmd *cobra.Command) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	cmd.SuggestionsMinimumDistance = 2
	cmd.SetFlagErrorFunc(flagError)
	err := cmd.ExecuteContext(ctx)
	stop()
	os.Exit(Code(os.Stderr, err))
}

// Code prints an error and returns the exit code it means.
func Code(w io.Writer, err error) int {
	var usage UsageError
	var exit ExitError
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return ExitDone
	case errors.As(err, &exit):
		if text := exit.Error(); text != "" {
			fmt.Fprintln(w, "error:", text)
		}
		return exit.Code
	case errors.As(err, &usage), strings.HasPrefix(err.Error(), "unknown command"), strings.HasPrefix(err.Error(), "unknown flag"),
		strings.Contains(err.Error(), "arg(s), "):
		fmt.Fprintln(w, "error:", err)
		return ExitUsage
	}
	fmt.Fprintln(w, "error:", err)
	return ExitFailed
}

// Version returns the version that was built, or "devel".
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}

// Logging says how a process logs: to standard error.
type Logging struct {
	Level  string
	Format string
}

// Flags declares the flags.
func (l *Logging) Flags(fs *pflag.FlagSet) {
	fs.StringVar(&l.Level, "log-level", "info", "debug, info, warn or error")
	fs.StringVar(&l.Format, "log-format", "text", "text or json")
}

// Validate names wrong settings.
func (l *Logging) Validate() error {
	var level slog.Level
	var errs []error
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		errs = append(errs, fmt.Errorf("--log-level %q: it is debug, info, warn or error", l.Level))
	}
	if l.Format != "text" && l.Format != "json" {
		errs = append(errs, fmt.Errorf("--log-format %q: it is text or json", l.Format))
	}
	return errors.Join(errs...)
}

// New returns the logger.
func (l *Logging) New(w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(l.Level))
	opts := &slog.HandlerOptions{Level: level}
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}
