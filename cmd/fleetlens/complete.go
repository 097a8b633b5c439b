package main

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/internal/reading"
	"github.com/fleetlens/fleetlens/pkg/skills/all"
)

// completeWithin is how long a shell waits for what NATS knows: a person who presses Tab
// does not wait for a server that is away.
const completeWithin = 300 * time.Millisecond

// maxOffered bounds what a shell shows.
const maxOffered = 200

// A candidate is a word that a shell offers, and what it is.
type candidate struct{ word, says string }

// A reader reads candidates, the best first. What cannot be read before ctx ends is not
// offered: nobody is there to be told an error.
type reader func(ctx context.Context, conn *bus.Conn) []candidate

// An offer is what is known without NATS, and what is read where it answers.
type offer struct {
	known func() []candidate // nil: nothing is
	read  reader             // nil: nothing more is
}

// offers says what is offered as the first word of a command.
var offers = map[string]offer{
	"ask": {read: investigationIDs}, "tell": {read: investigationIDs}, "cancel": {read: investigationIDs},
	"ack": {read: insightIDs}, "feedback": {read: insightIDs}, "feedback give": {read: insightIDs}, "insights show": {read: insightIDs},
	"note": {read: func(ctx context.Context, conn *bus.Conn) []candidate {
		return append(insightIDs(ctx, conn), investigationIDs(ctx, conn)...)
	}},
	"run show": {read: runIDs}, "run replay": {read: runIDs},
	"skills": {ownSkills, skillsOfProbes}, "call": {read: nodeNames}, "creds mint": {known: roleNames}, "silence end": {read: silenceIDs},
}

// flagOffers says what is offered as the value of a flag of any command.
var flagOffers = map[string]offer{"node": {read: nodeNames}, "skill": {ownSkills, skillsOfProbes}, "skills": {ownSkills, skillsOfProbes}}

// completion has shells offer what there is. Where NATS does not answer they offer what is
// known without it, and say nothing.
func (a *app) completion(root *cobra.Command) {
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		path := strings.TrimPrefix(cmd.CommandPath(), root.Name()+" ")
		offered, ok := offers[path]
		if ok {
			cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
				if len(args) > 0 {
					return nil, cobra.ShellCompDirectiveNoFileComp
				}
				return a.words(cmd, offered, ""), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
			}
		}
		for name, offered := range flagOffers {
			f := cmd.LocalFlags().Lookup(name)
			if f == nil || path == "up" { // there it names the node that begins
				continue
			}
			_, several := f.Value.(pflag.SliceValue)
			_ = cmd.RegisterFlagCompletionFunc(name, func(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
				before := ""
				if several {
					before = begun[:strings.LastIndex(begun, ",")+1]
				}
				return a.words(cmd, offered, before), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
			}) // it fails only for a flag that there is not
		}
		for _, c := range cmd.Commands() {
			walk(c)
		}
	}
	walk(root)
}

// words returns candidates as cobra wants them, each with what stands before it in the same word.
func (a *app) words(cmd *cobra.Command, offered offer, before string) []string {
	var words []string
	for _, c := range a.candidates(cmd, offered) {
		// A shell reads a candidate a line, and would have to quote what else it reads.
		if c.word != clean(c.word) || strings.ContainsAny(c.word, " \t\"'`$\\;&|<>()*?") || len(words) == maxOffered {
			continue
		}
		words = append(words, before+c.word+"\t"+strings.ReplaceAll(cut(clean(c.says), 60), "\t", " "))
	}
	return words
}

// candidates returns what an offer has, within completeWithin.
func (a *app) candidates(cmd *cobra.Command, offered offer) (list []candidate) {
	if offered.known != nil {
		list = offered.known()
	}
	if offered.read == nil {
		return list
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
	defer cancel()
	conn := a.connected(ctx, cmd)
	if conn == nil {
		return list
	}
	defer conn.Close()
	return append(list, offered.read(ctx, conn)...)
}

// connected returns a connection, nil when there is none in time.
func (a *app) connected(ctx context.Context, cmd *cobra.Command) *bus.Conn {
	if proc.Load(cmd.Flags(), "", nil) != nil || a.nats.Validate() != nil {
		return nil
	}
	dialled := make(chan *bus.Conn)
	go func() {
		conn, err := bus.Dial(ctx, a.nats, "fleetlens", slog.New(slog.DiscardHandler))
		if err != nil {
			conn = nil
		}
		select {
		case dialled <- conn:
		case <-ctx.Done(): // nobody waits for it
			if conn != nil {
				conn.Close()
			}
		}
	}()
	select {
	case conn := <-dialled:
		return conn
	case <-ctx.Done(): // a host that answers nothing takes the client longer
		return nil
	}
}

func nodeNames(ctx context.Context, conn *bus.Conn) (list []candidate) {
	nodes, _, _ := reading.Nodes(ctx, conn, nil)
	for _, n := range nodes {
		says := []string{n.State}
		for _, k := range slices.Sorted(maps.Keys(n.Labels)) {
			says = append(says, k+"="+n.Labels[k])
		}
		list = append(list, candidate{n.Node, strings.Join(says, " ")})
	}
	return list
}

// ownSkills are those of this program.
func ownSkills() (list []candidate) {
	for _, s := range all.Skills(all.Options{}) {
		list = append(list, candidate{s.Name, s.Title})
	}
	return list
}

// skillsOfProbes are those that probes bring themselves.
func skillsOfProbes(ctx context.Context, conn *bus.Conn) (list []candidate) {
	known := map[string]bool{}
	for _, s := range ownSkills() {
		known[s.word] = true
	}
	nodes, _, _ := reading.Nodes(ctx, conn, nil)
	for _, n := range nodes {
		for _, s := range n.Skills {
			if !known[s.Skill] {
				known[s.Skill] = true
				list = append(list, candidate{s.Skill, "of " + n.Node})
			}
		}
	}
	return list
}

func insightIDs(ctx context.Context, conn *bus.Conn) (list []candidate) {
	insights, _, _ := reading.Insights(ctx, conn)
	for _, i := range slices.Backward(insights) {
		list = append(list, candidate{i.ID, string(i.Severity) + ": " + i.Summary})
	}
	return list
}

func investigationIDs(ctx context.Context, conn *bus.Conn) (list []candidate) {
	ids, _ := reading.Investigations(ctx, conn)
	for _, id := range slices.Backward(ids) {
		list = append(list, candidate{id, "investigation"})
	}
	return list
}

func runIDs(ctx context.Context, conn *bus.Conn) (list []candidate) {
	runs, _ := reading.Runs(ctx, conn)
	for _, r := range slices.Backward(runs) {
		who := "coordinator"
		if r.Skill != "" {
			who = r.Skill
		}
		list = append(list, candidate{r.ID, who + ", investigation " + r.Investigation})
	}
	return list
}

func silenceIDs(ctx context.Context, conn *bus.Conn) (list []candidate) {
	silences, _, _ := reading.Silences(ctx, conn)
	for _, s := range slices.Backward(silences) {
		list = append(list, candidate{s.ID, s.Reason})
	}
	return list
}

func roleNames() (list []candidate) {
	for _, r := range bus.Roles() {
		list = append(list, candidate{r.Name, r.Doc})
	}
	return list
}
