//go:build linux

package deploy_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/missing"
	"github.com/fleetlens/fleetlens/test/built"
	"github.com/fleetlens/fleetlens/test/e2e/box"
)

// machine makes, in namespaces of its own, a machine that looks like this one and to
// which nothing of this one can be changed: its root lies over this one's, whose own it
// cannot reach once it is there. Its process 1 is systemd, which begins nothing by itself.
const machine = `set -eu
mount --make-rprivate /
m=$1
mount -t tmpfs -o size=2g,mode=755 tmpfs "$m"
mkdir "$m/upper" "$m/work" "$m/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$m/upper,workdir=$m/work" "$m/root"
cd "$m/root"
mkdir -p old opt/1 opt/2 opt/programs
mount --bind "$2" opt/1
mount --bind "$3" opt/2
mount --bind "$4" opt/programs
touch opt/nats-server opt/commands
mount --bind "$5" opt/nats-server
mount --bind "$6" opt/commands
mount -t tmpfs -o mode=755 tmpfs dev
for d in null zero full random urandom tty; do touch dev/$d; mount --bind /dev/$d dev/$d; done
mkdir dev/shm dev/pts dev/mqueue dev/hugepages
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
if [ -d /sys/fs/cgroup/systemd ]; then
  mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
  mkdir sys/fs/cgroup/systemd
  mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
else
  mount -t cgroup2 cgroup2 sys/fs/cgroup
fi
pivot_root . old
exec chroot . /bin/bash -c '
set -eu
umount -l /old
mount --make-rshared / # as systemd does outside of containers
mount -t tmpfs tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /tmp
rm -rf /etc/systemd/system/*.wants /lib/systemd/system/*.wants /var/lib/fleetlens /etc/fleetlens
mkdir -p /run/systemd/system
printf "[Unit]\nDefaultDependencies=no\n" > /run/systemd/system/quiet.target
mkdir /run/systemd/system/service.d # there is no journal
printf "[Service]\nStandardError=append:/run/services.log\n" > /run/systemd/system/service.d/log.conf
(until systemctl is-system-running 2>/dev/null | grep -Eq "running|degraded"; do sleep 0.1; done
 bash -eu /opt/commands && echo "all is done" || echo "it failed") 2>&1 &
exec env container=docker /lib/systemd/systemd --system --unit=quiet.target --log-target=null --show-status=0
'
`

