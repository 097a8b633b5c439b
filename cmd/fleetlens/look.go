package main

import (
	"cmp"
	"io"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// A look says how things are laid out for whoever reads them.
type look struct {
	terminal bool // a person reads it now
	colour   bool
	width    int            // of the terminal, in columns; 0: not known
	zone     *time.Location // in which times are told to people
	now      time.Time
	format   string // of tables: md, csv or tsv; empty: for people, or a line a record
	border   string // the colour of tables' borders, as NATS_COLOR names it
}

// tableFormats are those that NATS_TABLE_FORMAT may name.
var tableFormats = []string{"md", "csv", "tsv"}

// lookOf says how things are laid out in a file. It heeds NO_COLOR (https://no-color.org)
// and TERM, and what the nats CLI does: NATS_COLOR, NATS_TABLE_FORMAT and LLMFORMAT.
func lookOf(w io.Writer, env func(string) string, local bool) look {
	l := look{zone: time.UTC, now: time.Now(), border: env("NATS_COLOR")}
	if local {
		l.zone = time.Local
	}
	if f := env("NATS_TABLE_FORMAT"); slices.Contains(tableFormats, f) {
		l.format = f
	} else if env("LLMFORMAT") == "1" {
		l.format = "md"
	}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return l
	}
	l.terminal = true
	l.colour = env("NO_COLOR") == "" && env("TERM") != "dumb"
	if width, _, err := term.GetSize(int(f.Fd())); err == nil {
		l.width = width
	}
	if l.width == 0 {
		columns, _ := strconv.Atoi(env("COLUMNS"))
		l.width = cmp.Or(columns, 80)
	}
	return l
}

// out prints what was asked for.
func out(cmd *cobra.Command) printer { return printerOf(cmd, cmd.OutOrStdout()) }

// progress prints what else there is to say.
func progress(cmd *cobra.Command) printer { return printerOf(cmd, cmd.ErrOrStderr()) }

func printerOf(cmd *cobra.Command, w io.Writer) printer {
	local, _ := cmd.Flags().GetBool("local-time")
	return printer{w, lookOf(w, os.Getenv, local)}
}
