package httpapi_test

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/httpapi"
)

const password = "hunter2-and-more"

func TestValidateNamesWhatIsWrong(t *testing.T) {
	good := httpapi.Config{URL: "https://nats:8222/base", User: "fleetlens", PasswordFile: "/p", Timeout: time.Second, TLS: httpapi.TLS{CAFile: "/ca", CertFile: "/c", KeyFile: "/k"}}
	if err := good.Validate(); err != nil {
		t.Errorf("a good configuration: %v", err)
	}
	if at := good.Addresses(); len(at) != 1 || at[0] != "nats:8222" {
		t.Errorf("it is at %v", at)
	}
	for _, tt := range []struct {
		name string
		cfg  httpapi.Config
		want string
	}{
		{"no address", httpapi.Config{}, "url: it is missing"},
		{"no URL", httpapi.Config{URL: "http://a b:%zz@" + password}, "url: it is no URL"},
		{"another scheme", httpapi.Config{URL: "nats://127.0.0.1:4222"}, "must begin with http:// or https://"},
		{"a password in the address", httpapi.Config{URL: "http://me:" + password + "@nats:8222"}, "use user and password_file"},
		{"a query", httpapi.Config{URL: "http://nats:8222/?a=b"}, "it must end with a path"},
		{"TLS for http", httpapi.Config{URL: "http://nats:8222", TLS: httpapi.TLS{CAFile: "/ca"}}, "write https://"},
		{"a user without a password", httpapi.Config{URL: "http://nats:8222", User: "me"}, "one of them is missing"},
		{"a certificate without a key", httpapi.Config{URL: "https://nats:8222", TLS: httpapi.TLS{CertFile: "/c"}}, "tls.cert_file, tls.key_file: one of them is missing"},
		{"a token and a user", httpapi.Config{URL: "http://nats:8222", User: "me", PasswordFile: "/p", TokenFile: "/t"}, "choose"},
		{"a timeout that is too long", httpapi.Config{URL: "http://nats:8222", Timeout: time.Hour}, "from 0 to 30s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.cfg.Validate()
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), password) {
				t.Errorf("it says %v, want %q", err, tt.want)
			}
		})
	}
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// ask asks a server for /varz and returns what it answered.
func ask(t *testing.T, c httpapi.Config, most int64) (string, error) {
	t.Helper()
	client := httpapi.New(c)
	t.Cleanup(client.Close)
	var got []byte
	err := client.Get(t.Context(), "/varz", nil, most, func(r io.Reader) (err error) {
		got, err = io.ReadAll(r)
		return err
	})
	return string(got), err
}

func TestWhoAsksIsShown(t *testing.T) {
	h := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, pass, basic := r.BasicAuth()
		if r.Header.Get("Authorization") != "Bearer "+password && (!basic || user != "fleetlens" || pass != password) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, r.Method+" "+r.URL.Path)
	}))
	t.Cleanup(h.Close)
	ca := file(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.Certificate().Raw})))
	secret := file(t, password+"\n")
	at := httpapi.Config{URL: h.URL + "/base", TLS: httpapi.TLS{CAFile: ca}}
	for _, tt := range []struct {
		name   string
		change func(*httpapi.Config)
		want   string // of the answer, or of the error
	}{
		{"a token", func(c *httpapi.Config) { c.TokenFile = secret }, "GET /base/varz"},
		{"a password", func(c *httpapi.Config) { c.User, c.PasswordFile = "fleetlens", secret }, "GET /base/varz"},
		{"nobody", func(*httpapi.Config) {}, `it answered "401 Unauthorized": give the probe token_file`},
		{"a wrong token", func(c *httpapi.Config) { c.TokenFile = file(t, "other") }, `it answered "401 Unauthorized"`},
		{"a token of two lines", func(c *httpapi.Config) { c.TokenFile = file(t, password+"\n"+password) }, "must have one line"},
		{"a token without an end", func(c *httpapi.Config) { c.TokenFile = "/dev/zero" }, "has more than 16384 bytes"},
		{"certificates without an end", func(c *httpapi.Config) { c.TLS.CAFile = "/dev/zero" }, "has more than 1048576 bytes"},
		{"an empty token", func(c *httpapi.Config) { c.TokenFile = file(t, "\n") }, "must have one line"},
		{"no file", func(c *httpapi.Config) { c.TokenFile = "/nowhere" }, "token_file: open /nowhere"},
		{"a certificate nobody knows", func(c *httpapi.Config) { c.TLS.CAFile = "" }, "tls.ca_file names who signs"},
		{"another name in the certificate", func(c *httpapi.Config) { c.TLS.ServerName = "nats.example.net" }, "tls.server_name the name in it"},
		{"no certificate in the file", func(c *httpapi.Config) { c.TLS.CAFile = secret }, "has no certificate in PEM"},
		{"no pair", func(c *httpapi.Config) { c.TLS.CertFile, c.TLS.KeyFile = secret, secret }, "tls.cert_file, tls.key_file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := at
			tt.change(&c)
			got, err := ask(t, c, 100)
			if err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, tt.want) || strings.Contains(got, password) {
				t.Errorf("it says %s, want %q", got, tt.want)
			}
		})
	}
}

func TestWhatIsNoAnswerSaysWhy(t *testing.T) {
	held := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/away/varz", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://192.0.2.1/varz", http.StatusFound)
	})
	mux.HandleFunc("/broken/varz", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "out of order", 500) })
	mux.HandleFunc("/silent/varz", func(http.ResponseWriter, *http.Request) { <-held })
	mux.HandleFunc("/cut/varz", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	h := httptest.NewServer(mux)
	t.Cleanup(func() { close(held); h.Close() })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, url, want string
		down            bool
	}{
		{"another address", h.URL + "/away", `it sends to "http://192.0.2.1/varz": name that address in url`, false},
		{"an error", h.URL + "/broken", `"500 Internal Server Error": "out of order"`, false},
		{"nothing there", h.URL + "/else", "is url the base of what the server serves", false},
		{"a server that hangs", h.URL + "/silent", "did not finish its answer within 200ms (timeout)", true},
		{"an answer that ends", h.URL + "/cut", "ended the connection", true},
		{"a server that is down", "http://" + l.Addr().String(), "nothing answers at", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ask(t, httpapi.Config{URL: tt.url, Timeout: 200 * time.Millisecond}, 100)
			if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, httpapi.ErrUnavailable) != tt.down {
				t.Errorf("it says %v, want %q, down %v", err, tt.want, tt.down)
			}
		})
	}
}

func TestALongAnswerIsTakenInPart(t *testing.T) {
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "0123456789") }))
	t.Cleanup(h.Close)
	if got, err := ask(t, httpapi.Config{URL: h.URL}, 4); got != "0123" || !errors.Is(err, httpapi.ErrTooLong) {
		t.Errorf("of ten bytes four are %q, %v", got, err)
	}
	if got, err := ask(t, httpapi.Config{URL: h.URL}, 10); got != "0123456789" || err != nil {
		t.Errorf("of ten bytes ten are %q, %v", got, err)
	}
}

func TestWhoHasNoTimeSaysNothingOfTheServer(t *testing.T) {
	h := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(h.Close)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := httpapi.New(httpapi.Config{URL: h.URL}).JSON(ctx, "/varz", nil, 1, new(any))
	if err == nil || errors.Is(err, httpapi.ErrUnavailable) {
		t.Errorf("it says %v", err)
	}
}
