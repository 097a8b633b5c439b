package beam

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/beamtest"
)

// authority signs certificates for a test and writes them into a folder.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, dir, name string) *authority {
	t.Helper()
	a := &authority{t: t, dir: dir}
	a.cert, a.key = a.issue(name, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil)
	return a
}

// issue makes a certificate of a template, signed by a's own or, without one, by itself.
func (a *authority) issue(name string, template *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber, template.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent := a.cert
	if signer == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name + ".pem": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(a.dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

// leaf signs a certificate of a node or a probe.
func (a *authority) leaf(name string, hosts ...string) {
	a.t.Helper()
	a.issue(name, &x509.Certificate{DNSNames: hosts, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}, a.key)
}

func TestANodeOverTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := newAuthority(t, dir, "ca")
	ca.leaf("node", "shop.example")
	ca.leaf("probe")
	newAuthority(t, dir, "stranger")
	in := func(name string) string { return filepath.Join(dir, name) }
	options := fmt.Sprintf(`[{server, [{certfile, %q}, {keyfile, %q}, {cacertfile, %q}, {verify, verify_peer}, {fail_if_no_peer_cert, true}]},
 {client, [{certfile, %q}, {keyfile, %q}, {cacertfile, %q}, {verify, verify_peer}]}].`,
		in("node.pem"), in("node.key"), in("ca.pem"), in("node.pem"), in("node.key"), in("ca.pem"))
	if err := os.WriteFile(in("ssl.conf"), []byte(options), 0o600); err != nil {
		t.Fatal(err)
	}
	of := beamtest.Start(t, beamtest.Options{Args: []string{"-proto_dist", "inet_tls", "-ssl_dist_optfile", in("ssl.conf")}})
	whole := TLS{CA: in("ca.pem"), Cert: in("probe.pem"), Key: in("probe.key")}
	for name, tt := range map[string]struct {
		change func(*TLS)
		want   string
	}{
		"the chain is right":            {func(*TLS) {}, ""},
		"and the name":                  {func(c *TLS) { c.ServerName = "shop.example" }, ""},
		"another name":                  {func(c *TLS) { c.ServerName = "till.example" }, "till.example"},
		"signed by somebody else":       {func(c *TLS) { c.CA = in("stranger.pem") }, "unknown authority"},
		"the probe has no certificate":  {func(c *TLS) { c.Cert, c.Key = "", "" }, "cannot be reached"},
		"a file that is no certificate": {func(c *TLS) { c.CA = in("ssl.conf") }, "holds no certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			n := with(t, of, func(c *Config) { own := whole; tt.change(&own); c.TLS = &own })
			_, err := n.Vitals(t.Context())
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	t.Run("plain TCP to it", func(t *testing.T) {
		if _, err := with(t, of, func(c *Config) { c.Timeout = 3 * time.Second }).Vitals(t.Context()); err == nil {
			t.Error("it answers")
		}
	})
}
