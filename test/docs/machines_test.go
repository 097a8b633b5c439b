//go:build linux

package docs_test

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fleetlens/fleetlens/internal/agentproto"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/web"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/test/built"
)

// What the document has a client run is a server, and has the tools that it names.
func TestTheServerOfTheDocumentAnswers(t *testing.T) {
	const page = "docs/how-to/machines-that-ask.md"
	text := read(t, page)
	var servers []struct {
		Command, URL string
		Args         []string
	}
	for _, config := range blocksOf(t, page, "json", 2) {
		var c struct {
			Servers map[string]struct {
				Command, URL string
				Args         []string
			} `json:"mcpServers"`
		}
		if err := json.Unmarshal([]byte(config), &c); err != nil {
			t.Fatalf("%v: %s", err, config)
		}
		servers = append(servers, c.Servers["fleetlens"])
	}
	if len(servers) != 2 || servers[1].URL != "http://"+web.DefaultListen+"/mcp" {
		t.Fatalf("got %+v", servers)
	}
	server := natstest.Listen(t)
	natstest.Setup(t, server, "test", "os")
	args := slices.Clone(servers[0].Args)
	args[slices.Index(args, "--server")+1] = server.URL()
	if k := slices.Index(args, "--creds"); k > 0 { // the test's server asks for none
		args = slices.Delete(args, k, k+2)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(built.Programs(t), servers[0].Command), args...)
	s, err := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(), &sdk.CommandTransport{Command: cmd}, nil)
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.ListTools(t.Context(), nil)
	if err != nil || len(list.Tools) != 13 {
		t.Fatalf("got %+v, %v", list, err)
	}
	for _, tool := range list.Tools {
		if !strings.Contains(text, "`"+tool.Name+"`") {
			t.Errorf("the document lacks %s", tool.Name)
		}
	}
	if err := s.Close(); err != nil {
		t.Errorf("it did not end well: %v", err)
	}
	for _, subject := range []string{
		protocol.AgentSubject(protocol.AgentPrompt, agentproto.DefaultFleet), "agents.hb.fleetlens.FLEET.coordinator",
	} {
		if !strings.Contains(text, subject) {
			t.Errorf("the document lacks %s", subject)
		}
	}
}
