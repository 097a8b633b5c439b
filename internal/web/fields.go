package web

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
)

// fieldsParameter is taken by every question that is answered with an object.
var fieldsParameter = parameter{"fields", "string", "only these fields, separated by commas; of a list, those of its items"}

// only leaves the fields of a value that were asked for, as JSON names them. Of a page it
// leaves those of its items. The error names the fields that there are.
func only(v any, names string) (any, error) {
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	items, page := t.FieldByName("Items")
	if page {
		t = items.Type.Elem()
	}
	have, all := object{}, []string{}
	schemas{}.fields(t, have, &all)
	wanted := map[string]bool{}
	for name := range strings.SplitSeq(names, ",") {
		if have[name] == nil {
			return nil, failure{http.StatusBadRequest, fmt.Sprintf("fields=%.40q: there are %s", name, strings.Join(slices.Sorted(maps.Keys(have)), ", "))}
		}
		wanted[name] = true
	}
	raw, err := encode(v)
	if err != nil {
		return nil, err
	}
	cut := func(o map[string]json.RawMessage) {
		maps.DeleteFunc(o, func(name string, _ json.RawMessage) bool { return !wanted[name] })
	}
	var out map[string]json.RawMessage
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, err
	}
	if !page {
		cut(out)
		return out, nil
	}
	var list []map[string]json.RawMessage
	if err := json.Unmarshal(out["items"], &list); err != nil {
		return nil, err
	}
	for _, o := range list {
		cut(o)
	}
	out["items"], err = encode(list)
	return out, err
}
