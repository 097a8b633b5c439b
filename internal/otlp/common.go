package otlp

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
)

type resourceJSON struct {
	Attributes []keyValue `json:"attributes,omitempty"`
}

type scopeJSON struct {
	Name       string     `json:"name,omitempty"`
	Version    string     `json:"version,omitempty"`
	Attributes []keyValue `json:"attributes,omitempty"`
}

type keyValue struct {
	Key   string   `json:"key"`
	Value anyValue `json:"value"`
}

// An anyValue has one field; none is an empty value.
type anyValue struct {
	String *string    `json:"stringValue,omitempty"`
	Bool   *bool      `json:"boolValue,omitempty"`
	Int    *int64     `json:"intValue,omitempty,string"`
	Double *double    `json:"doubleValue,omitempty"`
	Bytes  *string    `json:"bytesValue,omitempty"` // base64
	Array  *arrayJSON `json:"arrayValue,omitempty"`
	List   *listJSON  `json:"kvlistValue,omitempty"`
}

type arrayJSON struct {
	Values []anyValue `json:"values"`
}

type listJSON struct {
	Values []keyValue `json:"values"`
}

// A double is a number that JSON may not have: NaN and the infinities are words.
type double float64

// MarshalJSON implements json.Marshaler.
func (d double) MarshalJSON() ([]byte, error) {
	switch f := float64(d); {
	case math.IsNaN(f):
		return []byte(`"NaN"`), nil
	case math.IsInf(f, 1):
		return []byte(`"Infinity"`), nil
	case math.IsInf(f, -1):
		return []byte(`"-Infinity"`), nil
	default:
		return json.Marshal(f)
	}
}

// count is a 64-bit number as JSON has them in this protocol: a string.
type count uint64

// MarshalJSON implements json.Marshaler.
func (n count) MarshalJSON() ([]byte, error) {
	return strconv.AppendQuote(nil, strconv.FormatUint(uint64(n), 10)), nil
}

// nanos returns a time as nanoseconds since 1970; zero where there is none.
func nanos(t time.Time) count {
	if t.IsZero() {
		return 0
	}
	return count(max(0, t.UnixNano()))
}

// An id is a trace's or a span's: hexadecimal, empty where it is all zeros.
func id(b []byte) string {
	for _, c := range b {
		if c != 0 {
			return hex.EncodeToString(b)
		}
	}
	return ""
}

func ofResource(r *resource.Resource) resourceJSON { return resourceJSON{ofIter(r.Iter())} }

func ofScope(s instrumentation.Scope) scopeJSON {
	return scopeJSON{s.Name, s.Version, ofIter(s.Attributes.Iter())}
}

func ofIter(it attribute.Iterator) []keyValue {
	out := make([]keyValue, 0, it.Len())
	for it.Next() {
		out = append(out, keyValue{string(it.Attribute().Key), ofValue(it.Attribute().Value)})
	}
	return out
}

func ofAttributes(list []attribute.KeyValue) []keyValue {
	out := make([]keyValue, 0, len(list))
	for _, a := range list {
		out = append(out, keyValue{string(a.Key), ofValue(a.Value)})
	}
	return out
}

func text(s string) anyValue     { return anyValue{String: &s} }
func truth(b bool) anyValue      { return anyValue{Bool: &b} }
func whole(n int64) anyValue     { return anyValue{Int: &n} }
func decimal(f float64) anyValue { d := double(f); return anyValue{Double: &d} }
func binary(b []byte) anyValue   { s := base64.StdEncoding.EncodeToString(b); return anyValue{Bytes: &s} }
func array[T any](list []T, of func(T) anyValue) anyValue {
	a := arrayJSON{Values: make([]anyValue, len(list))}
	for i, v := range list {
		a.Values[i] = of(v)
	}
	return anyValue{Array: &a}
}

func ofValue(v attribute.Value) anyValue {
	switch v.Type() {
	case attribute.BOOL:
		return truth(v.AsBool())
	case attribute.INT64:
		return whole(v.AsInt64())
	case attribute.FLOAT64:
		return decimal(v.AsFloat64())
	case attribute.BOOLSLICE:
		return array(v.AsBoolSlice(), truth)
	case attribute.INT64SLICE:
		return array(v.AsInt64Slice(), whole)
	case attribute.FLOAT64SLICE:
		return array(v.AsFloat64Slice(), decimal)
	case attribute.STRINGSLICE:
		return array(v.AsStringSlice(), text)
	case attribute.EMPTY:
		return anyValue{}
	case attribute.BYTESLICE:
		return binary(v.AsByteSlice())
	case attribute.SLICE:
		return array(v.AsSlice(), ofValue)
	case attribute.MAP:
		return anyValue{List: &listJSON{ofAttributes(v.AsMap())}}
	default:
		return text(v.AsString())
	}
}
