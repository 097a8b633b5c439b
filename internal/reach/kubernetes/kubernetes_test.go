package kubernetes

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/kubetest"
)

func open(t *testing.T, s *kubetest.Server, c Config) *Cluster {
	t.Helper()
	c.Kubeconfig = s.Kubeconfig(t)
	k := New(c)
	t.Cleanup(k.Close)
	return k
}

func TestAListIsReadPageByPage(t *testing.T) {
	s := kubetest.New(t, "healthy")
	const pods = 3*pageOf + 1
	s.Many(t, pods)
	list, err := open(t, s, Config{}).Pods(t.Context())
	if err != nil || len(list.Items) != pods || list.Partial {
		t.Fatalf("%d pods, partial %v, %v", len(list.Items), list.Partial, err)
	}
	if n := len(s.Asked()); n != 4 {
		t.Errorf("it asked %d times", n)
	}
	seen := map[string]bool{}
	for _, p := range list.Items {
		seen[p.UID] = true
	}
	if len(seen) != pods {
		t.Errorf("%d different pods", len(seen))
	}
	for _, a := range s.Asked() {
		if !strings.HasPrefix(a, "GET ") || !strings.Contains(a, "limit=250") {
			t.Errorf("it asked %s", a)
		}
	}
}

func TestAListThatIsTooLongIsCutAndSaysSo(t *testing.T) {
	for _, tt := range []struct {
		name       string
		most       int
		namespaces []string
		partial    bool
	}{
		{"as long as may be", 9, nil, false},
		{"too long", 8, nil, true},
		{"of namespaces of which none is too long", 9, []string{"shop", "kube-system"}, false},
		{"of namespaces of which one is too long", 5, []string{"shop"}, true},
		{"of namespaces that there is no room for", 6, []string{"shop", "kube-system"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := open(t, kubetest.New(t, "healthy"), Config{Namespaces: tt.namespaces})
			k.most = tt.most
			list, err := k.Pods(t.Context())
			if err != nil || len(list.Items) != tt.most || list.Partial != tt.partial {
				t.Errorf("%d pods, partial %v, %v", len(list.Items), list.Partial, err)
			}
		})
	}
}

func TestOnlyTheNamedNamespacesAreAsked(t *testing.T) {
	s := kubetest.New(t, "healthy")
	list, err := open(t, s, Config{Namespaces: []string{"shop"}}).Pods(t.Context())
	if err != nil || len(list.Items) != 6 {
		t.Errorf("%d pods, %v", len(list.Items), err)
	}
	for _, p := range list.Items {
		if p.Namespace != "shop" {
			t.Errorf("it has %s", p.Path())
		}
	}
}

// expiring answers 410 to the second page, as often as it is told to.
func expiring(s *kubetest.Server, times int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("continue") == "" || times == 0 {
			s.Fail("pods", nil)
			s.ServeHTTP(w, r)
			s.Fail("pods", expiring(s, times))
			return
		}
		s.Fail("pods", expiring(s, times-1))
		kubetest.Status(w, http.StatusGone, "Expired", "The provided continue parameter is too old to display a consistent list result.")
	})
}

func TestAListThatExpiresIsReadFromTheBeginningOnce(t *testing.T) {
	for _, tt := range []struct {
		name  string
		times int
		works bool
	}{
		{"it expires once", 1, true},
		{"it expires again", 2, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := kubetest.New(t, "healthy")
			s.Many(t, pageOf+1)
			s.Fail("pods", expiring(s, tt.times))
			list, err := open(t, s, Config{}).Pods(t.Context())
			if (err == nil) != tt.works {
				t.Fatal(err)
			}
			if tt.works && len(list.Items) != pageOf+1 {
				t.Errorf("%d pods", len(list.Items))
			}
			if !tt.works && !strings.Contains(err.Error(), "changes faster than it can be read") {
				t.Error(err)
			}
		})
	}
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	answers := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) })
	}
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	for _, tt := range []struct {
		name        string
		how         http.Handler
		says        string
		unavailable bool
	}{
		{"no JSON", answers("<html>"), "does not answer with a list", false},
		{"cut off", answers(`{"kind":"PodList","items":[{"metadata":`), "", true},
		{"no items", answers(`{"kind":"PodList"}`), "it has no items", false},
		{"items of another kind", answers(`{"items":{}}`), "items is no list", false},
		{"a field of another type", answers(`{"items":[{"metadata":{"name":5}}]}`), "does not answer with a list", false},
		{"a server that hangs", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}), "did not finish its answer within", true},
		{"a server that is overloaded", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			kubetest.Status(w, http.StatusTooManyRequests, "TooManyRequests", "too many requests, please try again later")
		}), "please try again later", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := kubetest.New(t, "healthy")
			s.Fail("pods", tt.how)
			_, err := open(t, s, Config{Timeout: 200 * time.Millisecond}).Pods(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.says) || errors.Is(err, ErrUnavailable) != tt.unavailable {
				t.Error(err)
			}
		})
	}
}

