package beam

import (
	"strings"
	"testing"
)

func TestAWrongConfigurationIsSaidInFull(t *testing.T) {
	for name, tt := range map[string]struct {
		c    Config
		want []string
	}{
		"nothing":     {Config{}, []string{`node: "" must be the node's full name`}},
		"a short one": {Config{Node: "shop"}, []string{"as shop@10.0.0.7"}},
		"everything": {
			Config{Node: "a@b", Address: "x", EPMD: "h:99999", Level: "all", TLS: &TLS{Cert: "c"}, Timeout: -1, Cache: 1 << 40, MaxCPU: 51},
			[]string{"address:", "epmd:", `level: "all" must be observe, events or trace`, "ca_file is missing", "go together", "timeout:", "cache:", "max_cpu_pct: 51"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := tt.c.Validate()
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%q is missing in: %v", want, err)
				}
			}
		})
	}
	if err := (Config{Node: "shop_1@web-1.example", Address: "[::1]:9100", Level: Trace}).Validate(); err != nil {
		t.Error(err)
	}
	for _, tt := range []struct {
		has, wants Level
		ok         bool
	}{{"", Observe, true}, {Observe, Events, false}, {Events, Observe, true}, {Events, Trace, false}, {Trace, Events, true}} {
		if tt.has.Grants(tt.wants) != tt.ok {
			t.Errorf("%q grants %q: %v", tt.has, tt.wants, !tt.ok)
		}
	}
}
