package gopprof_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
)

// serve returns a client of a service that answers like this.
func serve(t *testing.T, c gopprof.Config, answer http.HandlerFunc) *gopprof.Service {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	c.URL, c.Cache = s.URL, time.Nanosecond
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return gopprof.New(c)
}

func text(kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		fmt.Fprint(w, body)
	}
}

// drip answers a byte after the other until nobody listens any more.
func drip(w http.ResponseWriter, r *http.Request) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
			_, _ = w.Write([]byte{0x1f})
			_ = http.NewResponseController(w).Flush()
		}
	}
}

func zipped(t *testing.T, body []byte) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWhatIsNoProfileIsAnErrorThatSaysWhatWouldBeRight(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"no net/http/pprof", http.NotFound, `let the service import _ "net/http/pprof"`},
		{"a web page", text("text/html; charset=utf-8", "<html>"), "it answered a web page: url must be the address of net/http/pprof"},
		{"a text", text("text/plain", "hello, world\n"), "its answer is no profile"},
		{"nothing", text("application/octet-stream", ""), "its answer is empty, not a profile"},
		{"half of a gzip", text("application/octet-stream", "\x1f\x8b\x08"), "its answer is no profile"},
		{"an error of the service", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "out of order", 500) }, `it answered "500 Internal Server Error": "out of order\n"`},
		{"a door", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, "give the probe a token with token_file"},
		{"another host", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere.example/", http.StatusFound)
		}, "it sends to another address (elsewhere.example)"},
		{"itself", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path+"/x", http.StatusFound) }, "without end"},
		{"one byte after the other", drip, "did not finish its answer within 300ms"},
		{"too many bytes", text("application/octet-stream", strings.Repeat("\x32\x00", 9<<20)), "more than 16 MiB"},
		{"a small file that becomes large", text("application/octet-stream", zipped(t, make([]byte, 65<<20))), "its profile has more than 64 MiB"},
		{"too many entries", text("application/octet-stream", zipped(t, bytes.Repeat([]byte{0x12, 0}, 100_001))), "more than 100000 samples"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := gopprof.Config{Timeout: 20 * time.Second}
			if strings.Contains(tt.want, "did not finish") {
				c.Timeout = 300 * time.Millisecond
			}
			s := serve(t, c, tt.answer)
			began := time.Now()
			_, err := s.Heap(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if d := time.Since(began); d > 10*time.Second {
				t.Errorf("it took %s", d)
			}
		})
	}
}

func TestADeadServiceIsToldByItsAddress(t *testing.T) {
	s := gopprof.New(gopprof.Config{URL: "http://127.0.0.1:1"})
	_, err := s.Goroutines(t.Context())
	if err == nil || !strings.Contains(err.Error(), "http://127.0.0.1:1/debug/pprof/goroutine: nothing answers there") || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("got %v", err)
	}
	if _, err := s.Runtime(t.Context()); err == nil || !strings.Contains(err.Error(), "nothing answers there") {
		t.Errorf("the runtime: %v", err)
	}
}

func TestOneQuestionAtATime(t *testing.T) {
	var at, most atomic.Int32
	s := serve(t, gopprof.Config{}, func(w http.ResponseWriter, _ *http.Request) {
		most.Store(max(most.Load(), at.Add(1)))
		defer at.Add(-1)
		http.Error(w, "busy", http.StatusServiceUnavailable)
	})
	done := make(chan error)
	for range 20 {
		go func() {
			_, err := s.Goroutines(t.Context())
			done <- err
		}()
	}
	for range 20 {
		if err := <-done; err == nil {
			t.Error("it answered")
		}
	}
	if most.Load() != 1 {
		t.Errorf("%d questions at a time", most.Load())
	}
}

func TestWhoWaitsForAHangingServiceHasTheSameErrorAtOnce(t *testing.T) {
	var asked atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		<-r.Context().Done()
	}))
	defer s.Close()
	c := gopprof.New(gopprof.Config{URL: s.URL, Timeout: 200 * time.Millisecond, Cache: 30 * time.Second})
	for range 5 {
		if _, err := c.Goroutines(t.Context()); err == nil || !strings.Contains(err.Error(), "it hangs or is too slow") {
			t.Errorf("got %v", err)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("the service was asked %d times", n)
	}
}

func TestAQuestionEndsWithItsContext(t *testing.T) {
	s := serve(t, gopprof.Config{Timeout: 20 * time.Second}, drip)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := s.Heap(ctx); err == nil || !strings.Contains(err.Error(), "did not finish") {
		t.Errorf("got %v", err)
	}
}

func TestATokenIsReadFromItsFileForEachQuestion(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	var got []string
	s := serve(t, gopprof.Config{TokenFile: file}, func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("Authorization"))
		http.Error(w, "no", 500)
	})
	if _, err := s.Heap(t.Context()); err == nil || !strings.Contains(err.Error(), "token_file: open") {
		t.Errorf("without the file: %v", err)
	}
	for _, token := range []string{"one\n", "two\n"} {
		if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _ = s.Heap(t.Context()) // what it answers is no profile
	}
	if fmt.Sprint(got) != "[Bearer one Bearer two]" {
		t.Errorf("it sent %q", got)
	}
}

func TestAServiceThatTellsNothing(t *testing.T) {
	s := serve(t, gopprof.Config{}, http.NotFound)
	if _, err := s.Runtime(t.Context()); err == nil || !strings.Contains(err.Error(), "neither Prometheus metrics nor expvar nor net/http/pprof are there") {
		t.Errorf("got %v", err)
	}
}

func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		name string
		c    gopprof.Config
		want string
	}{
		{"the least", gopprof.Config{URL: "http://127.0.0.1:6060"}, ""},
		{"all", gopprof.Config{URL: "https://x", Pprof: "/p", Vars: "-", Metrics: "http://x:9090/m", Timeout: time.Second, Cache: time.Second, MaxCPU: 50}, ""},
		{"no url", gopprof.Config{}, "url: it is missing"},
		{"no scheme", gopprof.Config{URL: "127.0.0.1:6060"}, "url: it is no URL"},
		{"another scheme", gopprof.Config{URL: "ftp://x"}, `url: "ftp://x" must begin with http://`},
		{"a password", gopprof.Config{URL: "http://me:secret@x"}, "put a bearer token into token_file"},
		{"a relative path", gopprof.Config{URL: "http://x", Metrics: "metrics"}, "metrics: it must be a path that begins with / or a URL"},
		{"pprof nowhere", gopprof.Config{URL: "http://x", Pprof: "-"}, "pprof: it must be"},
		{"a negative time", gopprof.Config{URL: "http://x", Timeout: -1}, "timeout: -1ns must be from 0 to 30s"},
		{"too long a time", gopprof.Config{URL: "http://x", Cache: time.Hour}, "cache: 1h0m0s must be from 0 to 30s"},
		{"too much", gopprof.Config{URL: "http://x", MaxCPU: 101}, "max_cpu_pct: 101 must be from 0 to 100"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.c.Validate()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error tells the password: %v", err)
			}
		})
	}
}
