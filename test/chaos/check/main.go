// Command check says what investigations lost and what they did twice. It reads
// only the streams, with a plain NATS client, and the ids that were asked for:
//
//	check --server nats://127.0.0.1:4222 --ids FILE
//
// It looks until nothing is missing or the time is up: work that was handed over
// takes a while. Its one line of output is JSON; the exit code is 1 when
// something was lost or doubled.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/proc"
)

func main() { proc.Exit(command()) }

func command() *cobra.Command {
	var server, file string
	within := 30 * time.Second
	cmd := &cobra.Command{
		Use: "check", Short: "Say what was lost and what is there twice", Args: cobra.NoArgs, SilenceUsage: true, SilenceErrors: true,
	}
	cmd.Flags().StringVar(&server, "server", nats.DefaultURL, "NATS server")
	cmd.Flags().StringVar(&file, "ids", "", "`file` of the ids that were asked for, one a line")
	cmd.Flags().DurationVar(&within, "within", within, "how long to wait for what is missing")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		text, err := os.ReadFile(file)
		if err != nil {
			return proc.UsageError{Err: err}
		}
		v, err := check(cmd.Context(), server, strings.Fields(string(text)), within)
		if err != nil {
			return err
		}
		if err := json.NewEncoder(cmd.OutOrStdout()).Encode(v); err != nil {
			return err
		}
		if v.Lost > 0 || v.Doubled > 0 {
			return errors.New(fmt.Sprint(v.Lost, " lost, ", v.Doubled, " doubled"))
		}
		return nil
	}
	return cmd
}

// check looks again and again until nothing is missing, twice in a row so that
// what comes late is not missed, or until the time is up.
func check(ctx context.Context, server string, ids []string, within time.Duration) (verdict, error) {
	nc, err := nats.Connect(server, nats.MaxReconnects(-1))
	if err != nil {
		return verdict{}, err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return verdict{}, err
	}
	late := time.Now().Add(within)
	for calm := 0; ; {
		found, err := read(ctx, js)
		v := verdict{}
		if err == nil {
			v = verify(ids, found)
		}
		if calm++; err != nil || v.Lost > 0 {
			calm = 0
		}
		if calm == 2 || err == nil && time.Now().After(late) {
			return v, nil
		}
		if err != nil && time.Now().After(late) {
			return v, err
		}
		t := time.NewTimer(time.Second)
		select {
		case <-ctx.Done():
			t.Stop()
			return v, ctx.Err()
		case <-t.C:
		}
	}
}
