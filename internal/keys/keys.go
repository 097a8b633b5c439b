// Package keys finds keys of a YAML file that nothing reads, and the name that was
// probably meant.
package keys

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Unknown names every key of a node that its type does not have, with the
// nearest one there is and where it stands.
func Unknown(node *yaml.Node, t reflect.Type, file, path string) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	var errs []error
	switch {
	case node.Kind == yaml.SequenceNode && t.Kind() == reflect.Slice:
		for i, item := range node.Content {
			errs = append(errs, Unknown(item, t.Elem(), file, fmt.Sprintf("%s[%d]", path, i)))
		}
	case node.Kind == yaml.MappingNode && t.Kind() == reflect.Map:
		for i := 0; i+1 < len(node.Content); i += 2 {
			errs = append(errs, Unknown(node.Content[i+1], t.Elem(), file, path+"."+node.Content[i].Value))
		}
	case node.Kind == yaml.MappingNode && t.Kind() == reflect.Struct:
		fields := keysOf(t)
		for i := 0; i+1 < len(node.Content); i += 2 {
			key := node.Content[i]
			field, ok := fields[key.Value]
			if !ok {
				errs = append(errs, fmt.Errorf("%s:%d: %s.%s: unknown key; the nearest is %q", file, key.Line, path, key.Value, Nearest(key.Value, names(fields))))
				continue
			}
			errs = append(errs, Unknown(node.Content[i+1], field, file, path+"."+key.Value))
		}
	}
	return errors.Join(errs...)
}

// keysOf returns the type of each key that a struct reads.
func keysOf(t reflect.Type) map[string]reflect.Type {
	keys := map[string]reflect.Type{}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name == "" {
			name = strings.ToLower(f.Name)
		}
		if f.IsExported() && name != "-" {
			keys[name] = f.Type
		}
	}
	return keys
}

func names(keys map[string]reflect.Type) []string {
	out := make([]string, 0, len(keys))
	for k := range keys {
		out = append(out, k)
	}
	return out
}

// Nearest returns the candidate with the fewest edits to s; of several the first
// in the alphabet.
func Nearest(s string, candidates []string) string {
	best, dist := "", 1<<30
	for _, c := range candidates {
		if d := edits(s, c); d < dist || d == dist && c < best {
			best, dist = c, d
		}
	}
	return best
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diagonal, row[j] = row[j], min(row[j]+1, row[j-1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
