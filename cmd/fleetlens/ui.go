package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/internal/web"
)

func (a *app) ui() *cobra.Command {
	c := web.Config{Listen: web.DefaultListen}
	cmd := &cobra.Command{
		Use: "ui", Short: "Serve what people look at, over HTTP",
		Long: `Serve what people look at over HTTP: pages for a browser, a JSON API over what NATS
holds, and live events.

It keeps nothing, so that any number of servers may run. What it may do is what its
NATS user may: with a viewer's credentials it only reads. It listens on loopback unless
--ui says otherwise; open the address that it prints, which has the token in it.`,
		Example: "  fleetlens ui\n  fleetlens ui --creds viewer.creds --ui 0.0.0.0:7422 --ui-token-file /etc/fleetlens/ui-token --ui-host fleet.example.com",
		Args:    cobra.NoArgs,
	}
	c.Flags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if c.Listen == "" {
			return proc.Usage("--ui: where to listen, such as %s", web.DefaultListen)
		}
		if err := c.Validate(); err != nil {
			return proc.UsageError{Err: err}
		}
		conn, err := a.dial(cmd)
		if err != nil {
			return err
		}
		defer conn.Close()
		err = a.serveUI(cmd.Context(), conn, c, func(at uiAddress) {
			if a.json {
				_ = printJSON(cmd.OutOrStdout(), at)
				return
			}
			out(cmd).printf("%s\n", at)
		})
		if errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	}
	return cmd
}

// A uiAddress is where the UI is served.
type uiAddress struct {
	UI    string `json:"ui"`
	Token string `json:"token,omitempty"` // that the server made up; one from a file is not shown
	file  string
}

// String says how to get there.
func (u uiAddress) String() string {
	if u.file != "" {
		return fmt.Sprintf("Fleetlens is to be seen at %s/ (the token is in %s)", u.UI, u.file)
	}
	return fmt.Sprintf("Fleetlens is to be seen at %s/#token=%s", u.UI, u.Token)
}

// serveUI serves until ctx ends. ready is told where.
func (a *app) serveUI(ctx context.Context, conn *bus.Conn, c web.Config, ready func(uiAddress)) error {
	s, err := web.New(conn, c, a.logging.New(os.Stderr))
	if err != nil {
		return proc.UsageError{Err: err}
	}
	return s.Run(ctx, c.Listen, func(address string) {
		at := uiAddress{UI: "http://" + address, file: c.TokenFile}
		if c.TokenFile == "" {
			at.Token = s.Token()
		}
		ready(at)
	})
}
