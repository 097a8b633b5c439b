package redact

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Value returns a JSON-like value with its strings redacted: those of maps, of
// slices and of keys too. What stands under a key that names a secret (password,
// token, api_key, authorization) goes whole. Numbers, booleans, nil and values
// of other types come back as they are. v itself is not changed.
func Value(v any) any { return within(v, "") }

// within redacts what stands under a key of the given kind; "" is none.
func within(v any, kind string) any {
	switch x := v.(type) {
	case string:
		if kind != "" {
			return whole(x, kind)
		}
		return Text(x)
	case []string:
		out := make([]string, len(x))
		for i, s := range x {
			out[i] = within(s, kind).(string)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = within(e, kind)
		}
		return out
	case map[string]string:
		return entries(x, kind)
	case map[string]any:
		return entries(x, kind)
	}
	return v
}

// whole redacts all of a value, but what says that there is none.
func whole(s, kind string) string {
	if placeholder(s) || kind == "password" && strings.HasPrefix(s, "/") {
		return Text(s)
	}
	return mark(kind)
}

// entries redacts a map in the order of its keys: two that come out alike are
// numbered, since each stands for something.
func entries[E any](m map[string]E, kind string) map[string]E {
	named := nameOfPair(m)
	out := make(map[string]E, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		of := kind
		if k, sure, ok := secretName(key); ok && sure {
			of = k
		}
		if lower := strings.ToLower(key); named != "" && lower == "value" {
			of = named
		}
		clean := Text(key)
		for n, base := 2, clean; ; n++ {
			if _, taken := out[clean]; !taken {
				break
			}
			clean = base + " (" + strconv.Itoa(n) + ")"
		}
		e, _ := within(m[key], of).(E) // nil stays nil
		out[clean] = e
	}
	return out
}

// nameOfPair is the kind that {"name": "DB_PASSWORD", "value": …} names.
func nameOfPair[E any](m map[string]E) string {
	for _, key := range []string{"name", "key", "Name", "Key"} {
		if e, ok := m[key]; ok {
			name, _ := any(e).(string)
			if kind, sure, ok := secretName(name); ok && sure {
				return kind
			}
		}
	}
	return ""
}
