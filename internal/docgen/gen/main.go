// Command gen writes docs/reference. Run it at the root of the repository.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/fleetlens/fleetlens/internal/docgen"
)

func main() {
	if err := write("."); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(root string) error {
	files, err := docgen.Files(root)
	if err != nil {
		return err
	}
	dir := filepath.Join(root, docgen.Dir)
	if err := os.RemoveAll(filepath.Join(dir, "schemas")); err != nil {
		return err
	}
	for name, content := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(p, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
