package luasandbox

import "testing"

func TestMappedFrom(t *testing.T) {
	const maps = `00400000-005a9000 r-xp 00000000 fe:00 41           /usr/bin/host program
7f0000000000-7f0000200000 r-xp 00001000 fe:00 42   /opt/plugin.so (deleted)
7f0000200000-7f0000300000 rw-p 00000000 00:00 0
7ffc8a1fe000-7ffc8a21f000 rw-p 00000000 00:00 0    [stack]
`
	for _, tt := range []struct {
		name    string
		address uint64
		want    string
	}{
		{"in the executable", 0x400000, "/usr/bin/host program"},
		{"in a library whose file is gone", 0x7f00001fffff, "/opt/plugin.so (deleted)"},
		{"in memory of no file", 0x7f0000200000, ""},
		{"nowhere", 0x10, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := mappedFrom(maps, tt.address); err != nil || got != tt.want {
				t.Errorf("got %q and %v, want %q", got, err, tt.want)
			}
		})
	}
}

func TestThisTestCanStartChildren(t *testing.T) {
	if err := Check(); err != nil {
		t.Error(err)
	}
}
