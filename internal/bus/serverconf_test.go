package bus_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"fmt"
	"maps"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

var update = flag.Bool("update", false, "write deploy/nats anew")

const deployDir = "../../deploy/nats"

func TestServerFilesAreFresh(t *testing.T) {
	files, err := bus.ServerFiles()
	if err != nil {
		t.Fatal(err)
	}
	paths := map[string]string{"../helm/fleetlens/files/nats.conf": files["single.conf"]} // a chart reads no file outside of it
	maps.Copy(paths, files)
	for name, want := range paths {
		path := filepath.Join(deployDir, name)
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s is not what the table says: go test ./internal/bus -run ServerFiles -update", path)
		}
	}
	readme, err := os.ReadFile(filepath.Join(deployDir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadDir(deployDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range have {
		if f.Name() == "README.md" {
			continue
		}
		if _, ok := files[f.Name()]; !ok {
			t.Errorf("nothing makes %s", f.Name())
		}
		if !strings.Contains(string(readme), f.Name()) && !strings.HasPrefix(f.Name(), "cluster-") {
			t.Errorf("README.md does not name %s", f.Name())
		}
	}
	for _, r := range bus.Roles() {
		if !strings.Contains(string(readme), bus.PasswordVariable(r.Name)) {
			t.Errorf("README.md does not name %s", bus.PasswordVariable(r.Name))
		}
		if row := "| `" + r.Name + "` | " + r.Doc + " |"; !strings.Contains(string(readme), row) {
			t.Errorf("README.md lacks the row %s", row)
		}
	}
}

func TestStaticUsersRefuseANameThatWidensThem(t *testing.T) {
	for _, node := range []string{"*", ">", "a.b", `x", "y`} {
		if _, err := bus.StaticUsers(node); err == nil {
			t.Errorf("a node called %s got a user", node)
		}
	}
}

// passwords gives the servers what they read from their environment.
func passwords(t *testing.T) {
	t.Helper()
	for _, r := range bus.Roles() {
		t.Setenv(bus.PasswordVariable(r.Name), "p"+r.Name+"0e12")
	}
	t.Setenv("FLEETLENS_LEAF_PASSWORD", "pleaf")
	t.Setenv("FLEETLENS_SITE", "site-1")
}

// start runs a copy of deploy/nats/file and waits until it is ready.
func start(t *testing.T, file string, change ...string) *server.Server {
	t.Helper()
	s := startLater(t, file, change...)
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatalf("%s: the server is not ready", file)
	}
	return s
}

// startLater is start without the waiting. Only what a test cannot have is another
// than in the files: ports, folders, the names of the other servers.
func startLater(t *testing.T, file string, change ...string) *server.Server {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(deployDir)); err != nil {
		t.Fatal(err)
	}
	all := append([]string{"0.0.0.0:4222", "127.0.0.1:-1", "127.0.0.1:8222", "127.0.0.1:-1", "0.0.0.0:7422", "127.0.0.1:-1", "store_dir: /data", "store_dir: " + t.TempDir()}, change...)
	for name := range mustFiles(t) {
		path := filepath.Join(dir, name)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.NewReplacer(all...).Replace(string(b))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	opts, err := server.ProcessConfigFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	opts.NoSigs, opts.NoLog = true, true
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return s
}

func mustFiles(t *testing.T) map[string]string {
	t.Helper()
	files, err := bus.ServerFiles()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func dialAs(t *testing.T, s *server.Server, role, name string, cfg bus.Config) *bus.Conn {
	t.Helper()
	cfg.Server, cfg.User, cfg.Password = s.ClientURL(), name, bus.Secret(os.Getenv(bus.PasswordVariable(role)))
	c, err := bus.Dial(t.Context(), cfg, role+"/"+name, natstest.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// worksThrough sets up as the coordinator and publishes as the probe.
func worksThrough(t *testing.T, coordinator, probe *server.Server, replicas int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := dialAs(t, coordinator, bus.CoordinatorRole, "coordinator", bus.Config{}).Setup(ctx, bus.SetupOptions{Replicas: replicas}); err != nil {
		t.Fatal(err)
	}
	p := dialAs(t, probe, bus.ProbeRole, bus.ExampleNode, bus.Config{})
	if _, err := p.Publish(ctx, bus.Outgoing{Subject: protocol.ChangeSubject(bus.ExampleNode, "x"), Body: change(bus.ExampleNode, "x")}); err != nil {
		t.Fatal(err)
	}
	refused, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if _, err := p.Publish(refused, bus.Outgoing{Subject: protocol.ChangeSubject("other", "x"), Body: change("other", "x")}); err == nil {
		t.Error("the probe published for another node")
	}
}

func TestOneServerFsyncsWhatItAcknowledges(t *testing.T) {
	passwords(t)
	s := start(t, "single.conf")
	if cfg := s.JetStreamConfig(); cfg == nil || !cfg.SyncAlways {
		t.Errorf("JetStream is %+v", cfg)
	}
	worksThrough(t, s, s, 0)
}

func TestAServerWithoutPasswordsDoesNotStart(t *testing.T) {
	for _, r := range bus.Roles() {
		if _, set := os.LookupEnv(bus.PasswordVariable(r.Name)); set {
			t.Fatalf("%s is set", bus.PasswordVariable(r.Name))
		}
	}
	if _, err := server.ProcessConfigFile(filepath.Join(deployDir, "single.conf")); err == nil {
		t.Error("the configuration was accepted")
	}
}

func TestThreeServersFormACluster(t *testing.T) {
	passwords(t)
	ports := freePorts(t, 3)
	var servers []*server.Server
	for n := 1; n <= 3; n++ {
		change := []string{"listen: 0.0.0.0:6222", fmt.Sprintf("listen: 127.0.0.1:%d", ports[n-1])}
		for i, port := range ports {
			change = append(change, fmt.Sprintf("nats-%d:6222", i+1), fmt.Sprintf("127.0.0.1:%d", port))
		}
		servers = append(servers, startLater(t, fmt.Sprintf("cluster-%d.conf", n), change...))
	}
	for _, s := range servers {
		if !s.ReadyForConnections(time.Minute) {
			t.Fatalf("%s is not ready", s.Name())
		}
	}
	eventually(t, "JetStream has a leader that all know", func() bool {
		leaders := 0
		for _, s := range servers {
			if s.JetStreamIsLeader() {
				leaders++
			}
			if !s.JetStreamIsCurrent() {
				return false
			}
		}
		return leaders == 1
	})
	worksThrough(t, servers[0], servers[1], 3)
}

func TestASiteReachesTheHubsStreamsThroughItsLeaf(t *testing.T) {
	passwords(t)
	hub := start(t, "single.conf", "include accounts.conf", "include accounts.conf\ninclude hub.conf")
	info, err := hub.Leafz(nil)
	if err != nil || info.NumLeafs != 0 {
		t.Fatalf("%+v, %v", info, err)
	}
	v, err := hub.Varz(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("FLEETLENS_HUB_URL", fmt.Sprintf(`"nats-leaf://leaf:pleaf@127.0.0.1:%d"`, v.LeafNode.Port))
	site := start(t, "leaf.conf")
	eventually(t, "the leaf is connected", func() bool { return hub.NumLeafNodes() == 1 && site.NumLeafNodes() == 1 })
	worksThrough(t, hub, site, 0)
}

func TestClientsSpeakTLSWithTheSnippet(t *testing.T) {
	passwords(t)
	dir := t.TempDir()
	certificates(t, dir)
	s := start(t, "single.conf", "# include tls.conf", "include tls.conf", "/etc/nats/tls", dir)
	c := dialAs(t, s, bus.CoordinatorRole, "coordinator", bus.Config{TLSCA: filepath.Join(dir, "ca.crt")})
	if _, err := c.Setup(t.Context(), bus.SetupOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestCredentialsTakeThePlaceOfStaticUsers(t *testing.T) {
	dir := t.TempDir()
	auth, err := bus.NewAuthority(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, "single.conf", "include accounts.conf", "include "+filepath.Join("..", filepath.Base(dir), bus.ResolverFile))
	creds, err := auth.Mint(bus.CoordinatorRole, "co-1")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "co-1.creds")
	if err := os.WriteFile(file, creds, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := bus.Dial(t.Context(), bus.Config{Server: s.ClientURL(), Creds: file}, "coordinator/co-1", natstest.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Setup(t.Context(), bus.SetupOptions{}); err != nil {
		t.Fatal(err)
	}
}

// freePorts returns ports that nobody listens at, of those that no system gives away by
// itself: another test may get those between this and the listening.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var ports []int
	for begin := time.Now(); len(ports) < n; {
		if time.Since(begin) > 10*time.Second {
			t.Fatal("there are no free ports")
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+mathrand.IntN(10_000)))
		if err != nil {
			continue
		}
		defer l.Close() //nolint:errcheck // the port is free then, one way or another
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// certificates writes an authority and a server's certificate for 127.0.0.1.
func certificates(t *testing.T, dir string) {
	t.Helper()
	write := func(name, kind string, der []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	sign := func(cert, parent *x509.Certificate, pub *ecdsa.PublicKey, by *ecdsa.PrivateKey) []byte {
		der, err := x509.CreateCertificate(rand.Reader, cert, parent, pub, by)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	caKey, serverKey := key(), key()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	srv := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "nats"}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	write("ca.crt", "CERTIFICATE", sign(ca, ca, &caKey.PublicKey, caKey))
	write("server.crt", "CERTIFICATE", sign(srv, ca, &serverKey.PublicKey, caKey))
	der, err := x509.MarshalPKCS8PrivateKey(serverKey)
	if err != nil {
		t.Fatal(err)
	}
	write("server.key", "PRIVATE KEY", der)
}
