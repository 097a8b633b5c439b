package main

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/pkg/skills/all"
)

func (a *app) streams() *cobra.Command {
	var state bool
	cmd := &cobra.Command{Use: "streams", Short: "Print the table of streams", Args: cobra.NoArgs, Example: "  fleetlens streams --state"}
	cmd.Flags().BoolVar(&state, "state", false, "show what each holds, from the server")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		type view struct {
			bus.Stream
			State *bus.StreamState `json:"state,omitempty"`
		}
		var views []view
		for _, s := range bus.Streams() {
			views = append(views, view{Stream: s})
		}
		if state {
			conn, err := a.dial(cmd)
			if err != nil {
				return err
			}
			defer conn.Close()
			for i := range views {
				st, err := conn.StreamState(cmd.Context(), views[i].Name)
				if err != nil {
					return err
				}
				views[i].State = &st
			}
		}
		if a.json {
			for _, v := range views {
				if err := printJSON(cmd.OutOrStdout(), v); err != nil {
					return err
				}
			}
			return nil
		}
		header := []string{"Stream", "Subjects", "Kept", "Per subject", "At most", "Who"}
		if state {
			header = append(header, "Messages", "Bytes")
		}
		var rows [][]any
		for _, v := range views {
			kept := v.MaxAge.String()
			if v.WorkQueue {
				kept = "until taken, " + kept
			}
			per := "-"
			if v.MaxPerSubject > 0 {
				per = fmt.Sprint(v.MaxPerSubject)
			}
			row := []any{v.Name, strings.Join(v.Subjects, " "), kept, number(per), both{size(v.MaxBytes), fmt.Sprint(v.MaxBytes)}, v.Doc}
			if v.State != nil {
				row = append(row, int(v.State.Messages), both{size(int64(v.State.Bytes)), fmt.Sprint(v.State.Bytes)})
			}
			rows = append(rows, row)
		}
		out(cmd).table("Streams", header, rows)
		return nil
	}
	return cmd
}

func size(n int64) string {
	for _, u := range []struct {
		name string
		n    int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= u.n {
			return fmt.Sprintf("%.4g %s", float64(n)/float64(u.n), u.name)
		}
	}
	return fmt.Sprintf("%d B", n)
}

func (a *app) setup() *cobra.Command {
	var opts bus.SetupOptions
	var sizes map[string]string
	cmd := &cobra.Command{
		Use: "setup", Short: "Make the streams and consumers, or bring them up to date", Args: cobra.NoArgs,
		Long: `Make the streams, the consumers and the bucket of the table, or bring them up to
date. A coordinator does the same when it starts; run this where coordinators may not,
or to set replicas and sizes. What a newer version made is left as it is.`,
		Example: "  fleetlens setup --replicas 3\n  fleetlens setup --max-bytes FL_SNAPSHOTS=20GiB\n  fleetlens setup --reader pager",
	}
	cmd.Flags().IntVar(&opts.Replicas, "replicas", 0, "replicas of each stream (default: as they are, 1 for new ones)")
	cmd.Flags().StringToStringVar(&sizes, "max-bytes", nil, "size of streams: FL_SNAPSHOTS=20GiB")
	cmd.Flags().StringSliceVar(&opts.Readers, "reader", nil, "make a durable of this name on FL_INSIGHTS, for a reader downstream")
	cmd.Flags().StringSliceVar(&opts.Sinks, "sink", nil, "make the durable of a gateway's sink of this name")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		opts.MaxBytes = map[string]int64{}
		for name, text := range sizes {
			n, err := readSize(text)
			if _, ok := bus.StreamOf(name); !ok || err != nil {
				return proc.Usage("--max-bytes %s=%s: write a stream of `fleetlens streams` and a size such as 20GiB", name, text)
			}
			opts.MaxBytes[name] = n
		}
		for _, s := range all.Skills(all.Options{}) {
			opts.Skills = append(opts.Skills, s.Name)
		}
		conn, err := a.dial(cmd)
		if err != nil {
			return err
		}
		defer conn.Close()
		done, err := conn.Setup(cmd.Context(), opts)
		for _, d := range done {
			if a.json {
				_ = printJSON(cmd.OutOrStdout(), d)
			} else {
				out(cmd).printf("%-34s %s\n", d.What, d.Did)
			}
		}
		return err
	}
	return cmd
}

func readSize(s string) (int64, error) {
	factor := int64(1)
	for _, u := range []struct {
		name string
		n    int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"B", 1}} {
		if rest, ok := strings.CutSuffix(s, u.name); ok {
			s, factor = rest, u.n
			break
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("%q is no size", s)
	}
	return n * factor, nil
}

func (a *app) version() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := map[string]any{"version": proc.Version(), "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH, "schema": bus.SchemaVersion}
			if a.json {
				return printJSON(cmd.OutOrStdout(), v)
			}
			out(cmd).printf("fleetlens %s (%s, %s, streams of schema %d)\n", v["version"], v["go"], v["platform"], bus.SchemaVersion)
			return nil
		},
	}
}
