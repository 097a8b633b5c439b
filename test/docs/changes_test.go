//go:build linux

package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/spf13/pflag"

	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/internal/programs/watch"
	"github.com/fleetlens/fleetlens/internal/topology"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

var published = regexp.MustCompile(`nats pub (changes\.\S+) '([^']*)'`)

func TestTheChangeThatADeliverySystemPublishesIsOne(t *testing.T) {
	for _, file := range []string{"docs/explanation/changes-and-topology.md", "cmd/fleetlens/events.go"} {
		text, err := os.ReadFile(filepath.Join(repo, file))
		if err != nil {
			t.Fatal(err)
		}
		m := published.FindSubmatch(text)
		if m == nil {
			t.Fatalf("%s publishes no change", file)
		}
		c, err := protocol.Decode[protocol.Change](m[2])
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if want := protocol.ChangeSubject(c.Node, c.Source); string(m[1]) != want {
			t.Errorf("%s publishes to %s, which is %s", file, m[1], want)
		}
	}
	if got := protocol.ChangeSubject("web.1", "ci"); got != "changes.web_2E1.ci" {
		t.Errorf("the document says how web.1 is written, it is %s", got)
	}
}

var given = regexp.MustCompile("(?s)```yaml\n(.*?)```")

func TestTheTopologyOfTheDocumentIsOne(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(repo, "docs/explanation/changes-and-topology.md"))
	if err != nil {
		t.Fatal(err)
	}
	m := given.FindSubmatch(text)
	if m == nil {
		t.Fatal("it has none")
	}
	list, err := topology.Parse("fleet.yaml", m[1])
	if err != nil || len(list) != 3 {
		t.Errorf("got %+v, %v", list, err)
	}
}

func TestFilesToWatchStandInTheConfigurationFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "probe.yaml")
	if err := os.WriteFile(file, []byte("watch-file: [/etc/nginx/*.conf, /etc/app.yaml]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := watch.New()
	fs := pflag.NewFlagSet("probe", pflag.ContinueOnError)
	s.Flags(fs)
	if err := proc.Load(fs, file, s.Sections()); err != nil {
		t.Fatal(err)
	}
	if len(s.Files) != 2 || s.Files[1] != "/etc/app.yaml" {
		t.Errorf("got %q", s.Files)
	}
}
