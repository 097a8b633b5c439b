package kubernetes

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math"
	"net/http/httptest"
	"strings"
	"testing"
)

// keyOf returns the private key (PEM) of a test server.
func keyOf(t *testing.T, h *httptest.Server) []byte {
	t.Helper()
	b, err := x509.MarshalPKCS8PrivateKey(h.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: b})
}

// two is a kubeconfig with two contexts, in the form of
// https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/.
const two = `
apiVersion: v1
kind: Config
current-context: prod
contexts:
- name: prod
  context: {cluster: prod, user: probe, namespace: shop}
- name: dev
  context: {cluster: dev, user: cloud}
clusters:
- name: prod
  cluster: {server: "https://10.0.0.1:6443", certificate-authority: pki/ca.crt, tls-server-name: kubernetes}
- name: dev
  cluster: {server: "https://10.0.0.2:6443", certificate-authority-data: Y2VydA==}
users:
- name: probe
  user: {tokenFile: tokens/probe, token: left-behind-secret}
- name: cloud
  user:
    exec: {apiVersion: client.authentication.k8s.io/v1, command: aws}
`

func TestAKubeconfigIsRead(t *testing.T) {
	w, err := parseKubeconfig([]byte(two), "", "/home/ada/.kube")
	if err != nil {
		t.Fatal(err)
	}
	if w.URL != "https://10.0.0.1:6443" || w.TokenFile != "/home/ada/.kube/tokens/probe" || w.keys.Token != "" || w.TLS.CAFile != "/home/ada/.kube/pki/ca.crt" || w.TLS.ServerName != "kubernetes" {
		t.Errorf("it is read as %+v", w.Config)
	}
}

func TestAKubeconfigThatIsNotTakenSaysWhy(t *testing.T) {
	with := func(user, cluster string) string {
		return "current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {" + cluster + "}}]\nusers: [{name: u, user: {" + user + "}}]\n"
	}
	const server = `server: "https://h:6443"`
	for _, tt := range []struct {
		name, text, context, says string
	}{
		{"a program to log in", two, "dev", "a probe runs no program"},
		{"a context that is not there", two, "test", `no context "test" (has prod, dev)`},
		{"no current context", "contexts: []", "", "no current-context"},
		{"no YAML", "a: [", "", "not in the YAML"},
		{"a list", "- token: s3cret", "", "not in the YAML"},
		{"a cluster that is not there", "contexts: [{name: a, context: {cluster: x}}]", "a", `no cluster "x"`},
		{"base64 that is none", with("client-key-data: '*s3cret*'", server), "", "line 4: it is no base64"},
		{"certificates that are not checked", with("token: s3cret", server+", insecure-skip-tls-verify: true"), "", "certificate-authority"},
		{"a proxy", with("token: s3cret", server+", proxy-url: 'http://p:1'"), "", "proxy-url"},
		{"a password", with("username: ada, password: s3cret", server), "", "takes no passwords"},
		{"somebody else's name", with("token: s3cret, as: admin", server), "", "asks as itself"},
		{"half a certificate", with("client-certificate: a.crt", server), "", "one of them is missing"},
		{"no server", with("token: s3cret", ""), "", "url: it is missing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseKubeconfig([]byte(tt.text), tt.context, "/")
			if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "s3cret") {
				t.Error(err)
			}
		})
	}
}

func TestSettings(t *testing.T) {
	for _, tt := range []struct {
		name string
		c    Config
		says string // "": it is right
	}{
		{"nothing: the pod's own cluster", Config{}, ""},
		{"a context without a file", Config{Context: "prod"}, "name that file"},
		{"a namespace that is none", Config{Namespaces: []string{"../secrets"}}, "no name of a namespace"},
		{"too patient", Config{Timeout: 1e12}, "timeout"},
		{"too many namespaces", Config{Namespaces: strings.Split(strings.Repeat("a,", 20)+"a", ",")}, "at most 20"},
	} {
		if err := tt.c.Validate(); (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestAQuantity(t *testing.T) {
	for text, want := range map[string]float64{`"250m"`: 0.25, `2`: 2, `"1.5Gi"`: 1.5 * (1 << 30), `"1e3"`: 1000, `"8145276Ki"`: 8145276 * 1024, `"56403987978"`: 56403987978, `"3E"`: 3e18, `"-1"`: -1, `"100n"`: 1e-7} {
		var q Quantity
		if err := json.Unmarshal([]byte(text), &q); err != nil || math.Abs(float64(q)-want) > want*1e-12+1e-12 {
			t.Errorf("%s is %v, %v", text, q, err)
		}
	}
	for _, wrong := range []string{`""`, `"Gi"`, `"1.2.3"`, `"1 Gi"`, `"Inf"`, `"0x10"`, `"1gi"`, `"1mm"`, `{}`} {
		if json.Unmarshal([]byte(wrong), new(Quantity)) == nil {
			t.Errorf("%s is taken", wrong)
		}
	}
}

func FuzzQuantity(f *testing.F) {
	f.Add("250m")
	f.Add("1e400Ei")
	f.Fuzz(func(t *testing.T, s string) {
		if q, err := ParseQuantity(s); err == nil && (math.IsInf(float64(q), 0) || math.IsNaN(float64(q))) {
			t.Errorf("%q is %v", s, q)
		}
	})
}

func FuzzKubeconfig(f *testing.F) {
	f.Add(two)
	f.Add("contexts: [{name: a, context: {}}]\ncurrent-context: a")
	f.Fuzz(func(t *testing.T, s string) {
		if w, err := parseKubeconfig([]byte(s), "", "/"); err == nil && w.Validate() != nil {
			t.Errorf("%q is taken", s)
		}
	})
}

func FuzzPage(f *testing.F) {
	f.Add(`{"kind":"PodList","metadata":{"continue":"x"},"items":[{"metadata":{"name":"a"},"status":{"phase":"Running"}}]}`)
	f.Add(`{"items":null}`)
	f.Fuzz(func(t *testing.T, s string) {
		n := 0
		next, err := page(strings.NewReader(s), func(raw json.RawMessage) error {
			n++
			return json.Unmarshal(raw, new(Pod))
		})
		if err != nil && next != "" {
			t.Errorf("an error and a further page: %v", err)
		}
	})
}
