package main

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/missing"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/test/built"
)

// offered returns the words that a shell would offer after a line.
func (c cli) offered(args ...string) []string {
	c.t.Helper()
	var out, errs bytes.Buffer
	cmd := root()
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	cmd.SetArgs(slices.Concat([]string{"__complete", "--server", c.url}, args))
	if err := cmd.ExecuteContext(c.t.Context()); err != nil {
		c.t.Fatalf("%v: %v", args, err)
	}
	var words []string
	for line := range strings.Lines(out.String()) {
		if word, _, _ := strings.Cut(strings.TrimSpace(line), "\t"); !strings.HasPrefix(word, ":") {
			words = append(words, word)
		}
	}
	return words
}

func (c cli) node(name, skill string) {
	c.t.Helper()
	c.publish(protocol.NodeSubject(name), protocol.Heartbeat{
		Node: name, Targets: []protocol.HeartbeatTarget{{Name: "host", Kind: "host"}}, MachineID: "m" + name, BootID: "b", Version: "1", InstanceID: "i",
		Skills: []protocol.HeartbeatSkill{{Skill: skill, Kind: "host", Hash: "h"}}, IntervalMS: 10000, SentAt: time.Now().UTC(),
	})
}

func TestAShellOffersWhatNATSKnows(t *testing.T) {
	c := newCLI(t)
	c.node("web-1", "os")
	c.node("db-1", "shop")
	c.node("x; rm -rf $HOME", "os")
	c.insight("c1f09a7be2d44510")
	c.insight("c1aaaaaaaaaaaaaa")
	c.publish(protocol.InvestigationSubject("5be0c2a47f19d3e8", protocol.PhaseAccepted), protocol.Accepted{
		InvestigationID: "5be0c2a47f19d3e8", RunID: "5be0c2a47f19d3e8", At: time.Now().UTC(), Coordinator: "co-1", Request: protocol.Request{Reason: "x"}, Deadline: time.Now().UTC().Add(time.Minute),
	})
	for _, tt := range []struct {
		name string
		line []string
		want []string
	}{
		{"nodes, but none whose name a shell would read otherwise", []string{"call", ""}, []string{"db-1", "web-1"}},
		{"nodes of a flag", []string{"investigate", "--node", ""}, []string{"db-1", "web-1"}},
		{"one more node after a comma", []string{"investigate", "--node", "db-1,"}, []string{"db-1,db-1", "db-1,web-1"}},
		{"insights, the newest first", []string{"insights", "show", ""}, []string{"c1aaaaaaaaaaaaaa", "c1f09a7be2d44510"}},
		{"insights that somebody says something of", []string{"ack", ""}, []string{"c1aaaaaaaaaaaaaa", "c1f09a7be2d44510"}},
		{"investigations", []string{"cancel", ""}, []string{"5be0c2a47f19d3e8"}},
		{"runs", []string{"run", "show", ""}, []string{"5be0c2a47f19d3e8"}},
		{"what has notes", []string{"note", ""}, []string{"c1aaaaaaaaaaaaaa", "c1f09a7be2d44510", "5be0c2a47f19d3e8"}},
		{"nothing for the words of a note", []string{"note", "c1f09a7be2d44510", ""}, nil},
		{"roles", []string{"creds", "mint", ""}, []string{"probe", "operator", "coordinator", "gateway", "client", "viewer", "ci", "admin"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := c.offered(tt.line...); !slices.Equal(got, tt.want) {
				t.Errorf("offered %q, want %q", got, tt.want)
			}
		})
	}
	t.Run("skills: the program's, and those that a probe brings", func(t *testing.T) {
		if got := c.offered("investigate", "--skill", ""); !slices.Contains(got, "gc") || !slices.Contains(got, "shop") {
			t.Errorf("offered %q", got)
		}
	})
}

func TestAShellDoesNotWaitForNATS(t *testing.T) {
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0") // it takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // nothing was read
	for name, url := range map[string]string{"nobody listens": "nats://127.0.0.1:1", "nobody answers": "nats://" + l.Addr().String(), "no address": "::"} {
		t.Run(name, func(t *testing.T) {
			c := cli{t: t, url: url}
			begin := time.Now()
			if got := c.offered("call", ""); len(got) > 0 {
				t.Errorf("offered %q", got)
			}
			if took := time.Since(begin); took > 5*completeWithin {
				t.Errorf("it took %s", took)
			}
			if got := c.offered("skills", ""); !slices.Contains(got, "gc") {
				t.Errorf("skills need no NATS: %q", got)
			}
		})
	}
}

// The shells run the scripts that they are given.
func TestShellsCompleteWithTheirScripts(t *testing.T) {
	c := newCLI(t)
	c.node("web-1", "os")
	c.node("web-22", "os")
	dir := built.Programs(t)
	for _, tt := range []struct{ shell, pkg, script string }{
		// bash-completion's functions are part of what a person has; __get_comp_words_by_ref is all that the script needs of it.
		{"bash", "bash", `source <(fleetlens completion bash)
_get_comp_words_by_ref() { cur=${COMP_WORDS[COMP_CWORD]}; prev=${COMP_WORDS[COMP_CWORD-1]}; words=("${COMP_WORDS[@]}"); cword=$COMP_CWORD; }
COMP_WORDS=(fleetlens call web); COMP_CWORD=2; COMP_LINE="fleetlens call web"; COMP_POINT=${#COMP_LINE}; COMP_TYPE=63
__start_fleetlens; printf '%s\n' "${COMPREPLY[@]}"`},
		{"fish", "fish", `fleetlens completion fish | source; complete -C "fleetlens call web"`},
		{"zsh", "zsh", `autoload -Uz compinit; compinit -D; source <(fleetlens completion zsh); (( $+functions[_fleetlens] )) && fleetlens __complete call web`},
	} {
		t.Run(tt.shell, func(t *testing.T) {
			if !missing.Debian(t, tt.shell, tt.pkg) {
				return
			}
			cmd := exec.CommandContext(t.Context(), tt.shell, "-c", tt.script)
			cmd.Env = append(os.Environ(), "PATH="+dir+string(filepath.ListSeparator)+os.Getenv("PATH"), "NATS_URL="+c.url, "HOME="+t.TempDir())
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "web-1") || !strings.Contains(string(out), "web-22") {
				t.Errorf("%v, offered:\n%s", err, out)
			}
		})
	}
}
