package luasandbox

import (
	"encoding"
	"encoding/json"
	"reflect"
)

// leastJSON returns how many bytes of JSON v takes at least. It stops counting
// past enough, so that what is far too big costs nothing.
func leastJSON(v any, enough int) int {
	c := counter{enough: enough}
	c.value(reflect.ValueOf(v), 0)
	return c.n
}

type counter struct {
	n, enough int
}

var (
	marshaler     = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
	rawMessage    = reflect.TypeFor[json.RawMessage]()
)

// value adds what a value takes at least. What decides itself how it is encoded
// counts nothing, and so does what a pointer's cycle may hide.
func (c *counter) value(v reflect.Value, depth int) {
	if !v.IsValid() || c.n > c.enough || depth > 100 {
		return
	}
	if v.Type() == rawMessage {
		c.n += v.Len() / 2 // spaces are left out
		return
	}
	if v.Type().Implements(marshaler) || v.Type().Implements(textMarshaler) {
		return
	}
	switch v.Kind() {
	case reflect.String:
		c.n += v.Len() + 2
	case reflect.Slice, reflect.Array:
		c.n += v.Len() + 1 // brackets and commas
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return // as base64, or as numbers
		}
		for i := 0; i < v.Len() && c.n <= c.enough; i++ {
			c.value(v.Index(i), depth+1)
		}
	case reflect.Map:
		c.n += 2*v.Len() + 1 // braces, colons and commas
		for each := v.MapRange(); c.n <= c.enough && each.Next(); {
			c.value(each.Key(), depth+1)
			c.value(each.Value(), depth+1)
		}
	case reflect.Pointer, reflect.Interface:
		c.value(v.Elem(), depth+1)
	case reflect.Struct:
		for i := range v.NumField() {
			// A zero field may be left out, and of an embedded one some that another hides.
			if f := v.Type().Field(i); f.IsExported() && !f.Anonymous && f.Tag.Get("json") != "-" && !v.Field(i).IsZero() {
				c.value(v.Field(i), depth+1)
			}
		}
	default:
		c.n++ // a number or a truth value
	}
}
