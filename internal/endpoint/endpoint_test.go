package endpoint_test

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/internal/endpoint"
)

func TestAnAddress(t *testing.T) {
	for _, tt := range []struct {
		name, address string
		given         bool
		says          string // "": it is right
	}{
		{"of this machine", "127.0.0.1:4231", false, ""},
		{"of this machine by its name", "localhost:4231", false, ""},
		{"of this machine in IPv6", "[::1]:4231", false, ""},
		{"of all machines with a token", "0.0.0.0:4231", true, ""},
		{"of all machines", ":4231", false, "--http :4231 can be reached from other machines: give --http-token-file, or listen on 127.0.0.1"},
		{"of a name", "web-1:4231", false, "can be reached"},
		{"without a host", "4231", true, `--http "4231": it is host:port, such as 127.0.0.1:4231`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := endpoint.CheckAddress("--http", tt.address, "127.0.0.1:4231", "--http-token-file", tt.given)
			if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("it says %v, want %q", err, tt.says)
			}
		})
	}
}

func TestATokenOfAFile(t *testing.T) {
	const token = "correct-horse-battery"
	for _, tt := range []struct{ name, text, says string }{
		{"a line", token + "\n", ""},
		{"a few characters", "short", "the token has 5 characters (at least 16)"},
		{"no line", "\n", "the token has 0 characters"},
		{"another file", strings.Repeat(token, 1000), "a token is one line"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := endpoint.TokenFile("--http-token-file", file)
			if tt.says == "" {
				if got != token || err != nil {
					t.Errorf("%q, %v", got, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), "--http-token-file "+file) || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "short") || strings.Contains(err.Error(), token) {
				t.Errorf("it says %v, want %q", err, tt.says)
			}
		})
	}
	if got, err := endpoint.TokenFile("--http-token-file", ""); got != "" || err != nil {
		t.Errorf("without a file: %q, %v", got, err)
	}
	if _, err := endpoint.TokenFile("--http-token-file", filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "--http-token-file: open") {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestWhoBearsTheToken(t *testing.T) {
	for header, want := range map[string]bool{"Bearer s3cret": true, "Bearer s3cre": false, "s3cret": false, "": false} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", header)
		if got := endpoint.Bears(r, "s3cret"); got != want {
			t.Errorf("%q: %v", header, got)
		}
	}
}

func TestNothingIsServedOnceItIsStopped(t *testing.T) {
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })}
	stop := endpoint.Serve(l, s, slog.New(slog.DiscardHandler), "/")
	resp, err := http.Get("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%s, %v", resp.Status, err)
	}
	stop()
	if resp, err := http.Get("http://" + l.Addr().String()); err == nil {
		_ = resp.Body.Close()
		t.Error("it is served on")
	}
}
