package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/proc"
)

func (a *app) creds() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use: "creds", Short: "Make users for NATS, each with the permissions of its role",
		Long: "Make users for NATS. Roles:\n\n" + roles() + `
With a folder of keys (init, mint) every user is one file that holds for one role and
name, and new ones need nothing on the server. Without (static), users have passwords
and stand in the server's configuration.`,
		Example: `  fleetlens creds init --dir fleet-keys          # keys, and resolver.conf for the server
  fleetlens creds mint probe web-1 > web-1.creds # then: probe --creds web-1.creds --node web-1
  fleetlens creds static web-1 web-2 > users.conf`,
	}
	cmd.PersistentFlags().StringVar(&dir, "dir", "fleet-keys", "`folder` of the keys")
	cmd.AddCommand(
		&cobra.Command{
			Use: "init", Short: "Make the keys of an operator and an account, and the server's configuration", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				if _, err := bus.NewAuthority(dir); err != nil {
					return err
				}
				if a.json {
					return printJSON(cmd.OutOrStdout(), map[string]string{"dir": dir, "server_config": dir + "/" + bus.ResolverFile})
				}
				out(cmd).printf("The keys are in %s; keep the folder off the servers.\nInclude %s/%s in the server's configuration, then: fleetlens creds mint ROLE NAME > NAME.creds\n", dir, dir, bus.ResolverFile)
				return nil
			},
		},
		&cobra.Command{
			Use: "mint ROLE NAME", Short: "Print the credentials of one user", Args: cobra.ExactArgs(2),
			RunE: func(cmd *cobra.Command, args []string) error {
				authority, err := bus.OpenAuthority(dir)
				if err != nil {
					return err
				}
				creds, err := authority.Mint(args[0], args[1])
				if err != nil {
					return proc.UsageError{Err: err}
				}
				if a.json {
					return printJSON(cmd.OutOrStdout(), map[string]string{"role": args[0], "name": args[1], "creds": string(creds)})
				}
				_, err = cmd.OutOrStdout().Write(creds)
				return err
			},
		},
		&cobra.Command{
			Use: "resign", Short: "Write the server's configuration again, after an upgrade that changes permissions", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				authority, err := bus.OpenAuthority(dir)
				if err != nil {
					return err
				}
				if err := authority.WriteResolver(); err != nil {
					return err
				}
				if a.json {
					return printJSON(cmd.OutOrStdout(), map[string]string{"server_config": dir + "/" + bus.ResolverFile})
				}
				out(cmd).printf("%s/%s is new; the servers take it with a reload\n", dir, bus.ResolverFile)
				return nil
			},
		},
		&cobra.Command{
			Use: "static NODE…", Short: "Print users with passwords from the server's environment", Args: cobra.MinimumNArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				text, err := bus.StaticUsers(args...)
				if err != nil {
					return proc.UsageError{Err: err}
				}
				if a.json {
					return printJSON(cmd.OutOrStdout(), map[string]string{"conf": text})
				}
				_, err = fmt.Fprint(cmd.OutOrStdout(), text)
				return err
			},
		},
	)
	return cmd
}

// roles lists the roles with what they are for.
func roles() string {
	var b strings.Builder
	for _, r := range bus.Roles() {
		fmt.Fprintf(&b, "  %-12s %s\n", r.Name, r.Doc)
	}
	return b.String()
}
