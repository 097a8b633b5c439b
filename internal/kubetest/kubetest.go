// Package kubetest is a recorded API server of Kubernetes, for tests: no cluster can run in
// them. It serves lists in the shape of https://kubernetes.io/docs/reference/kubernetes-api/,
// in pages as https://kubernetes.io/docs/reference/using-api/api-concepts/ has them, and
// answers errors with Status objects. What watches, admits or writes is not there.
package kubetest

import (
	"bytes"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

//go:embed testdata
var recorded embed.FS

// recordedAt is when the states were recorded. Their times are moved so that it is now:
// what was a minute ago then is a minute ago.
var recordedAt = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// Token is what the server wants to be shown.
const Token = "kubetest-token"

// A Server is a recorded API server. Its fields are set before it is asked.
type Server struct {
	http *httptest.Server

	mu      sync.Mutex
	lists   map[string]list         // by resource
	version json.RawMessage         // of /version
	fails   map[string]http.Handler // by resource
	asked   []string
}

type list struct {
	Kind       string            `json:"kind"`
	APIVersion string            `json:"apiVersion"`
	Metadata   meta              `json:"metadata"`
	Items      []json.RawMessage `json:"items"`
}

type meta struct {
	ResourceVersion string `json:"resourceVersion"`
	Continue        string `json:"continue,omitempty"`
	Remaining       int    `json:"remainingItemCount,omitempty"`
}

// New starts a server over TLS that is in a state: a folder of testdata, on top of
// "healthy". It ends with the test.
func New(t testing.TB, state string) *Server {
	t.Helper()
	s := &Server{fails: map[string]http.Handler{}}
	s.Become(t, state)
	s.http = httptest.NewTLSServer(s)
	t.Cleanup(s.http.Close)
	return s
}

// Become puts the server into another state.
func (s *Server) Become(t testing.TB, state string) {
	t.Helper()
	lists := map[string]list{}
	var version json.RawMessage
	for _, folder := range []string{"healthy", state} {
		files, err := recorded.ReadDir("testdata/" + folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			raw, err := recorded.ReadFile("testdata/" + folder + "/" + f.Name())
			if err != nil {
				t.Fatal(err)
			}
			raw = moved(raw, time.Since(recordedAt))
			resource := strings.TrimSuffix(f.Name(), ".json")
			if resource == "version" {
				version = raw
				continue
			}
			var l list
			if err := json.Unmarshal(raw, &l); err != nil {
				t.Fatalf("%s/%s: %v", folder, f.Name(), err)
			}
			lists[resource] = l
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lists, s.version = lists, version
}

var stamp = regexp.MustCompile(`"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ"`)

// moved moves every time of a text.
func moved(text []byte, by time.Duration) []byte {
	return stamp.ReplaceAllFunc(text, func(b []byte) []byte {
		at, err := time.Parse(time.RFC3339, string(b[1:len(b)-1]))
		if err != nil {
			return b
		}
		return []byte(`"` + at.Add(by).UTC().Format(time.RFC3339) + `"`)
	})
}

// Many makes n pods of the first recorded one, each with a name of its own.
func (s *Server) Many(t testing.TB, n int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lists["pods"]
	var first map[string]any
	if err := json.Unmarshal(l.Items[0], &first); err != nil {
		t.Fatal(err)
	}
	of := first["metadata"].(map[string]any)
	name := of["name"].(string)
	l.Items = nil
	for i := range n {
		of["name"], of["uid"] = fmt.Sprintf("%s-%05d", name, i), fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
		raw, err := json.Marshal(first)
		if err != nil {
			t.Fatal(err)
		}
		l.Items = append(l.Items, raw)
	}
	s.lists["pods"] = l
}

// Fail has a handler answer for a resource; nil takes that back.
func (s *Server) Fail(resource string, how http.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if how == nil {
		delete(s.fails, resource)
		return
	}
	s.fails[resource] = how
}

// Forbid has the server refuse a resource, as RBAC does.
func (s *Server) Forbid(resource string) {
	s.Fail(resource, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		Status(w, http.StatusForbidden, "Forbidden", resource+` is forbidden: User "system:serviceaccount:fleetlens:probe" cannot list resource "`+resource+`" in API group "" at the cluster scope`)
	}))
}

// Status answers with a Status object.
func Status(w http.ResponseWriter, code int, reason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"kind": "Status", "apiVersion": "v1", "metadata": map[string]any{}, "status": "Failure", "message": message, "reason": reason, "code": code,
	})
}

