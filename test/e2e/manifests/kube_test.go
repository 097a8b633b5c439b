//go:build linux

package manifests_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/fleetlens/fleetlens/test/built"
	"github.com/fleetlens/fleetlens/test/e2e/pod"
)

// A cluster is what a kubelet knows: objects by kind and name.
type cluster struct {
	t       *testing.T
	objects map[string]object
}

// Parts of the manifests, in the words of the Kubernetes API:
// https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/.
type (
	object struct {
		Kind     string
		Metadata struct{ Name string }
		Data     map[string]string // of a Secret in base64
		Spec     struct {
			Replicas *int
			Template struct{ Spec podSpec }
			Claims   []struct{ Metadata struct{ Name string } } `yaml:"volumeClaimTemplates"`
		}
	}
	podSpec struct {
		SecurityContext struct {
			RunAsUser int `yaml:"runAsUser"`
		} `yaml:"securityContext"`
		Containers []struct {
			Name          string
			Command, Args []string
			Env           []struct {
				Name, Value string
				ValueFrom   struct {
					FieldRef struct {
						FieldPath string `yaml:"fieldPath"`
					} `yaml:"fieldRef"`
				} `yaml:"valueFrom"`
			}
			EnvFrom []struct {
				SecretRef struct{ Name string } `yaml:"secretRef"`
			} `yaml:"envFrom"`
			ReadinessProbe struct {
				HTTPGet *struct{ Path, Port string } `yaml:"httpGet"`
			} `yaml:"readinessProbe"`
			Ports []struct {
				Name          string
				ContainerPort int `yaml:"containerPort"`
			}
			VolumeMounts []struct {
				Name        string
				MountPath   string `yaml:"mountPath"`
				SubPathExpr string `yaml:"subPathExpr"`
			} `yaml:"volumeMounts"`
		}
		Volumes []struct {
			Name     string
			HostPath *struct{ Path string } `yaml:"hostPath"`
			EmptyDir *struct{}              `yaml:"emptyDir"`
			Secret   *struct {
				SecretName string `yaml:"secretName"`
				Items      []struct{ Key, Path string }
			}
			ConfigMap *struct{ Name string } `yaml:"configMap"`
		}
	}
)

// render has Helm make the chart's manifests with a file of values.
func render(t *testing.T, values string) *cluster {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "tool", "-modfile=deploy/charts.mod", "helm", "template", "fleetlens", "deploy/helm/fleetlens",
		"--namespace", "fleetlens", "--values", values)
	cmd.Dir = repo
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("helm template: %v\n%s", err, &errs)
	}
	c := &cluster{t: t, objects: map[string]object{}}
	for doc := range strings.SplitSeq(string(out), "\n---\n") {
		var o object
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			t.Fatalf("%v\n%s", err, doc)
		}
		c.objects[o.Kind+" "+o.Metadata.Name] = o
	}
	return c
}

// secret adds a Secret, as `kubectl create secret generic NAME --from-file` does.
func (c *cluster) secret(name string, files map[string]string) {
	o := object{Kind: "Secret", Data: map[string]string{}}
	for key, text := range files {
		o.Data[key] = base64.StdEncoding.EncodeToString([]byte(text))
	}
	c.objects["Secret "+name] = o
}

// data returns what a Secret or ConfigMap holds.
func (c *cluster) data(kind, name string) map[string]string {
	c.t.Helper()
	o, ok := c.objects[kind+" "+name]
	if !ok {
		c.t.Fatalf("there is no %s %s", kind, name)
	}
	if kind != "Secret" {
		return o.Data
	}
	out := map[string]string{}
	for key, text := range o.Data {
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			c.t.Fatal(err)
		}
		out[key] = string(b)
	}
	return out
}

// pods returns the pods of a workload, those of a DaemonSet on the nodes whose folders are given.
func (c *cluster) pods(workload string, nodes map[string]string) []started {
	c.t.Helper()
	o, ok := c.objects[workload]
	if !ok {
		c.t.Fatalf("the chart has no %s", workload)
	}
	var out []started
	if o.Kind == "DaemonSet" {
		for node, folder := range nodes {
			out = append(out, c.pod(o, o.Metadata.Name+"-"+node, node, folder))
		}
		return out
	}
	for i := range *o.Spec.Replicas {
		out = append(out, c.pod(o, fmt.Sprintf("%s-%d", o.Metadata.Name, i), "", ""))
	}
	return out
}

// pod makes what a kubelet would of a pod's first container.
func (c *cluster) pod(o object, name, node, folder string) started {
	c.t.Helper()
	spec := o.Spec.Template.Spec
	ct := spec.Containers[0]
	p := pod.Pod{Name: name, Programs: built.Programs(c.t), Command: append(ct.Command, ct.Args...), User: spec.SecurityContext.RunAsUser}
	env := map[string]string{}
	for _, e := range ct.Env {
		value := e.Value
		switch e.ValueFrom.FieldRef.FieldPath {
		case "spec.nodeName":
			value = node
		case "metadata.name":
			value = name
		}
		env[e.Name] = value
		p.Env = append(p.Env, e.Name+"="+value)
	}
	for _, from := range ct.EnvFrom {
		for key, value := range c.data("Secret", from.SecretRef.Name) {
			p.Env = append(p.Env, key+"="+value)
		}
	}
	for _, m := range ct.VolumeMounts {
		for _, claim := range o.Spec.Claims {
			if claim.Metadata.Name == m.Name {
				p.Writable = append(p.Writable, m.MountPath)
			}
		}
		for _, v := range spec.Volumes {
			if v.Name != m.Name {
				continue
			}
			switch {
			case v.HostPath != nil:
				p.Mounts = append(p.Mounts, pod.Mount{From: filepath.Join(folder, v.HostPath.Path), To: m.MountPath})
			case v.EmptyDir != nil:
				p.Writable = append(p.Writable, m.MountPath)
			default:
				from := ""
				if v.Secret != nil {
					files := c.data("Secret", v.Secret.SecretName)
					for _, item := range v.Secret.Items {
						files = map[string]string{item.Path: files[item.Key]}
					}
					from = folderOf(c.t, p.User, files)
				} else {
					from = folderOf(c.t, p.User, c.data("ConfigMap", v.ConfigMap.Name))
				}
				p.Mounts = append(p.Mounts, pod.Mount{From: filepath.Join(from, os.Expand(strings.NewReplacer("$(", "${", ")", "}").Replace(m.SubPathExpr), func(k string) string { return env[k] })), To: m.MountPath})
			}
		}
	}
	s := started{Pod: p}
	if get := ct.ReadinessProbe.HTTPGet; get != nil {
		for _, port := range ct.Ports {
			if port.Name == get.Port {
				s.port, s.path = port.ContainerPort, get.Path
			}
		}
	}
	return s
}
