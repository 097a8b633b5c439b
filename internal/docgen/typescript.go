package docgen

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fleetlens/fleetlens/internal/web"
)

// TypesFile is where the types of the API stand for the web UI, below the root of the
// repository.
const TypesFile = "internal/web/ui/src/types.ts"

// typescript writes the types of the API as TypeScript has them.
func typescript() string {
	components, _ := web.OpenAPI()["components"].(map[string]any)
	all := web.Schemas(components["schemas"])
	var b strings.Builder
	fmt.Fprintf(&b, "// Made from the types of the API by `%s`. Do not edit.\n", Command)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		schema, _ := all[name].(map[string]any)
		properties, _ := schema["properties"].(map[string]any)
		required, _ := schema["required"].([]string)
		fmt.Fprintf(&b, "\nexport interface %s {\n", name)
		for _, field := range slices.Sorted(maps.Keys(properties)) {
			optional := "?"
			if slices.Contains(required, field) {
				optional = ""
			}
			fmt.Fprintf(&b, "  %s%s: %s;\n", field, optional, typeOf(properties[field]))
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// typeOf writes the type of a schema. Lists may be null: Go writes those so that have
// nothing in them.
func typeOf(schema any) string {
	s, _ := schema.(map[string]any)
	if ref, ok := s["$ref"].(string); ok {
		return ref[strings.LastIndex(ref, "/")+1:]
	}
	switch s["type"] {
	case "string":
		return "string"
	case "number", "integer":
		return "number"
	case "boolean":
		return "boolean"
	case "array":
		of := typeOf(s["items"])
		if strings.Contains(of, " ") {
			of = "(" + of + ")"
		}
		return of + "[] | null"
	case "object":
		return "{ [name: string]: " + typeOf(s["additionalProperties"]) + " } | null"
	}
	return "unknown"
}
