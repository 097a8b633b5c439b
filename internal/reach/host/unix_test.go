package host

import (
	"fmt"
	"net"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUnixListenersOfAFile(t *testing.T) {
	const file = `Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 20001 /run/postgresql/.s.PGSQL.5432
0000000000000000: 00000002 00000000 00010000 0001 01 20002 /run/a b/c
0000000000000000: 00000002 00000000 00010000 0001 01 20003 @abstract
0000000000000000: 00000003 00000000 00000000 0001 03 20004 /run/connected
0000000000000000: 00000002 00000000 00010000 0001 01 20005
0000000000000000: 00000002 00000000 0001zz00 0001 01 20006 /run/garbled
0000000000000000: 00000002 00000000
nonsense
`
	var got []string
	parseUnix([]byte(file), func(l UnixListener) bool {
		got = append(got, fmt.Sprint(l.Inode, " ", l.Path))
		return true
	})
	if diff := cmp.Diff([]string{"20001 /run/postgresql/.s.PGSQL.5432", "20002 /run/a b/c", "20003 @abstract"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAUnixListenerOfThisProcessIsFoundWithItsOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	r := New(Config{})
	inode := uint64(0)
	if err := r.UnixListeners(func(u UnixListener) bool {
		if u.Path == path {
			inode = u.Inode
		}
		return inode == 0
	}); err != nil {
		t.Fatal(err)
	}
	owners, err := r.SocketOwners(t.Context(), map[uint64]bool{inode: true})
	if err != nil || inode == 0 || owners.PIDs[inode] == 0 {
		t.Errorf("inode %d, owners %+v, %v", inode, owners, err)
	}
}

func FuzzUnix(f *testing.F) {
	f.Add([]byte("0: 00000002 00000000 00010000 0001 01 20001 /run/x\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		parseUnix(b, func(l UnixListener) bool {
			if l.Path == "" {
				t.Error("a listener without a path")
			}
			return true
		})
	})
}
