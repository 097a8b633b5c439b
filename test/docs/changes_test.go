//go:build linux

package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/spf13/pflag"

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

func TestTheTopologyOfTheDocumentIsOne(t *testing.T) {
	list, err := topology.Parse("fleet.yaml", []byte(blocksOf(t, "docs/explanation/changes-and-topology.md", "yaml", 1)[0]))
	if err != nil || len(list) != 3 {
		t.Errorf("got %+v, %v", list, err)
	}
}

func TestFilesToWatchStandInTheConfigurationFile(t *testing.T) {
	s := watch.New()
	fs := pflag.NewFlagSet("probe", pflag.ContinueOnError)
	s.Flags(fs)
	configure(t, fs, s, "watch-file: [/etc/nginx/*.conf, /etc/app.yaml]\n")
	if len(s.Files) != 2 || s.Files[1] != "/etc/app.yaml" {
		t.Errorf("got %q", s.Files)
	}
}
