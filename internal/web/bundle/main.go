// Command bundle makes the web UI's files of its sources. Run it at the root of the
// repository, after `npm ci` in internal/web/ui. It writes to the folder that it is
// given, else to where the program embeds them from.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

func main() {
	out := "internal/web/dist"
	if len(os.Args) > 1 {
		out = os.Args[1]
	}
	if err := bundle("internal/web/ui", out); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// bundle writes the files under fixed names: they are committed.
func bundle(src, out string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for _, args := range [][]string{
		{filepath.Join(src, "src/main.tsx"), "--bundle", "--minify", "--format=esm", "--target=es2022", "--jsx=automatic", "--jsx-import-source=preact", "--legal-comments=none", "--outfile=" + filepath.Join(out, "app.js")},
		{filepath.Join(src, "src/worker.ts"), "--bundle", "--minify", "--format=iife", "--target=es2022", "--legal-comments=none", "--outfile=" + filepath.Join(out, "worker.js")},
		{filepath.Join(src, "src/app.css"), "--minify", "--target=chrome123,firefox120,safari17.5", "--outfile=" + filepath.Join(out, "app.css")},
	} {
		cmd := exec.Command("go", append([]string{"tool", "-modfile=tools.mod", "esbuild", "--log-level=warning"}, args...)...)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("esbuild %s: %w", args[0], err)
		}
	}
	for _, name := range []string{"index.html", "icon.svg"} {
		b, err := os.ReadFile(filepath.Join(src, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(out, name), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}
