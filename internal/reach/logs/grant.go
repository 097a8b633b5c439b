package logs

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// howToGrant says what would let the probe read a file or folder.
func howToGrant(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "give the probe's user access to the folder (setfacl -m u:USER:rx FOLDER)"
	}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok && info.Mode().Perm()&0o040 != 0 {
		if name := groupName(sys.Gid); name != "" && name != "root" {
			return "add the probe's user to group " + name + " (usermod -aG " + name + " USER)"
		}
	}
	if info.IsDir() {
		return "give the probe's user read access (setfacl -R -m u:USER:rX " + path + ")"
	}
	return "give the probe's user read access (setfacl -m u:USER:r " + path + ")"
}

// groupName returns the name of a group as /etc/group has it, and nothing when it
// does not: no directory service is asked.
func groupName(gid uint32) string {
	f, err := os.Open("/etc/group")
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }() // it was only read
	for s := bufio.NewScanner(f); s.Scan(); {
		if fields := strings.Split(s.Text(), ":"); len(fields) > 2 && fields[2] == strconv.FormatUint(uint64(gid), 10) {
			return fields[0]
		}
	}
	return ""
}
