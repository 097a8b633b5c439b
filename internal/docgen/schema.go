package docgen

import (
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/eino-contrib/jsonschema"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// schemas makes the schema of each message. A schema says what is sent: a field
// is required, and a set of values closed, where the message's Validate refuses
// anything else.
type schemas struct {
	src   source
	rules map[string]rules         // by message type
	enums map[reflect.Type][]any   // the closed sets of named types
	made  map[string]*schemaOrPart // messages and their parts by Go name
	order []string                 // of made
}

type schemaOrPart struct {
	schema  *jsonschema.Schema
	message string // its type; empty: a part of messages
}

func newSchemas(src source) *schemas {
	s := &schemas{src: src, rules: map[string]rules{}, enums: map[reflect.Type][]any{}, made: map[string]*schemaOrPart{}}
	for _, m := range protocol.Types() {
		r := rulesOf(m)
		s.rules[m.MessageType()] = r
		for f := range reflect.TypeOf(m).Fields() {
			if set, ok := r.enums[jsonName(f)]; ok && f.Type != reflect.TypeFor[string]() {
				s.enums[f.Type] = set
			}
		}
	}
	for _, m := range protocol.Types() {
		root := s.message(m)
		s.made[reflect.TypeOf(m).Name()] = &schemaOrPart{root, m.MessageType()}
		s.addParts(root.Definitions)
	}
	for _, data := range recordData {
		root := s.reflect(data)
		s.addParts(root.Definitions)
		root.Definitions, root.Required = nil, nil
		s.addParts(jsonschema.Definitions{reflect.TypeOf(data).Name(): root})
	}
	for name := range s.made {
		s.order = append(s.order, name)
	}
	slices.Sort(s.order)
	return s
}

// recordData is what the data of records holds, by their kind.
var recordData = []any{
	protocol.Start{}, protocol.Claim{}, protocol.Answer{}, protocol.ToolResult{},
	protocol.Input{}, protocol.Retry{}, protocol.Cancel{}, protocol.Finish{},
}

func (s *schemas) addParts(defs jsonschema.Definitions) {
	for name, def := range defs {
		if s.made[name] == nil {
			s.made[name] = &schemaOrPart{schema: def}
		}
	}
}

// of returns the schema of a message as a file.
func (s *schemas) of(m protocol.Message) ([]byte, error) {
	b, err := json.MarshalIndent(s.made[reflect.TypeOf(m).Name()].schema, "", "  ")
	return append(b, '\n'), err
}

func (s *schemas) message(m protocol.Message) *jsonschema.Schema {
	root := s.reflect(m)
	root.ID = jsonschema.ID("urn:fleetlens:v1:" + m.MessageType())
	root.Title = protocol.TypePrefix + m.MessageType()
	mine := s.rules[m.MessageType()]
	root.Required = mine.required
	for name, set := range mine.enums {
		if p, ok := root.Properties.Get(name); ok {
			p.Enum = set
		}
	}
	return root
}

func (s *schemas) reflect(v any) *jsonschema.Schema {
	r := jsonschema.Reflector{
		Anonymous: true, ExpandedStruct: true,
		AllowAdditionalProperties: true, // readers ignore what they do not know
		LookupComment: func(t reflect.Type, field string) string {
			if t.PkgPath() != reflect.TypeFor[protocol.Message]().PkgPath() {
				return ""
			}
			return s.src.comments[strings.TrimSuffix(t.Name()+"."+field, ".")]
		},
		SchemaModifier: s.modify,
	}
	root := r.Reflect(v)
	for _, def := range root.Definitions {
		def.Required = nil // nobody refuses a message for what one of its parts lacks
	}
	return root
}

// modify adds what the Go type of a field does not say.
func (s *schemas) modify(name string, t reflect.Type, tag reflect.StructTag, p *jsonschema.Schema) {
	if set, ok := s.enums[t]; ok {
		p.Enum = set
	}
	switch {
	case name == "data" && t.Kind() == reflect.Map:
		p.AdditionalProperties = &jsonschema.Schema{TypeEnhanced: []string{"number", "string", "boolean"}}
	case name == "args" && t.Kind() == reflect.Interface:
		p.TypeEnhanced = []string{"array", "object", "null"}
	}
	// A nil list, map or pointer is sent as null unless its tag leaves it out.
	switch t.Kind() {
	case reflect.Slice, reflect.Map, reflect.Pointer:
		if p.Type != "" && !strings.Contains(tag.Get("json"), ",omit") {
			p.TypeEnhanced, p.Type = []string{p.Type, "null"}, ""
		}
	}
}

// rules are what a message's Validate asks of its own fields.
type rules struct {
	required []string
	enums    map[string][]any
}

var (
	refusedRE = regexp.MustCompile(`(?m)^"([a-z_]+)" (?:is required|must be (?:from|one of) .*)$`)
	oneOfRE   = regexp.MustCompile(`(?m)^"([a-z_]+)" must be one of \[(.*)\], not `)
)

// rulesOf asks Validate: a field whose zero value is refused is required, and
// one that refuses "?" with a list is closed.
func rulesOf(m protocol.Message) rules {
	r := rules{enums: map[string][]any{}}
	for _, match := range refusedRE.FindAllStringSubmatch(refusal(m), -1) {
		r.required = append(r.required, match[1])
	}
	odd := reflect.New(reflect.TypeOf(m)).Elem()
	for _, field := range odd.Fields() {
		if field.Kind() == reflect.String {
			field.SetString("?")
		}
	}
	for _, match := range oneOfRE.FindAllStringSubmatch(refusal(odd.Interface().(protocol.Message)), -1) {
		for quoted := range strings.FieldsSeq(match[2]) {
			if text, err := strconv.Unquote(quoted); err == nil {
				r.enums[match[1]] = append(r.enums[match[1]], text)
			}
		}
	}
	return r
}

func refusal(m protocol.Message) string {
	if err := m.Validate(); err != nil {
		return err.Error()
	}
	return ""
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}
