package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/fleetlens/fleetlens/test/built"
)

const (
	chart     = "deploy/helm/fleetlens"
	allValues = chart + "/ci/all-values.yaml"
)

func helm(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return tool(t, "charts.mod", "helm", args...)
}

// rendered returns the chart's manifests with the values of files.
func rendered(t *testing.T, args ...string) string {
	t.Helper()
	out, err := helm(t, append([]string{"template", "fleetlens", chart, "--namespace", "fleetlens"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Parts of the manifests that are looked at, in the words of the Kubernetes API:
// https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/.
type (
	object struct {
		Kind     string
		Metadata struct {
			Name, Namespace string
			Labels          map[string]string
			Annotations     map[string]string
		}
		Spec struct {
			Template struct {
				Metadata struct{ Labels map[string]string }
				Spec     pod
			}
		}
		Rules []struct{ APIGroups, Resources, Verbs []string }
		Data  map[string]string
	}
	pod struct {
		AutomountServiceAccountToken  *bool          `yaml:"automountServiceAccountToken"`
		HostPID                       bool           `yaml:"hostPID"`
		HostNetwork                   bool           `yaml:"hostNetwork"`
		TerminationGracePeriodSeconds int            `yaml:"terminationGracePeriodSeconds"`
		SecurityContext               securityPolicy `yaml:"securityContext"`
		InitContainers                []container    `yaml:"initContainers"`
		Containers                    []container
		Volumes                       []volume
	}
	container struct {
		Name, Image     string
		Command, Args   []string
		SecurityContext securityPolicy `yaml:"securityContext"`
		Resources       struct{ Limits map[string]string }
		VolumeMounts    []struct {
			Name, MountPath, SubPathExpr string
			ReadOnly                     bool `yaml:"readOnly"`
		} `yaml:"volumeMounts"`
	}
	securityPolicy struct {
		RunAsNonRoot             bool                  `yaml:"runAsNonRoot"`
		RunAsUser                *int                  `yaml:"runAsUser"`
		AllowPrivilegeEscalation *bool                 `yaml:"allowPrivilegeEscalation"`
		ReadOnlyRootFilesystem   bool                  `yaml:"readOnlyRootFilesystem"`
		SeccompProfile           struct{ Type string } `yaml:"seccompProfile"`
		Capabilities             struct{ Drop, Add []string }
	}
	volume struct {
		Name   string
		Secret struct {
			SecretName string `yaml:"secretName"`
		}
		HostPath struct{ Path string } `yaml:"hostPath"`
	}
)

// component is what an object is a part of.
func (o object) component() string { return o.Metadata.Labels["app.kubernetes.io/component"] }

// objects reads manifests, each as what is looked at and as it is.
func objects(t *testing.T, text string) (list []object, whole map[string]any) {
	t.Helper()
	whole = map[string]any{}
	for doc := range strings.SplitSeq(text, "\n---\n") {
		var o object
		var v map[string]any
		if err := yaml.Unmarshal([]byte(doc), &v); err != nil {
			t.Fatalf("%v\n%s", err, doc)
		}
		if v == nil {
			continue
		}
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			t.Fatalf("%v\n%s", err, doc)
		}
		list = append(list, o)
		whole[o.Kind+" "+o.Metadata.Name] = v
	}
	return list, whole
}

func TestTheChartHasNoFault(t *testing.T) {
	for name, args := range map[string][]string{"as it is": {}, "with all that can be turned on": {"-f", allValues}} {
		t.Run(name, func(t *testing.T) {
			if _, err := helm(t, append([]string{"lint", "--strict", chart}, args...)...); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTheManifestsAreThoseOfTheChart(t *testing.T) {
	golden(t, "test/deploy/testdata/all.yaml", rendered(t, "-f", allValues))
	// `kubectl apply` has no tests to run.
	text := rendered(t, "--skip-tests")
	golden(t, "deploy/kubernetes/fleetlens.yaml", "# Made from deploy/helm/fleetlens by `make gen`: do not edit.\n"+text)

	built, err := tool(t, "charts.mod", "kustomize", "build", "deploy/kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	_, want := objects(t, text)
	_, got := objects(t, built)
	if _, ok := got["Namespace fleetlens"]; !ok {
		t.Error("there is no namespace")
	}
	delete(got, "Namespace fleetlens")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("kustomize makes something else than helm (-helm +kustomize):\n%s", diff)
	}
}

func TestWrongValuesAreRefused(t *testing.T) {
	for _, tt := range []struct{ name, set, says string }{
		{"a key that does not exist", "probe.levle=observe", "additional properties 'levle' not allowed"},
		{"a level that does not exist", "probe.level=root", "value must be one of 'observe', 'events', 'trace'"},
		{"a capability that no probe needs", "probe.capabilities={SYS_ADMIN}", "value must be one of 'SYS_PTRACE'"},
		{"a password in the address of NATS", "nats.url=nats://me:secret@nats:4222", "at '/nats/url'"},
		{"fewer than no operators", "operator.replicas=-1", "minimum: got -1, want 0"},
		{"a UI that answers to no name", "ui.hosts={}", "at '/ui/hosts/0': minLength: got 0, want 1"},
		{"neither an address of NATS nor a server", "nats.server.enabled=false", "nats.url: say where NATS is, or set nats.server.enabled"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := helm(t, "template", "fleetlens", chart, "--set", tt.set)
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
		})
	}
}

func TestAGatewayWithoutSinksTakesAlerts(t *testing.T) {
	runs := func(set ...string) string {
		var out string
		list, _ := objects(t, rendered(t, set...))
		for _, o := range list {
			for _, c := range o.Spec.Template.Spec.Containers {
				if c.Name == "gateway" {
					out = strings.Join(c.Args, " ")
				}
			}
		}
		return out
	}
	if got := runs(); got != "" {
		t.Errorf("without sinks and intake it runs with %s", got)
	}
	if got := runs("--set", "gateway.intake=true"); !strings.Contains(got, "--alerts=0.0.0.0:4234") || strings.Contains(got, "--config") {
		t.Errorf("with an intake alone: %q", got)
	}
	if got := runs("--set", "gateway.sinks.team.type=slack"); !strings.Contains(got, "--config=") || !strings.Contains(got, "--alerts= ") {
		t.Errorf("with sinks alone: %q", got)
	}
}

// Each command line is checked by the program it is for, which reads its flags before it helps.
func TestCommandLinesOfTheChartAreReal(t *testing.T) {
	dir := built.Programs(t)
	list, _ := objects(t, rendered(t, "-f", allValues))
	ran := map[string]bool{}
	for _, o := range list {
		spec := o.Spec.Template.Spec
		for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
			if c.Name == "nats" {
				continue
			}
			t.Run(o.Metadata.Name+" "+c.Name, func(t *testing.T) {
				cmd := exec.CommandContext(t.Context(), filepath.Join(dir, c.Command[0]), append(slices.Clone(c.Args), "--help")...)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%v\n%s", err, out)
				}
			})
			ran[o.component()] = true
		}
	}
	for _, name := range []string{"probe", "cluster-probe", "operator", "coordinator", "gateway", "ui"} {
		if !ran[name] {
			t.Errorf("nothing runs %s", name)
		}
	}
}

// The profile restricted of https://kubernetes.io/docs/concepts/security/pod-security-standards/.
func TestPodsHaveNoMoreRightsThanTheyNeed(t *testing.T) {
	for name, args := range map[string][]string{"as it is": {}, "with all that can be turned on": {"-f", allValues}} {
		list, _ := objects(t, rendered(t, args...))
		for _, o := range list {
			spec := o.Spec.Template.Spec
			if len(spec.Containers) == 0 {
				continue
			}
			t.Run(name+": "+o.Metadata.Name, func(t *testing.T) {
				sees := o.component() == "probe"
				if spec.HostPID != sees || spec.HostNetwork != sees {
					t.Errorf("hostPID %v, hostNetwork %v", spec.HostPID, spec.HostNetwork)
				}
				asks := o.component() == "cluster-probe"
				if token := spec.AutomountServiceAccountToken; token == nil || *token != asks {
					t.Error("it has a token of the cluster's API, or needs one and has none")
				}
				if spec.SecurityContext.SeccompProfile.Type != "RuntimeDefault" {
					t.Errorf("seccomp %q", spec.SecurityContext.SeccompProfile.Type)
				}
				for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
					s := c.SecurityContext
					if s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || !s.ReadOnlyRootFilesystem || !slices.Equal(s.Capabilities.Drop, []string{"ALL"}) {
						t.Errorf("container %s: %+v", c.Name, s)
					}
					if root := len(s.Capabilities.Add) > 0; root && !sees || !root && !s.RunAsNonRoot && !spec.SecurityContext.RunAsNonRoot {
						t.Errorf("container %s may run as root, adds %v", c.Name, s.Capabilities.Add)
					}
					if c.Resources.Limits["memory"] == "" {
						t.Errorf("container %s may take all memory", c.Name)
					}
					for _, m := range c.VolumeMounts {
						written := slices.Contains([]string{"state", "tmp", "data"}, m.Name)
						if m.ReadOnly == written {
							t.Errorf("container %s: %s is read-only: %v", c.Name, m.MountPath, m.ReadOnly)
						}
					}
				}
				for _, v := range spec.Volumes {
					if v.HostPath.Path != "" && !sees {
						t.Errorf("it sees %s of the node", v.HostPath.Path)
					}
				}
				// What is told to stop hands its work back within 25 s.
				if slices.Contains([]string{"operator", "coordinator", "gateway"}, o.component()) && spec.TerminationGracePeriodSeconds < 30 {
					t.Errorf("it is killed after %d s", spec.TerminationGracePeriodSeconds)
				}
			})
		}
	}
}

func TestTheClusterIsOnlyReadFrom(t *testing.T) {
	list, _ := objects(t, rendered(t, "-f", allValues))
	rules := 0
	for _, o := range list {
		for _, r := range o.Rules {
			rules++
			if !slices.Equal(r.Verbs, []string{"get", "list"}) || slices.Contains(r.Resources, "secrets") || slices.Contains(r.Resources, "*") {
				t.Errorf("%s %s: %v of %v", o.Kind, o.Metadata.Name, r.Verbs, r.Resources)
			}
		}
	}
	if rules == 0 {
		t.Error("there are no rules")
	}
}

// The cluster's probe may what the page of its skill says, no more and no less, and is
// told to look into the cluster, also where its configuration has other keys.
func TestTheClusterProbeLooksIntoTheClusterWithTheRightsOfThePage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(repo, "docs/how-to/kubernetes.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, block, ok := strings.Cut(string(page), "```yaml\napiVersion: rbac")
	if !ok {
		t.Fatal("the page has no ClusterRole")
	}
	block, _, _ = strings.Cut("apiVersion: rbac"+block, "```")
	want, _ := objects(t, block)
	list, _ := objects(t, rendered(t, "-f", allValues))
	var rules, config any
	for _, o := range list {
		if o.Kind == "ClusterRole" {
			rules = o.Rules
		}
		if o.Kind == "ConfigMap" && o.component() == "cluster-probe" {
			config = o.Data["config.yaml"]
		}
	}
	if diff := cmp.Diff(any(want[0].Rules), rules); diff != "" {
		t.Errorf("the rights (-page +chart):\n%s", diff)
	}
	if text, _ := config.(string); !strings.Contains(text, "kubernetes:\n    cluster: {}") || !strings.Contains(text, "role: kubernetes") {
		t.Errorf("its configuration is %v", config)
	}
}

func TestEachPodHasTheCredentialsOfItsRoleAlone(t *testing.T) {
	list, _ := objects(t, rendered(t, "-f", allValues))
	want := map[string][]string{
		"probe":         {"fleetlens-probe", "fleetlens-ca", "fleetlens-tokens"},
		"cluster-probe": {"fleetlens-cluster-probe", "fleetlens-ca", "fleetlens-tokens"},
		"operator":      {"fleetlens-operator", "fleetlens-ca", "fleetlens-tokens"},
		"coordinator":   {"fleetlens-coordinator", "fleetlens-ca", "fleetlens-tokens", "fleetlens-tokens"},
		"gateway":       {"fleetlens-gateway", "fleetlens-ca", "fleetlens-tokens", "fleetlens-tokens"},
		"ui":            {"fleetlens-ui", "fleetlens-ca", "fleetlens-tokens"},
		"nats":          {"fleetlens-accounts"},
	}
	got := map[string][]string{}
	for _, o := range list {
		for _, v := range o.Spec.Template.Spec.Volumes {
			if v.Secret.SecretName != "" {
				got[o.component()] = append(got[o.component()], v.Secret.SecretName)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
