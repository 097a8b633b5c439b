package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// introspected is what the nats CLI reads.
func introspected(t *testing.T) (plugin, []byte) {
	t.Helper()
	var out bytes.Buffer
	cmd := root()
	cmd.SetOut(&out)
	cmd.SetArgs([]string{"--fisk-introspect"})
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	var p plugin
	if err := json.Unmarshal(out.Bytes(), &p); err != nil {
		t.Fatalf("%v: %s", err, &out)
	}
	return p, out.Bytes()
}

func TestWhatTheNatsCLIReads(t *testing.T) {
	_, got := introspected(t)
	file := filepath.Join("testdata", "introspect.golden")
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestEveryCommandIsThere(t *testing.T) {
	p, _ := introspected(t)
	var want, got []string
	var commands func(of *cobra.Command, path string)
	commands = func(of *cobra.Command, path string) {
		for _, c := range of.Commands() {
			if !c.Hidden {
				want = append(want, path+c.Name())
				commands(c, path+c.Name()+" ")
			}
		}
	}
	cmd := root()
	cmd.InitDefaultHelpCmd()
	commands(cmd, "")
	want = slices.DeleteFunc(want, func(name string) bool { return name == "help" })
	var mounted func(list []pluginCommand, path string)
	mounted = func(list []pluginCommand, path string) {
		for _, c := range list {
			if !c.Default {
				got = append(got, path+c.Name)
			}
			mounted(c.Commands, path+c.Name+" ")
			// What fisk refuses, and with it the whole nats CLI: see args.go and flags.go of it.
			if len(c.Args) > 0 && len(c.Commands) > 0 {
				t.Errorf("%s has arguments and commands", path+c.Name)
			}
			flags := map[any]bool{rune(0): false}
			for _, f := range c.Flags {
				if flags[f.Name] || flags[f.Short] {
					t.Errorf("%s has the flag %s a second time", path+c.Name, f.Name)
				}
				flags[f.Name], flags[f.Short] = true, f.Short != 0
			}
			if !flags["json"] && len(c.Commands) == 0 {
				t.Errorf("%s lacks the flags of the program", path+c.Name)
			}
			// What is mounted is understood: in full, as the nats CLI runs it.
			found, rest, err := cmd.Find(append(strings.Fields(path), c.Name))
			if err != nil || len(rest) > 0 || len(c.Commands) == 0 && !found.Runnable() {
				t.Errorf("%s is %q, %q, %v", path+c.Name, found.Name(), rest, err)
			}
		}
	}
	mounted(p.Commands, "")
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" || p.Name != "fleetlens" || p.Help == "" {
		t.Error(p.Name, p.Help, diff)
	}
}

func TestArgumentsOfAUsageLine(t *testing.T) {
	for _, tt := range []struct {
		use  string
		want []pluginArg
	}{
		{"insights", nil},
		{"operate REASON --skill SKILL", []pluginArg{{"reason", "REASON", "REASON", true, false}}},
		{"skills [NAME]", []pluginArg{{"name", "[NAME]", "[NAME]", false, false}}},
		{"static NODE…", []pluginArg{{"args", "NODE…", "NODE…", true, true}}},
		{"call NODE CALLBACK [ARGS]", []pluginArg{{"args", "NODE CALLBACK [ARGS]", "NODE CALLBACK [ARGS]", true, true}}},
	} {
		if diff := cmp.Diff(tt.want, pluginArgs(tt.use)); diff != "" {
			t.Errorf("%s: %s", tt.use, diff)
		}
	}
}

func TestACommandIsMeantByItsOwnWordToo(t *testing.T) {
	c := newCLI(t)
	c.insight("c1f09a7be2d44510")
	for _, tt := range [][2][]string{
		{{"insights", "--since", "1h"}, {"insights", "list", "--since", "1h"}},
		{{"schedules"}, {"schedules", "list"}},
		{{"feedback", "c1f", "right"}, {"feedback", "give", "c1f", "right"}},
	} {
		plain, _, _ := c.run(tt[0]...)
		if out, code, errs := c.run(tt[1]...); code != 0 && tt[0][0] != "schedules" || out != plain {
			t.Errorf("%q: %d %s %q, and without the word %q", tt[1], code, errs, out, plain)
		}
	}
}
