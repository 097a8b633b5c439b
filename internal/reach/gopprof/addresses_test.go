package gopprof_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
)

func TestAddressesAreThoseOfTheServiceAndOfItsProfiles(t *testing.T) {
	for _, tt := range []struct {
		cfg  gopprof.Config
		want []string
	}{
		{gopprof.Config{URL: "http://127.0.0.1:6060"}, []string{"127.0.0.1:6060"}},
		{gopprof.Config{URL: "http://shop", Pprof: "/profiles"}, []string{"shop:80"}},
		{gopprof.Config{URL: "https://[::1]/x", Pprof: "http://127.0.0.1:6061/debug/pprof"}, []string{"[::1]:443", "127.0.0.1:6061"}},
	} {
		if diff := cmp.Diff(tt.want, tt.cfg.Addresses()); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", tt.cfg, diff)
		}
	}
}
