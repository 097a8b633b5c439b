package proc_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/fleetlens/fleetlens/internal/bus/natsd"
	"github.com/fleetlens/fleetlens/internal/proc"
)

// settings are of a process that has none.
type settings struct{}

func (settings) Flags(*pflag.FlagSet)     {}
func (settings) Sections() map[string]any { return nil }
func (settings) Validate() error          { return nil }

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // it was only asked for a port
	return l.Addr().String()
}

// ask gets a page; 0: nobody serves.
func ask(t *testing.T, url string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// await gets a page until it answers so.
func await(t *testing.T, url string, code int, text string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(time.Minute)
	for {
		got, body := ask(t, url)
		if got == code && strings.Contains(body, text) {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%s still answers %d %s, want %d %s", url, got, body, code, text)
		}
	}
}

func TestAProcessIsReadyWhileItIsConnectedAndTakesWork(t *testing.T) {
	addr, store := freeAddr(t), t.TempDir()
	nats := freeAddr(t)
	host, port, err := net.SplitHostPort(nats)
	if err != nil {
		t.Fatal(err)
	}
	number, err := net.LookupPort("tcp", port)
	if err != nil {
		t.Fatal(err)
	}
	start := func() *natsd.Server {
		s, err := natsd.Start(natsd.Options{StoreDir: store, Host: host, Port: number})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Stop)
		return s
	}
	begin := make(chan struct{})
	cmd := proc.Command("tester", "Test.", settings{}, func(ctx context.Context, env proc.Env) error {
		conn, err := env.Dial(ctx, "tester/one")
		if err != nil {
			return err
		}
		defer conn.Close()
		<-begin
		env.Ready()
		<-ctx.Done()
		return nil
	})
	cmd.SetArgs([]string{"--server", "nats://" + nats, "--http", addr, "--log-level", "error"})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- cmd.ExecuteContext(ctx) }()
	ready, metrics := "http://"+addr+"/readyz", "http://"+addr+"/metrics"

	await(t, ready, 503, "NATS: it is not connected yet")
	server := start()
	await(t, ready, 503, "it takes no work yet")
	close(begin)
	await(t, ready, 200, "ok")
	await(t, metrics, 200, `fleetlens_bus_connected{connection="tester"} 1`)
	server.Stop()
	await(t, ready, 503, "NATS: the connection is down")
	await(t, metrics, 200, `fleetlens_bus_connected{connection="tester"} 0`)
	await(t, "http://"+addr+"/healthz", 200, "ok")
	start()
	await(t, ready, 200, "ok")
	await(t, metrics, 200, `fleetlens_bus_reconnects_total{connection="tester"} 1`)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if code, _ := ask(t, ready); code != 0 {
		t.Errorf("it serves on: %d", code)
	}
}
