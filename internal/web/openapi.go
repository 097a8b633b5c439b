package web

import (
	"encoding/json"
	"maps"
	"net/http"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// object is a JSON object of the document.
type object = map[string]any

var inPath = regexp.MustCompile(`\{([a-z]+)\}`)

// OpenAPI describes the API (https://spec.openapis.org/oas/v3.1.0). It is made of the
// table of routes and of the types they take and give.
func OpenAPI() map[string]any {
	d := schemas{}
	paths := map[string]object{}
	// What both servers answer is described as the fleet's.
	for _, r := range slices.Concat((&Opened{}).routes(), (&Server{}).routes()) {
		if paths[prefix+r.Path] == nil {
			paths[prefix+r.Path] = object{}
		}
		paths[prefix+r.Path][strings.ToLower(r.Method)] = d.operation(r)
	}
	paths[prefix+"/session"] = object{
		"post":   object{"summary": "Sign in: a cookie for the token.", "requestBody": content(object{"type": "object", "properties": object{"token": object{"type": "string"}}}), "responses": object{"204": object{"description": "signed in"}}, "security": []any{}},
		"delete": object{"summary": "Sign out.", "responses": object{"204": object{"description": "signed out"}}},
	}
	paths[prefix+"/events"] = object{"get": object{
		"summary":    "Live events, as server-sent events of the type Event. Who comes back with Last-Event-ID has what it missed; the event reset says to read anew.",
		"parameters": []any{object{"name": "topics", "in": "query", "description": strings.Join(slices.Sorted(maps.Keys(topics)), ", ") + "; separated by commas, all when missing", "schema": object{"type": "string"}}},
		"responses":  object{"200": object{"description": "events", "content": object{"text/event-stream": object{"schema": d.of(reflect.TypeFor[Event]())}}}},
	}}
	problem := d.of(reflect.TypeFor[Problem]())
	return object{
		"openapi": "3.1.0",
		"info":    object{"title": "Fleetlens", "version": "1", "description": "What a fleet's probes saw, what was asked and what was concluded. The bodies are the messages of NATS: see the protocol."},
		"paths":   paths,
		"components": object{
			"schemas":         d,
			"responses":       object{"Problem": object{"description": "an error, in words", "content": object{"application/json": object{"schema": problem}}}},
			"securitySchemes": object{"token": object{"type": "http", "scheme": "bearer"}, "cookie": object{"type": "apiKey", "in": "cookie", "name": cookieName}},
		},
		"security": []any{object{"token": []any{}}, object{"cookie": []any{}}},
	}
}

func content(schema any) object {
	return object{"required": true, "content": object{"application/json": object{"schema": schema}}}
}

// schemas are the types by name.
type schemas map[string]any

// Schemas returns the types of the document by name, of its part components/schemas.
func Schemas(v any) map[string]any {
	s, _ := v.(schemas)
	return s
}

func (d schemas) operation(r route) object {
	parameters := []any{}
	for _, m := range inPath.FindAllStringSubmatch(r.Path, -1) {
		parameters = append(parameters, object{"name": m[1], "in": "path", "required": true, "schema": object{"type": "string"}})
	}
	query := r.Query
	if r.Method == http.MethodGet {
		query = append(slices.Clone(query), fieldsParameter)
	}
	for _, p := range query {
		parameters = append(parameters, object{"name": p.Name, "in": "query", "description": p.Doc, "schema": object{"type": p.Type}})
	}
	ok := object{"204": object{"description": "done"}}
	if r.Gives != nil {
		status := "200"
		if reflect.TypeOf(r.Gives) == reflect.TypeFor[Asked]() {
			status = "202"
		}
		as := object{"application/json": object{"schema": d.of(reflect.TypeOf(r.Gives))}}
		if r.Path == askPath {
			as["text/event-stream"] = object{"schema": d.of(reflect.TypeFor[protocol.AskPart]())}
		}
		ok = object{status: object{"description": "the answer", "content": as}}
	}
	ok["default"] = object{"$ref": "#/components/responses/Problem"}
	out := object{"summary": r.Doc, "responses": ok}
	if len(parameters) > 0 {
		out["parameters"] = parameters
	}
	if r.Takes != nil {
		out["requestBody"] = content(d.of(reflect.TypeOf(r.Takes)))
	}
	return out
}

// nameOf is the name of a struct's schema. Two packages may call types the same: those of
// messages and of the API itself have their names alone.
func nameOf(t reflect.Type) string {
	name := generic.ReplaceAllString(t.Name(), "Of$1")
	switch of := path.Base(t.PkgPath()); of {
	case "web", "protocol", "reading":
		return name
	default:
		return strings.ToUpper(of[:1]) + of[1:] + name
	}
}

var generic = regexp.MustCompile(`\[.*[./]([A-Za-z]+)\]`)

// of returns the schema of a type; that of a struct stands in d, by its name.
func (d schemas) of(t reflect.Type) object {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[json.RawMessage](), t.Kind() == reflect.Interface:
		return object{}
	case t.Kind() == reflect.Pointer:
		return d.of(t.Elem())
	case t == reflect.TypeFor[[]byte]():
		return object{"type": "string", "contentEncoding": "base64"}
	}
	switch t.Kind() {
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number"}
	case reflect.Slice, reflect.Array:
		return object{"type": "array", "items": d.of(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": d.of(t.Elem())}
	case reflect.Struct:
		name := nameOf(t)
		if _, known := d[name]; !known {
			d[name] = object{} // it may hold itself
			properties, required := object{}, []string{}
			d.fields(t, properties, &required)
			d[name] = object{"type": "object", "properties": properties, "required": required}
		}
		return object{"$ref": "#/components/schemas/" + name}
	}
	return object{"type": "integer"}
}

// fields adds a struct's fields, those of embedded ones too, as JSON has them. Those that
// are always there are required.
func (d schemas) fields(t reflect.Type, to object, required *[]string) {
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported():
		case f.Anonymous && name == "":
			d.fields(f.Type, to, required)
		case name != "":
			to[name] = d.of(f.Type)
			if !strings.Contains(options, "omit") {
				*required = append(*required, name)
			}
		}
	}
}