// commands are what somebody does with the packages, from the first installation to the purge.
const commands = `set -o pipefail
export DEBIAN_FRONTEND=noninteractive NO_COLOR=1
ready() {
  for port in "$@"; do
    for i in $(seq 300); do
      curl -sf "http://127.0.0.1:$port/readyz" >/dev/null && continue 2
      sleep 0.1
    done
    echo "nobody is ready at $port"; systemctl --no-pager list-units 'fleetlens*'; tail -n 20 /run/services.log; return 1
  done
}
dpkg --force-architecture -i /opt/1/*.deb >/dev/null
fleetlens creds init --dir /root/keys >/dev/null
mint() { fleetlens creds mint --dir /root/keys "$1" "$2"; }
mint probe web-1 > /etc/fleetlens/nats.creds
mint operator op-1 > /etc/fleetlens/operator.creds
mint coordinator co-1 > /etc/fleetlens/coordinator.creds
mint client ui > /etc/fleetlens/ui.creds
mint client me > /root/me.creds
echo 'FLEETLENS_NODE=web-1' >> /etc/default/fleetlens-probe
printf 'listen: 127.0.0.1:4222\njetstream { store_dir: "/tmp/js" }\ninclude "keys/resolver.conf"\n' > /root/nats.conf
/opt/nats-server -c /root/nats.conf 2>/tmp/nats.log &
until grep -q 'Server is ready' /tmp/nats.log; do kill -0 $! || { cat /tmp/nats.log; false; }; sleep 0.1; done

systemctl enable --now fleetlens-coordinator fleetlens-operator fleetlens-probe fleetlens-ui 2>/dev/null
ready 4233 4232 4231
systemctl is-active fleetlens-coordinator fleetlens-operator fleetlens-probe fleetlens-ui >/dev/null
export NATS_CREDS=/root/me.creds
fleetlens investigate "is it healthy?" >/dev/null
fleetlens nodes | grep '^web-1'
echo "user of the operator: $(ps -o user= -p "$(systemctl show -P MainPID fleetlens-operator)")"

echo 'label: {role: web}' > /etc/fleetlens/probe.yaml
before=$(systemctl show -P MainPID fleetlens-probe)
dpkg --force-architecture,confdef,confold -i /opt/2/*.deb >/dev/null
after=$(systemctl show -P MainPID fleetlens-probe)
[ "$before" != "$after" ] || { echo "an upgrade left the old probe running"; false; }
ready 4233 4232 4231
for i in $(seq 100); do fleetlens nodes --all --label role=web | grep -q '^web-1' && break; sleep 0.1; done
fleetlens nodes --all --label role=web | grep '^web-1'

dpkg --purge fleetlens-probe fleetlens >/dev/null 2>&1
for s in coordinator operator probe ui; do
  if systemctl is-active "fleetlens-$s" >/dev/null; then echo "a purge left fleetlens-$s running"; false; fi
done
left=$(find /etc /usr/bin /usr/lib/systemd /usr/share /var/lib /var/cache -name '*fleetlens*')
[ -z "$left" ] || { echo "a purge left $left"; false; }
`

// The services of the packages start under a real systemd with all that they were
// hardened by, an upgrade starts them anew with the configuration that was changed, and
// a purge leaves nothing.
func TestServicesOfThePackagesRunUnderSystemd(t *testing.T) {
	if os.Getuid() != 0 {
		missing.Component(t, "services under systemd", "only root may make a machine for it")
		return
	}
	if !missing.Debian(t, "systemd-analyze", "systemd") || !missing.Debian(t, "dpkg", "dpkg") || !missing.Debian(t, "curl", "curl") || !missing.Debian(t, "ps", "procps") {
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	script := filepath.Join(dir, "commands")
	if err := os.WriteFile(script, []byte(commands), 0o644); err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(dir, "machine")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", `echo $$ > "$0/cgroup.procs"; exec unshare "$@"`, group(t), "--pid", "--fork", "--kill-child", "--mount", "--uts", "--ipc", "--net", "--cgroup",
		"bash", "-c", machine, "bash", root, packages(t, "1.0.0", "/opt/programs"), packages(t, "1.0.1", "/opt/programs"), built.Programs(t), self, script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var said box.Output
	has := func(text string) bool { return strings.Contains(said.String(), text) }
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for running := true; running && !has("all is done") && !has("it failed"); {
		select {
		case <-tick.C:
		case <-ended:
			running = false
		}
	}
	_ = cmd.Process.Kill()
	<-ended
	if !has("all is done") {
		t.Error("it did not go to its end")
	}
	t.Logf("%s", said.String())
}

// group makes a control group, below which systemd makes its own, until the test ends.
func group(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(top(), "fleetlens-test-") //nolint:usetesting // control groups are made there only
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Its processes have been killed; they are gone a moment later.
		if out, err := exec.Command("bash", "-c", `for i in $(seq 100); do find "$0" -depth -type d -exec rmdir {} + 2>/dev/null && exit; sleep 0.1; done; exit 1`, dir).CombinedOutput(); err != nil {
			t.Errorf("%s is left: %v %s", dir, err, out)
		}
	})
	return dir
}

// top is where systemd's control groups are: in a hierarchy of their own, or in the one of all.
func top() string {
	const own = "/sys/fs/cgroup/systemd"
	if _, err := os.Stat(own); err == nil {
		return own
	}
	return "/sys/fs/cgroup"
}
