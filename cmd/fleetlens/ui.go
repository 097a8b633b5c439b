package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/internal/web"
)

func (a *app) ui() *cobra.Command {
	c := web.Config{Listen: web.DefaultListen}
	var file string
	cmd := &cobra.Command{
		Use: "ui", Short: "Serve what people look at, over HTTP",
		Long: `Serve what people look at over HTTP: pages for a browser, a JSON API over what NATS
holds, and live events.

It keeps nothing, so that any number of servers may run. What it may do is what its
NATS user may: with a viewer's credentials it only reads. It listens on loopback unless
--ui says otherwise; open the address that it prints, which has the token in it.

With --open it shows one insight that was exported (Export, Everything (JSON), on its
page), with its findings, plots and the journals of its runs. That needs no NATS. Where
the usual port is taken it takes a free one.`,
		Example: "  fleetlens ui\n  fleetlens ui --creds viewer.creds --ui 0.0.0.0:7422 --ui-token-file /etc/fleetlens/ui-token --ui-host fleet.example.com\n  fleetlens ui --open c1f09a7be2d44510.json",
		Args:    cobra.NoArgs,
	}
	c.Flags(cmd.Flags())
	cmd.Flags().StringVar(&file, "open", "", "show the exported insight in `file`, and nothing else; -: standard input")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if c.Listen == "" {
			return proc.Usage("--ui: where to listen, such as %s", web.DefaultListen)
		}
		if err := c.Validate(); err != nil {
			return proc.UsageError{Err: err}
		}
		served := func(at uiAddress) {
			if a.json {
				_ = printJSON(cmd.OutOrStdout(), at)
				return
			}
			out(cmd).printf("%s\n", at)
		}
		if file != "" {
			s, err := a.opened(cmd, c, file)
			if err != nil {
				return err
			}
			return serve(cmd.Context(), s, free(c, cmd.Flags().Changed("ui")), served)
		}
		conn, err := a.dial(cmd)
		if err != nil {
			return err
		}
		defer conn.Close()
		return a.serveUI(cmd.Context(), conn, c, served)
	}
	return cmd
}

// opened returns a server of an exported insight.
func (a *app) opened(cmd *cobra.Command, c web.Config, file string) (*web.Opened, error) {
	in := cmd.InOrStdin()
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, proc.Usage("--open: %w", err)
		}
		defer func() { _ = f.Close() }() // it was only read
		in = f
	}
	s, err := web.Open(in, c, a.logging.New(os.Stderr))
	if err != nil {
		return nil, proc.Usage("--open %s: %w; it shows what an insight's page saves by Export, Everything (JSON)", file, err)
	}
	return s, nil
}

// A uiAddress is where the UI is served.
type uiAddress struct {
	UI    string `json:"ui"`
	Token string `json:"token,omitempty"` // that the server made up; one that was given is not shown
	from  string
}

// String says how to get there.
func (u uiAddress) String() string {
	if u.from != "" {
		return fmt.Sprintf("Fleetlens is to be seen at %s/ (the token is in %s)", u.UI, u.from)
	}
	return fmt.Sprintf("Fleetlens is to be seen at %s/#token=%s", u.UI, u.Token)
}

// serveUI serves a fleet until ctx ends. ready is told where.
func (a *app) serveUI(ctx context.Context, conn *bus.Conn, c web.Config, ready func(uiAddress)) error {
	c.Version = proc.Version()
	s, err := web.New(conn, c, a.logging.New(os.Stderr))
	if err != nil {
		return proc.UsageError{Err: err}
	}
	return serve(ctx, s, c, ready)
}

// A uiServer serves the UI: of a fleet, or of a file.
type uiServer interface {
	Token() string
	Run(ctx context.Context, listen string, ready func(address string)) error
}

// serve runs a server until ctx ends. ready is told where.
func serve(ctx context.Context, s uiServer, c web.Config, ready func(uiAddress)) error {
	return s.Run(ctx, c.Listen, func(address string) {
		at := uiAddress{UI: "http://" + address, from: c.TokenFrom()}
		if at.from == "" {
			at.Token = s.Token()
		}
		ready(at)
	})
}
