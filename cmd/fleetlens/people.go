package main

import (
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/internal/reading"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func (a *app) feedback() *cobra.Command {
	var comment string
	cmd := &cobra.Command{
		Use: "feedback INSIGHT right|known|not_quite|wrong", Short: "Say whether an insight was right", Args: cobra.ExactArgs(2),
		Long: `Say whether an insight was right; known is right, but known before. Everybody can read
it; of what you said the newest counts. With --comment, say what the cause was.`,
		Example: `  fleetlens feedback c1f09a not_quite --comment "it was the proxy before it"`,
	}
	cmd.Flags().StringVar(&comment, "comment", "", "what was wrong, or what the cause was")
	cmd.AddCommand(a.exportFeedback())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		f := protocol.Feedback{ID: args[0], Verdict: strings.ReplaceAll(args[1], "-", "_"), Comment: comment, By: person(), At: time.Now().UTC()}
		if err := f.Validate(); err != nil {
			return proc.UsageError{Err: err}
		}
		return a.saidOf(cmd, "feedback", args[0], insightOnly, func(id string) protocol.Message {
			f.ID = id
			return f
		})
	}
	return cmd
}

func (a *app) ack() *cobra.Command {
	return &cobra.Command{
		Use: "ack INSIGHT", Short: "Say that you look after an insight", Args: cobra.ExactArgs(1), Example: "  fleetlens ack c1f09a",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.saidOf(cmd, "ack", args[0], insightOnly, func(id string) protocol.Message {
				return protocol.Ack{ID: id, By: person(), At: time.Now().UTC()}
			})
		},
	}
}

func (a *app) note() *cobra.Command {
	return &cobra.Command{
		Use: "note ID TEXT", Short: "Add a note to an insight or an investigation", Args: cobra.MinimumNArgs(2),
		Example: `  fleetlens note c1f09a "rolled back at 14:20"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			text := strings.TrimSpace(strings.Join(args[1:], " "))
			if text == "" {
				return proc.Usage("the note is empty")
			}
			return a.saidOf(cmd, "note", args[0], insightOrInvestigation, func(id string) protocol.Message {
				return protocol.Note{ID: id, Text: text, By: person(), At: time.Now().UTC()}
			})
		},
	}
}

// saidOf publishes what a person says of an insight, or of an investigation.
func (a *app) saidOf(cmd *cobra.Command, verb, prefix string, find func(*cobra.Command, *bus.Conn, string) (string, error), message func(id string) protocol.Message) error {
	conn, err := a.dial(cmd)
	if err != nil {
		return err
	}
	defer conn.Close()
	id, err := find(cmd, conn, prefix)
	if err != nil {
		return err
	}
	if err := a.tellPeople(cmd, conn, verb, id, message(id)); err != nil || a.json {
		return err
	}
	out(cmd).printf("%s of %s is stored\n", verb, clean(id))
	return nil
}

func insightOnly(cmd *cobra.Command, conn *bus.Conn, prefix string) (string, error) {
	i, err := findInsight(cmd, conn, prefix)
	return i.ID, err
}

func insightOrInvestigation(cmd *cobra.Command, conn *bus.Conn, prefix string) (string, error) {
	list, _, err := reading.Insights(cmd.Context(), conn)
	if err != nil {
		return "", err
	}
	var ids []string
	for _, i := range list {
		ids = append(ids, i.ID, i.InvestigationID)
	}
	runs, err := reading.Investigations(cmd.Context(), conn)
	if err != nil {
		return "", err
	}
	id, err := reading.Match(prefix, append(ids, runs...))
	if err == nil && id == "" {
		err = errors.New("no insight and no investigation begins with " + clean(prefix))
	}
	return id, usage(err)
}

// publishSaid connects and publishes what a person says.
func (a *app) publishSaid(cmd *cobra.Command, verb, id string, m protocol.Message) error {
	conn, err := a.dial(cmd)
	if err != nil {
		return err
	}
	defer conn.Close()
	return a.tellPeople(cmd, conn, verb, id, m)
}

// tellPeople publishes what a person says, and prints it where JSON is asked for.
func (a *app) tellPeople(cmd *cobra.Command, conn *bus.Conn, verb, id string, m protocol.Message) error {
	if _, err := conn.Publish(cmd.Context(), bus.Outgoing{Subject: protocol.PeopleSubject(verb, id), Body: m}); err != nil {
		return err
	}
	if a.json {
		return printJSON(cmd.OutOrStdout(), m)
	}
	return nil
}
