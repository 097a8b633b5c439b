package proc_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/fleetlens/fleetlens/internal/proc"
)

func TestLoad(t *testing.T) {
	type retry struct {
		Attempts int `yaml:"attempts"`
	}
	type model struct {
		Provider string  `yaml:"provider"`
		Retry    *retry  `yaml:"retry"`
		Steps    []retry `yaml:"steps"`
	}
	for _, tt := range []struct {
		name, file, env, flag string
		want, wantErr         string
	}{
		{"nothing given", "", "", "", "default", ""},
		{"the file", "node: from-file", "", "", "from-file", ""},
		{"the environment beats the file", "node: from-file", "from-env", "", "from-env", ""},
		{"the flag beats both", "node: from-file", "from-env", "from-flag", "from-flag", ""},
		{"an unknown key", "nodde: x", "", "", "", `unknown key; the nearest is "node"`},
		{"a wrong value", "interval: soon", "", "", "", "interval"},
		{"a section", "models: {haiku: {provider: x}}", "", "", "default", ""},
		{"an unknown key in a section", "\nmodels: {haiku: {providr: x}}", "", "", "", `f.yaml:2: models.haiku.providr: unknown key; the nearest is "provider"`},
		{"an unknown key in a struct of a section", "models: {haiku: {retry: {atempts: 3}}}", "", "", "", `models.haiku.retry.atempts: unknown key; the nearest is "attempts"`},
		{"an unknown key in a list of a section", "models: {haiku: {steps: [{attempts: 1}, {atempts: 3}]}}", "", "", "", `models.haiku.steps[1].atempts: unknown key`},
		{"a wrong value in a section", "models: {haiku: {retry: {attempts: many}}}", "", "", "", "many"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
			node := fs.String("node", "default", "")
			fs.Duration("interval", 0, "")
			fs.String("config", "", "")
			if tt.flag != "" {
				if err := fs.Parse([]string{"--node", tt.flag}); err != nil {
					t.Fatal(err)
				}
			}
			if tt.env != "" {
				t.Setenv("FLEETLENS_NODE", tt.env)
			}
			file := ""
			if tt.file != "" {
				file = filepath.Join(t.TempDir(), "f.yaml")
				if err := os.WriteFile(file, []byte(tt.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			err := proc.Load(fs, file, map[string]any{"models": &map[string]model{}})
			switch {
			case tt.wantErr == "" && err != nil:
				t.Fatal(err)
			case tt.wantErr != "" && (err == nil || !strings.Contains(err.Error(), tt.wantErr)):
				t.Fatalf("error %v, want one with %q", err, tt.wantErr)
			case tt.wantErr == "" && *node != tt.want:
				t.Errorf("node = %q, want %q", *node, tt.want)
			}
		})
	}
}

func TestExitCodes(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want int
	}{
		{"done", nil, 0},
		{"told to stop", context.Canceled, 0},
		{"failed", errors.New("x"), 1},
		{"wrong use", proc.Usage("x"), 2},
		{"an investigation that failed", proc.ExitError{Code: proc.ExitResult}, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := proc.Code(&bytes.Buffer{}, tt.err); got != tt.want {
				t.Errorf("exit code %d, want %d", got, tt.want)
			}
		})
	}
}
