package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/test/built"
)

// kubectl stands for a cluster with two nodes: it keeps each Secret as a folder of files, as
// kubectl create secret generic makes it.
const kubectl = `#!/bin/bash
set -e
case "$*" in
"get nodes"*) echo "web-1 ip-10-0-0-1.ec2.internal"; exit ;;
"apply -f "*) test -f "$3"; exit ;;
"--namespace fleetlens create secret generic "*) ;;
*) echo "unexpected: $*" >&2; exit 1 ;;
esac
dir="$SECRETS/$6"; mkdir -p "$dir"
for arg in "${@:7}"; do
  case "$arg" in
  --from-file=*=*) v=${arg#--from-file=}; cat "${v#*=}" > "$dir/${v%%=*}" ;;
  --from-file=*) v=${arg#--from-file=}; cp -r "$v"/. "$dir" 2>/dev/null || cp "$v" "$dir" ;;
  --from-literal=*) v=${arg#--from-literal=}; echo -n "${v#*=}" > "$dir/${v%%=*}" ;;
  esac
done
`

var secretsBlock = regexp.MustCompile("(?ms)^```sh\n(fleetlens creds init.*?)^```")

func TestTheCommandsOfThePageMakeTheSecretsThatPodsMount(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(repo, "docs/how-to/running.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := secretsBlock.FindSubmatch(text)
	if block == nil {
		t.Fatal("the page does not say how Secrets are made")
	}
	dir, tools, secrets := t.TempDir(), t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(tools, "kubectl"), []byte(kubectl), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "deploy/kubernetes"), os.DirFS(filepath.Join(repo, "deploy/kubernetes"))); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-e", "-o", "pipefail", "-c", string(block[1]))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "SECRETS="+secrets, "PATH="+tools+":"+built.Programs(t)+":"+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, files := range map[string][]string{
		"fleetlens-probe": {"web-1.creds", "ip-10-0-0-1.ec2.internal.creds"}, "fleetlens-accounts": {"resolver.conf"}, "fleetlens-tokens": {"http", "ui"},
	} {
		for _, file := range files {
			if b, err := os.ReadFile(filepath.Join(secrets, name, file)); err != nil || len(b) < 16 {
				t.Errorf("Secret %s, %s: %d bytes, %v", name, file, len(b), err)
			}
		}
	}
	list, _ := objects(t, rendered(t))
	for _, o := range list {
		for _, v := range o.Spec.Template.Spec.Volumes {
			name := v.Secret.SecretName
			if name == "" {
				continue
			}
			made, err := os.ReadDir(filepath.Join(secrets, name))
			if err != nil || len(made) == 0 {
				t.Errorf("%s mounts the Secret %s, which the page does not make", o.Metadata.Name, name)
			}
			single := slices.Contains([]string{"operator", "coordinator", "ui"}, o.component()) && name != "fleetlens-tokens"
			if single {
				b, err := os.ReadFile(filepath.Join(secrets, name, "nats.creds"))
				if err != nil || !strings.Contains(string(b), "BEGIN NATS USER JWT") {
					t.Errorf("Secret %s holds no credentials: %v", name, err)
				}
			}
		}
	}
}
