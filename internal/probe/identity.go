package probe

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ReadIdentity reads what tells this machine from others. proc and root are
// where the host's /proc and / are; empty means the process's own. The machine's
// own id is confidential by its documentation (machine-id(5)): a digest leaves
// the host. Without one the host's name and boot stand in, which last until the
// next boot.
func ReadIdentity(proc, root string) (Identity, error) {
	if proc == "" {
		proc = "/proc"
	}
	boot, err := os.ReadFile(filepath.Join(proc, "sys/kernel/random/boot_id"))
	if err != nil {
		boot = []byte("unknown")
	}
	id := Identity{BootID: strings.TrimSpace(string(boot))}
	secret, err := os.ReadFile(filepath.Join("/", root, "etc/machine-id"))
	if text := strings.TrimSpace(string(secret)); err == nil && text != "" {
		id.MachineID = digest(text)
		return id, nil
	}
	name, err := os.Hostname()
	if err != nil {
		return id, fmt.Errorf("this machine has neither /etc/machine-id nor a name: %w", err)
	}
	id.MachineID = digest(name + id.BootID)
	return id, nil
}

func digest(s string) string {
	sum := sha256.Sum256([]byte("fleetlens machine " + s))
	return hex.EncodeToString(sum[:8])
}