func TestARightThatIsMissingIsNamed(t *testing.T) {
	s := kubetest.New(t, "healthy")
	s.Forbid("replicasets")
	_, err := open(t, s, Config{}).Revisions(t.Context(), nil)
	refused, ok := errors.AsType[*ForbiddenError](err)
	if !ok || refused.Resource != ReplicaSetResource {
		t.Fatal(err)
	}
	if want := `{apiGroups: ["apps"], resources: [replicasets], verbs: [get, list]}`; !strings.Contains(err.Error(), want) {
		t.Errorf("%s\nhas no %s", err, want)
	}
}

func TestATokenThatIsNotTakenIsSaidAndNotShown(t *testing.T) {
	s := kubetest.New(t, "healthy")
	file := s.Kubeconfig(t)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(text), kubetest.Token, "another-token")), 0o600); err != nil {
		t.Fatal(err)
	}
	k := New(Config{Kubeconfig: file})
	if _, err = k.Version(t.Context()); err == nil || !strings.Contains(err.Error(), "does not know who asks") || strings.Contains(err.Error(), "another-token") {
		t.Error(err)
	}
	// Whoever rotates it replaces the file.
	if err := os.WriteFile(file, append(text, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	if v, err := k.Version(t.Context()); err != nil || v != "v1.34.2" {
		t.Errorf("%s, %v", v, err)
	}
}

func TestAPodAsksItsOwnClusterWithATokenThatIsReplaced(t *testing.T) {
	s := kubetest.New(t, "healthy")
	host, port, _ := strings.Cut(strings.TrimPrefix(s.URL(), "https://"), ":")
	t.Setenv("KUBERNETES_SERVICE_HOST", host)
	t.Setenv("KUBERNETES_SERVICE_PORT", port)
	dir := t.TempDir()
	k := New(Config{})
	k.account = dir
	if _, err := k.Version(t.Context()); err == nil || !strings.Contains(err.Error(), "automountServiceAccountToken") {
		t.Error(err)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("ca.crt", s.CA())
	write("token", "expired")
	if _, err := k.Version(t.Context()); err == nil {
		t.Error("a wrong token is taken")
	}
	write("token", kubetest.Token+"\n")
	if _, err := k.Version(t.Context()); err != nil {
		t.Error(err)
	}
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	if _, err := New(Config{}).Version(t.Context()); err == nil || !strings.Contains(err.Error(), "name a kubeconfig") {
		t.Error(err)
	}
}

func TestAClientCertificateIsShown(t *testing.T) {
	h := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) == 0 {
			kubetest.Status(w, http.StatusUnauthorized, "Unauthorized", "Unauthorized")
			return
		}
		_, _ = fmt.Fprint(w, `{"gitVersion":"v1.34.2"}`)
	}))
	h.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	h.StartTLS()
	t.Cleanup(h.Close)
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.Certificate().Raw})
	key := keyOf(t, h)
	for _, with := range []bool{true, false} {
		user := "{}"
		if with {
			user = fmt.Sprintf("{client-certificate-data: %s, client-key-data: %s}", base64.StdEncoding.EncodeToString(cert), base64.StdEncoding.EncodeToString(key))
		}
		file := filepath.Join(t.TempDir(), "kubeconfig")
		text := fmt.Sprintf("current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: %q, certificate-authority-data: %s}}]\nusers: [{name: u, user: %s}]\n",
			h.URL, base64.StdEncoding.EncodeToString(cert), user)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := New(Config{Kubeconfig: file}).Version(t.Context()); (err == nil) != with {
			t.Errorf("with a certificate: %v: %v", with, err)
		}
	}
}

func TestACancelledQuestionEnds(t *testing.T) {
	s := kubetest.New(t, "healthy")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := open(t, s, Config{}).Pods(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
}
