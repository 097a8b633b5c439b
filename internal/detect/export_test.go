package detect

import (
	"encoding/binary"
	"hash/crc32"
)

// Sealed returns what is taken for a file's content with the present version and
// the right checksum.
func Sealed(b []byte) []byte {
	if len(b) < len(magic)+5 {
		return b
	}
	out := append([]byte(magic), version)
	out = append(out, b[len(magic)+1:len(b)-4]...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out))
}
