// Package docgen makes the pages of docs/reference from the code: the messages
// with their JSON Schemas, the streams, the skills, the telemetry, and the cases that
// tests hold. It says nothing that the code does not, so a page is wrong only where a
// comment is.
package docgen

import (
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/web"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/signals"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/all"
)

// Command writes the pages; the test of this package names it when one is stale.
const Command = "go run ./internal/docgen/gen"

// Dir is where the pages are, below the root of the repository.
const Dir = "docs/reference"

// head begins every page.
func head(title, from string) string {
	return fmt.Sprintf("# %s\n\n<!-- Made from %s by `%s`. Do not edit. -->\n\n", title, from, Command)
}

// Files returns the content of each page by its path below Dir. root is the root
// of the repository, where the comments of pkg/protocol and of the tests are read.
func Files(root string) (map[string][]byte, error) {
	src, err := readSource(filepath.Join(root, "pkg", "protocol"))
	if err != nil {
		return nil, err
	}
	reg, err := skills.NewRegistry(all.Skills(all.Options{})...)
	if err != nil {
		return nil, err
	}
	telemetry, err := telemetryPage(signals.Table())
	if err != nil {
		return nil, err
	}
	behaviour, err := behaviourPage(root, behaviourGroups())
	if err != nil {
		return nil, err
	}
	config, err := configPage(root)
	if err != nil {
		return nil, err
	}
	schemas := newSchemas(src)
	files := map[string][]byte{
		"config.md":    []byte(config),
		"protocol.md":  []byte(protocolPage(schemas)),
		"streams.md":   []byte(streamsPage(bus.Streams())),
		"skills.md":    []byte(skillsPage(reg.All())),
		"telemetry.md": []byte(telemetry),
		"behaviour.md": []byte(behaviour),
	}
	api, err := json.MarshalIndent(web.OpenAPI(), "", "  ")
	if err != nil {
		return nil, err
	}
	files["openapi.json"] = append(api, '\n')
	files["../../"+TypesFile] = []byte(typescript())
	for _, m := range protocol.Types() {
		b, err := schemas.of(m)
		if err != nil {
			return nil, fmt.Errorf("schema of %s: %w", m.MessageType(), err)
		}
		files[schemaFile(m)] = b
	}
	return files, nil
}

func schemaFile(m protocol.Message) string { return "schemas/" + m.MessageType() + ".json" }