// URL is where the server is.
func (s *Server) URL() string { return s.http.URL }

// CA returns the certificate (PEM) that the server's is signed by.
func (s *Server) CA() string {
	return "-----BEGIN CERTIFICATE-----\n" + base64.StdEncoding.EncodeToString(s.http.Certificate().Raw) + "\n-----END CERTIFICATE-----\n"
}

// Kubeconfig writes a kubeconfig for the server and returns its path.
func (s *Server) Kubeconfig(t testing.TB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: recorded, user: probe}}]
clusters: [{name: recorded, cluster: {server: %q, certificate-authority-data: %s}}]
users: [{name: probe, user: {token: %s}}]
`, s.URL(), base64.StdEncoding.EncodeToString([]byte(s.CA())), Token)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Asked returns the requests so far, as method and address.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(r.URL.Path, "/")
	resource := parts[len(parts)-1]
	namespace := ""
	if i := len(parts) - 3; i > 0 && parts[i] == "namespaces" {
		namespace = parts[i+1]
	}
	s.mu.Lock()
	s.asked = append(s.asked, r.Method+" "+r.URL.String())
	l, there := s.lists[resource]
	how, version := s.fails[resource], s.version
	s.mu.Unlock()
	switch {
	case r.Header.Get("Authorization") != "Bearer "+Token:
		Status(w, http.StatusUnauthorized, "Unauthorized", "Unauthorized")
	case r.Method != http.MethodGet:
		Status(w, http.StatusMethodNotAllowed, "MethodNotAllowed", "the recorded server answers GET alone")
	case how != nil:
		how.ServeHTTP(w, r)
	case r.URL.Path == "/version":
		_, _ = w.Write(version)
	case !there:
		Status(w, http.StatusNotFound, "NotFound", "the server could not find the requested resource")
	default:
		serve(w, r, l, namespace)
	}
}

// serve answers with a page of a list.
func serve(w http.ResponseWriter, r *http.Request, l list, namespace string) {
	q := r.URL.Query()
	var chosen [][]byte
	all := namespace == "" && q.Get("labelSelector") == "" && q.Get("fieldSelector") == ""
	for _, raw := range l.Items {
		if all || chosenBy(raw, namespace, q.Get("labelSelector"), q.Get("fieldSelector")) {
			chosen = append(chosen, raw)
		}
	}
	from := 0
	if token := q.Get("continue"); token != "" {
		raw, wrong := base64.RawURLEncoding.DecodeString(token)
		n, err := strconv.Atoi(string(raw))
		if from = n; wrong != nil || err != nil || n < 0 || n > len(chosen) {
			Status(w, http.StatusBadRequest, "BadRequest", "continue key is not valid")
			return
		}
	}
	to := len(chosen)
	if limit, err := strconv.Atoi(q.Get("limit")); err == nil && limit > 0 && from+limit < to {
		to = from + limit
		l.Metadata.Continue, l.Metadata.Remaining = base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(to))), len(chosen)-to
	}
	head, _ := json.Marshal(l.Metadata)
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"kind":%q,"apiVersion":%q,"metadata":%s,"items":[%s]}`+"\n", l.Kind, l.APIVersion, head, bytes.Join(chosen[from:to], []byte{','}))
}

// chosenBy reports whether selectors of equality choose a thing.
func chosenBy(raw json.RawMessage, namespace, labels, fields string) bool {
	var o struct {
		Metadata struct {
			Name      string            `json:"name"`
			Namespace string            `json:"namespace"`
			Labels    map[string]string `json:"labels"`
		} `json:"metadata"`
		Type string `json:"type"`
		Of   struct {
			Name string `json:"name"`
		} `json:"involvedObject"`
	}
	if json.Unmarshal(raw, &o) != nil || namespace != "" && o.Metadata.Namespace != namespace {
		return false
	}
	has := map[string]string{"metadata.name": o.Metadata.Name, "type": o.Type, "involvedObject.name": o.Of.Name}
	return equal(labels, o.Metadata.Labels) && equal(fields, has)
}

func equal(selector string, has map[string]string) bool {
	want := map[string]string{}
	for pair := range strings.SplitSeq(selector, ",") {
		if k, v, ok := strings.Cut(pair, "="); ok {
			want[k] = v
		}
	}
	got := map[string]string{}
	for k := range want {
		got[k] = has[k]
	}
	return maps.Equal(want, got)
}
