package main

import (
	"context"
	"fmt"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/reading"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// askTimeout is how long the answer of a model is waited for.
const askTimeout = 3*time.Minute + 10*time.Second

func (a *app) question() *cobra.Command {
	return &cobra.Command{
		Use: "ask ID QUESTION", Aliases: []string{"question"}, Short: "Ask about an investigation that has ended", Args: cobra.MinimumNArgs(2),
		Long: `Ask about an investigation that has ended. The answer comes from its journal, by
the model that decided, and changes nothing of it. The beginning of an id will do, here and in tell and cancel.`,
		Example: `  fleetlens ask 5be0c2a47f19d3e8 "which of the two nodes was first?"
  fleetlens ask 5be0c2 "why not the network?"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			raw, err := a.say(cmd, protocol.AskSubject, args, askTimeout)
			if err != nil {
				return err
			}
			r, err := protocol.Decode[protocol.AskReply](raw)
			if err != nil {
				return err
			}
			if a.json {
				return printJSON(cmd.OutOrStdout(), r)
			}
			out(cmd).reply(r)
			return nil
		},
	}
}

// reply prints the answer to a question.
func (p printer) reply(r protocol.AskReply) {
	p.printf("%s\n", p.bold(clean(r.Summary)))
	p.list("found", r.Findings)
	p.list("concerns", r.Concerns)
	found, all := 0, 0
	var unknown []string
	for _, f := range slices.Concat(r.Figures...) {
		if all++; f.Found {
			found++
		} else {
			unknown = append(unknown, lost(f))
		}
	}
	p.list("unverified", unknown)
	p.printf("  %s\n", p.dim(fmt.Sprintf("investigation %s · answered by %s · %d of %d figures verified · %s · fleetlens run show %s", clean(r.InvestigationID), clean(r.Model), found, all, spending(r.Usage), clean(r.RunID))))
}

func (a *app) tell() *cobra.Command {
	return &cobra.Command{
		Use: "tell ID TEXT", Short: "Tell a running investigation something", Args: cobra.MinimumNArgs(2),
		Long: `Tell a running investigation something. Its model reads it before its next step;
a wait ends early. The rules analyst cannot read it, and its insight says so.`,
		Example: `  fleetlens tell 5be0c2a47f19d3e8 "we deployed checkout at 09:20"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			raw, err := a.say(cmd, protocol.TellSubject, args, 30*time.Second)
			if err != nil {
				return err
			}
			told, err := protocol.Decode[protocol.Told](raw)
			if err != nil {
				return err
			}
			if a.json {
				return printJSON(cmd.OutOrStdout(), told)
			}
			out(cmd).printf("investigation %s was told\n", told.InvestigationID)
			return nil
		},
	}
}

// say sends what the arguments say to an investigation.
func (a *app) say(cmd *cobra.Command, subject string, args []string, within time.Duration) ([]byte, error) {
	conn, err := a.dial(cmd)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	id, err := reading.InvestigationID(cmd.Context(), conn, args[0])
	if err != nil {
		return nil, usage(err)
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), within)
	defer cancel()
	return conn.Request(ctx, subject, protocol.Ask{ID: id, Text: strings.Join(args[1:], " "), By: person()})
}

// person is who says something here.
func person() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "a person"
}
