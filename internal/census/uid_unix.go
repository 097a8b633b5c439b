//go:build unix

package census

import (
	"io/fs"
	"syscall"
)

// uidOf returns whose a file is.
func uidOf(st fs.FileInfo) uint32 {
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		return sys.Uid
	}
	return 0
}
