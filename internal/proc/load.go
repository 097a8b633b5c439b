package proc

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/fleetlens/fleetlens/internal/keys"
)

// Load sets the flags that were not given on the command line: from the
// environment (FLEETLENS_LOG_LEVEL for --log-level), then from the file. The
// error names every unknown key, with the nearest one there is.
func Load(fs *pflag.FlagSet, file string, sections map[string]any) error {
	given := map[string]bool{}
	fs.Visit(func(f *pflag.Flag) { given[f.Name] = true })
	if file == "" && !given["config"] {
		file = os.Getenv("FLEETLENS_CONFIG")
	}
	var errs []error
	fs.VisitAll(func(f *pflag.Flag) {
		if v, ok := os.LookupEnv(EnvName(f.Name)); ok && !given[f.Name] {
			given[f.Name] = true
			if err := fs.Set(f.Name, v); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", EnvName(f.Name), err))
			}
		}
	})
	if file != "" {
		errs = append(errs, loadFile(fs, file, given, sections))
	}
	return errors.Join(errs...)
}

// EnvName returns the environment variable that stands in for a flag.
func EnvName(flag string) string {
	return "FLEETLENS_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func loadFile(fs *pflag.FlagSet, file string, given map[string]bool, sections map[string]any) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	var doc map[string]yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return fmt.Errorf("configuration %s: %w", file, err)
	}
	var known []string
	fs.VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	for k := range sections {
		known = append(known, k)
	}
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(doc)) {
		node := doc[key]
		at := fmt.Sprintf("%s:%d: %s", file, node.Line, key)
		if section, ok := sections[key]; ok {
			if err := keys.Unknown(&node, reflect.TypeOf(section), file, key); err != nil {
				errs = append(errs, err)
				continue
			}
			if err := node.Decode(section); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", at, err))
			}
			continue
		}
		f := fs.Lookup(key)
		if f == nil || key == "config" {
			errs = append(errs, fmt.Errorf("%s: unknown key; the nearest is %q", at, keys.Nearest(key, known)))
			continue
		}
		if given[key] {
			continue
		}
		if err := setFlag(fs, key, &node); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", at, err))
		}
	}
	return errors.Join(errs...)
}

func setFlag(fs *pflag.FlagSet, name string, node *yaml.Node) error {
	switch node.Kind {
	case yaml.SequenceNode:
		var list []string
		if err := node.Decode(&list); err != nil {
			return err
		}
		return fs.Set(name, strings.Join(list, ","))
	case yaml.MappingNode:
		var m map[string]string
		if err := node.Decode(&m); err != nil {
			return err
		}
		pairs := make([]string, 0, len(m))
		for k, v := range m {
			pairs = append(pairs, k+"="+v)
		}
		slices.Sort(pairs)
		return fs.Set(name, strings.Join(pairs, ","))
	default:
		return fs.Set(name, node.Value)
	}
}
