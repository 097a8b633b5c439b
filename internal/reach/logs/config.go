package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// Config says what is read.
type Config struct {
	// Files are patterns of absolute paths, as /var/log/*.log; none: what is in /var/log; off: no files.
	Files []string `yaml:"files"`
	// Journal says whether the journal is read: auto (where there is one), on, or off; auto when it is not told.
	Journal string `yaml:"journal"`
	// Docker is the folder of the containers' logs, /var/lib/docker/containers when it is not told; off: none.
	Docker string `yaml:"docker"`
	// Pods is the folder of the pods' logs, /var/log/pods when it is not told; off: none.
	Pods string `yaml:"pods"`
	// Root is where the machine's root is mounted, when it is not the process's own.
	Root string `yaml:"-"`
}

// Where container runtimes write.
const (
	DefaultDocker = "/var/lib/docker/containers"
	DefaultPods   = "/var/log/pods"
)

// Off turns off a source of logs.
const Off = "off"

// Validate says everything that is wrong with the configuration.
func (c Config) Validate() error {
	var faults []error
	for _, p := range c.Files {
		if _, err := filepath.Match(p, "x"); err != nil {
			faults = append(faults, fmt.Errorf("logs.files: %q is no pattern: %w", p, err))
		} else if p != Off && !strings.HasPrefix(p, "/") {
			faults = append(faults, fmt.Errorf("logs.files: %q: write an absolute path, as /var/log/*.log, or off", p))
		}
	}
	if !slices.Contains([]string{"", "auto", "on", Off}, c.Journal) {
		faults = append(faults, fmt.Errorf("logs.journal: %q: use auto, on or off", c.Journal))
	}
	for _, f := range [][2]string{{"docker", c.Docker}, {"pods", c.Pods}} {
		if f[1] != "" && f[1] != Off && !strings.HasPrefix(f[1], "/") {
			faults = append(faults, fmt.Errorf("logs.%s: %q: write an absolute path, or off", f[0], f[1]))
		}
	}
	return errors.Join(faults...)
}

// ErrNoJournal is what a Journal returns on a machine that has none.
var ErrNoJournal = errors.New("no journal on this machine")

// A Journal opens the journal of the machine: its entries as JSON, one a line, those
// after the cursor, or the newest few when cursor is empty, and then those to come.
// It ends when ctx does. Close ends it too; its error tells what the reader of the
// journal complained of, such as a group that is missing.
type Journal func(ctx context.Context, cursor string) (io.ReadCloser, error)

// An Unreadable source is one that is there and cannot be read.
type Unreadable struct {
	Source string
	Reason string
	Grant  string // what would let the probe read it; may be empty
}
