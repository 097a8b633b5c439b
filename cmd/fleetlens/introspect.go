package main

import (
	"encoding/json"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// introspectFlag is what the nats CLI runs a plugin with, to learn its commands: see
// plugins/plugins.go of https://github.com/nats-io/natscli. What it reads is the
// ApplicationModel of https://github.com/choria-io/fisk (model.go).
const introspectFlag = "fisk-introspect"

// introspection has the root answer the flag.
func introspection(root *cobra.Command) {
	var introspect bool
	root.Flags().BoolVar(&introspect, introspectFlag, false, "print the commands as the nats CLI wants them of a plugin")
	_ = root.Flags().MarkHidden(introspectFlag) // it was declared a line before
	root.RunE = func(cmd *cobra.Command, _ []string) error {
		if !introspect {
			return cmd.Help()
		}
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetEscapeHTML(false)
		enc.SetIndent("", " ")
		return enc.Encode(pluginOf(cmd))
	}
}

// ownWords are by which word below itself a command is meant that has others below it: the
// nats CLI runs no command that has.
var ownWords = map[string]string{"feedback": "give", "insights": "list", "schedules": "list"}

// addOwnWords has such commands understand the word.
func addOwnWords(root *cobra.Command) {
	for _, c := range root.Commands() {
		if word, both := ownWords[c.Name()]; both {
			own := &cobra.Command{Use: word, Short: c.Short, Long: c.Long, Args: c.Args, RunE: c.RunE, Hidden: true}
			own.Flags().AddFlagSet(c.LocalNonPersistentFlags())
			c.AddCommand(own)
		}
	}
}

// A plugin is the program, as the nats CLI mounts it below its own name.
type plugin struct {
	Name     string          `json:"name"`
	Help     string          `json:"help"`
	Version  string          `json:"version,omitempty"`
	Commands []pluginCommand `json:"commands,omitempty"`
}

type pluginCommand struct {
	Name     string          `json:"name"`
	Help     string          `json:"help"`
	HelpLong string          `json:"help_long,omitempty"`
	Aliases  []string        `json:"aliases,omitempty"`
	Default  bool            `json:"default,omitempty"` // it is meant where only its parent is said
	Flags    []pluginFlag    `json:"flags,omitempty"`
	Args     []pluginArg     `json:"args,omitempty"`
	Commands []pluginCommand `json:"commands,omitempty"`
}

type pluginFlag struct {
	Name        string   `json:"name"`
	Help        string   `json:"help"`
	Short       rune     `json:"short,omitempty"`
	Default     []string `json:"default,omitempty"`
	PlaceHolder string   `json:"place_holder,omitempty"`
	Boolean     bool     `json:"boolean"`
	Cumulative  bool     `json:"cumulative"`
}

type pluginArg struct {
	Name        string `json:"name"`
	Help        string `json:"help"`
	PlaceHolder string `json:"place_holder,omitempty"`
	Required    bool   `json:"required,omitempty"`
	Cumulative  bool   `json:"cumulative"`
}

func pluginOf(root *cobra.Command) plugin {
	return plugin{Name: root.Name(), Help: root.Short, Version: root.Version, Commands: pluginCommands(root)}
}

func pluginCommands(parent *cobra.Command) []pluginCommand {
	var list []pluginCommand
	for _, c := range parent.Commands() {
		if !c.IsAvailableCommand() || c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		p := pluginCommand{Name: c.Name(), Help: c.Short, HelpLong: c.Long, Aliases: c.Aliases, Commands: pluginCommands(c)}
		if word, both := ownWords[c.Name()]; both && len(p.Commands) > 0 {
			own := pluginCommand{Name: word, Help: c.Short, HelpLong: c.Long, Default: true, Flags: flagsOf(c), Args: pluginArgs(c.Use)}
			p.Commands = append([]pluginCommand{own}, p.Commands...)
		} else if len(p.Commands) == 0 {
			p.Flags, p.Args = flagsOf(c), pluginArgs(c.Use)
		}
		list = append(list, p)
	}
	return list
}

// pluginArgs reads the arguments of a usage line, such as "call NODE CALLBACK [ARGS]". The
// nats CLI hands the values of several arguments on in any order, but those of one that
// takes many as they were given: several are one.
func pluginArgs(use string) []pluginArg {
	_, usage, _ := strings.Cut(use, " ")
	usage, _, _ = strings.Cut(usage, " --")
	words := strings.Fields(usage)
	if len(words) == 0 {
		return nil
	}
	many := len(words) > 1 || strings.Contains(usage, "...") || strings.Contains(usage, "…")
	name := strings.ToLower(strings.Trim(words[0], "[].…"))
	if many {
		name = "args"
	}
	return []pluginArg{{Name: name, Help: usage, PlaceHolder: usage, Required: !strings.HasPrefix(usage, "["), Cumulative: many}}
}

// flagsOf are those of a command, with those of the program: the nats CLI hands on only what
// the command itself has, in the values that it has for its own.
func flagsOf(c *cobra.Command) []pluginFlag {
	return append(pluginFlags(c.LocalNonPersistentFlags()), pluginFlags(c.Root().PersistentFlags())...)
}

func pluginFlags(fs *pflag.FlagSet) []pluginFlag {
	var list []pluginFlag
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" || f.Name == "version" {
			return
		}
		holder, help := pflag.UnquoteUsage(f)
		p := pluginFlag{Name: f.Name, Help: help, PlaceHolder: strings.ToUpper(holder), Boolean: f.Value.Type() == "bool"}
		for _, r := range f.Shorthand {
			p.Short = r
		}
		_, p.Cumulative = f.Value.(pflag.SliceValue)
		p.Cumulative = p.Cumulative || strings.HasPrefix(f.Value.Type(), "stringTo")
		if !p.Boolean && !p.Cumulative && f.DefValue != "" {
			p.Default = []string{f.DefValue}
		}
		list = append(list, p)
	})
	return list
}
