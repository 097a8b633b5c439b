package correlate_test

import (
	"fmt"
	"testing"

	"github.com/fleetlens/fleetlens/internal/correlate"
)

func TestDescribe(t *testing.T) {
	// 300 nodes: 200 db and 100 web; every second one in eu, the others in us; all on linux.
	var all []string
	labels := map[string]map[string]string{}
	of := func(want func(role, zone string, i int) bool) (out []string) {
		for i, n := range all {
			if want(labels[n]["role"], labels[n]["zone"], i) {
				out = append(out, n)
			}
		}
		return out
	}
	for i := range 300 {
		n := fmt.Sprintf("n%03d", i)
		all = append(all, n)
		labels[n] = map[string]string{"role": "db", "zone": "eu", "os": "linux", "host": n}
		if i%3 == 0 {
			labels[n]["role"] = "web"
		}
		if i%2 == 0 {
			labels[n]["zone"] = "us"
		}
	}
	for _, tt := range []struct {
		name string
		set  []string
		want string
	}{
		{"nothing", nil, ""},
		{"one node", all[:1], ""},
		{"all of a role", of(func(role, _ string, _ int) bool { return role == "db" }), "role=db"},
		{"all of a role but a few", of(func(role, _ string, i int) bool { return role == "db" && i > 20 }), "role=db"},
		{"a role and a few others", append(of(func(role, _ string, _ int) bool { return role == "db" }), "n000", "n003", "n006"), "role=db"},
		{"half of a role", of(func(role, _ string, i int) bool { return role == "db" && i < 150 }), ""},
		{"a role in a zone", of(func(role, zone string, _ int) bool { return role == "db" && zone == "eu" }), "role=db and zone=eu"},
		{"two roles in different zones", of(func(role, zone string, _ int) bool { return (role == "db") == (zone == "eu") }), ""},
		{"every node is described by no label that all have", all, ""},
		{"nodes nobody knows", []string{"x", "y"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := correlate.Describe(tt.set, labels, all).String(); got != tt.want {
				t.Errorf("described by %q, want %q", got, tt.want)
			}
		})
	}
	d := correlate.Describe(append(of(func(role, _ string, i int) bool { return role == "db" && i > 2 }), "n000"), labels, all)
	if d.Nodes != 200 || d.Inside != 198 || d.Outside != 1 {
		t.Errorf("%+v, want 198 of 200 and one outside", d)
	}
}
