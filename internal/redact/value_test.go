package redact_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/redact"
)

func TestValue(t *testing.T) {
	type m = map[string]any
	for _, tt := range []struct {
		name     string
		in, want any
	}{
		{"a string is text", "password=x1", "password=[redacted:password]"},
		{"numbers, booleans and nothing stay", m{"tokens": 7.0, "token": 7.0, "password": nil, "secret": true}, m{"tokens": 7.0, "token": 7.0, "password": nil, "secret": true}},
		{"lists are walked", []any{"a@example.com", 1.5, []string{"pwd=x1"}}, []any{"[redacted:email]", 1.5, []string{"pwd=[redacted:password]"}}},
		{"what a key names goes whole", m{"password": "two words", "apiKey": "x", "Authorization": "none of it"}, m{"password": "[redacted:password]", "apiKey": "[redacted:api-key]", "Authorization": "[redacted:authorization]"}},
		{"all below such a key goes", m{"credentials": m{"user": "bob", "n": 1.0, "list": []any{"x"}}}, m{"credentials": m{"user": "[redacted:secret]", "n": 1.0, "list": []any{"[redacted:secret]"}}}},
		{"a pair of name and value is such a key", []any{m{"name": "DB_PASSWORD", "value": "hunter"}, m{"name": "PORT", "value": "80"}}, []any{m{"name": "DB_PASSWORD", "value": "[redacted:password]"}, m{"name": "PORT", "value": "80"}}},
		{"other keys stay", m{"key": "orders", "pid": "4711", "primary_key": "id", "token_type": "Bearer"}, m{"key": "orders", "pid": "4711", "primary_key": "id", "token_type": "Bearer"}},
		{"what says that there is none stays", m{"password": "", "token": "none", "pwd": "/srv"}, m{"password": "", "token": "none", "pwd": "/srv"}},
		{"strings of a map of strings", map[string]string{"PGPASSWORD": "x", "PATH": "/bin"}, map[string]string{"PGPASSWORD": "[redacted:password]", "PATH": "/bin"}},
		{"keys are text too, and stay apart", m{"psql password=a1": 1.0, "psql password=b1": 2.0}, m{"psql password=[redacted:password]": 1.0, "psql password=[redacted:password] (2)": 2.0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := redact.Value(tt.in)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Value (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(got, redact.Value(got)); diff != "" {
				t.Errorf("redacted twice it differs:\n%s", diff)
			}
		})
	}
	t.Run("what it is given is not changed", func(t *testing.T) {
		in := m{"password": "x", "list": []any{"pwd=x1"}}
		redact.Value(in)
		if diff := cmp.Diff(m{"password": "x", "list": []any{"pwd=x1"}}, in); diff != "" {
			t.Error(diff)
		}
	})
}
