package httpapi

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Config says where one server answers over HTTP, and how it may be asked.
type Config struct {
	// URL is the base of the server's HTTP interface, with the path below which it is
	// served, if any: http://127.0.0.1:8222.
	URL string `yaml:"url"`
	// TokenFile is a file with a bearer token to send; it is read anew for each request.
	TokenFile string `yaml:"token_file"`
	// User is the name for basic authentication; it needs password_file.
	User string `yaml:"user"`
	// PasswordFile is a file with the password of user; it is read anew for each request.
	PasswordFile string `yaml:"password_file"`
	// TLS is how an address of https is checked.
	TLS TLS `yaml:"tls"`
	// Timeout is how long one answer may take (default 5s, at most 30s).
	Timeout time.Duration `yaml:"timeout"`
}

// TLS is how a connection of https is made. Its files are read anew for each connection.
type TLS struct {
	// CAFile is a file of certificates (PEM), by one of which the server's must be signed
	// (default: those of the system).
	CAFile string `yaml:"ca_file"`
	// CertFile is the certificate (PEM) to show where the server asks for one; it needs key_file.
	CertFile string `yaml:"cert_file"`
	// KeyFile is the key (PEM) of cert_file.
	KeyFile string `yaml:"key_file"`
	// ServerName is the name in the server's certificate (default: that of url).
	ServerName string `yaml:"server_name"`
}

// Keys are what somebody else's configuration says in itself instead of naming a file
// of it. What is there goes before the file of Config. They are never shown.
type Keys struct {
	Token         string // bearer token
	CA, Cert, Key []byte // as ca_file, cert_file and key_file have them: PEM
}

const (
	defaultTimeout = 5 * time.Second
	longestTimeout = 30 * time.Second
	longestSecret  = 16 << 10 // bytes of a file with a token or a password
	longestPEM     = 1 << 20  // bytes of a file with certificates or a key
)

// Validate names every wrong setting. It shows no password, not even one in the URL.
func (c Config) Validate() error {
	var errs []error
	u, err := url.Parse(c.URL)
	switch {
	case c.URL == "":
		errs = append(errs, errors.New("url: it is missing: where the server answers, as http://127.0.0.1:8222"))
	case err != nil:
		errs = append(errs, errors.New("url: it is no URL: write it as http://127.0.0.1:8222")) // the cause would show a password
	case u.User != nil:
		errs = append(errs, errors.New("url: it has a user or password in it: use user and password_file, or token_file"))
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		errs = append(errs, fmt.Errorf("url: %q must begin with http:// or https:// and name a host", u.Redacted()))
	case u.RawQuery != "" || u.Fragment != "":
		errs = append(errs, errors.New("url: it must end with a path: what is asked is added to it"))
	case u.Scheme == "http" && c.TLS != TLS{}:
		errs = append(errs, errors.New("tls: url begins with http://: write https:// or leave tls out"))
	}
	if (c.User == "") != (c.PasswordFile == "") {
		errs = append(errs, errors.New("user, password_file: one of them is missing"))
	}
	if c.User != "" && c.TokenFile != "" {
		errs = append(errs, errors.New("user, token_file: a request shows one of them: choose"))
	}
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		errs = append(errs, errors.New("tls.cert_file, tls.key_file: one of them is missing"))
	}
	if c.Timeout < 0 || c.Timeout > longestTimeout {
		errs = append(errs, fmt.Errorf("timeout: %s must be from 0 to %s; 0 is the default", c.Timeout, longestTimeout))
	}
	return errors.Join(errs...)
}

// Addresses returns where the server is asked, as host:port. It is for configurations
// that Validate has passed.
func (c Config) Addresses() []string {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" {
		return nil
	}
	port := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	return []string{net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port))}
}

// authorize adds who asks.
func (c Config) authorize(r *http.Request, k Keys) error {
	switch {
	case k.Token != "":
		r.Header.Set("Authorization", "Bearer "+k.Token)
	case c.TokenFile != "":
		token, err := secret("token_file", c.TokenFile)
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+token)
	case c.User != "":
		password, err := secret("password_file", c.PasswordFile)
		if err != nil {
			return err
		}
		r.SetBasicAuth(c.User, password)
	}
	return nil
}

// secret reads what one line of a file says.
func secret(key, file string) (string, error) {
	b, err := read(key, file, longestSecret)
	if err != nil {
		return "", err
	}
	s := strings.TrimSpace(string(b))
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' }) {
		return "", fmt.Errorf("%s: %s must have one line and nothing else", key, file)
	}
	return s, nil
}

// connection returns how a connection of https to a host is made.
func (t TLS) connection(host string, k Keys) (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: cmp.Or(t.ServerName, host)}
	ca, err := either(k.CA, "tls.ca_file", t.CAFile)
	if err != nil {
		return nil, err
	}
	if len(ca) > 0 {
		if out.RootCAs = x509.NewCertPool(); !out.RootCAs.AppendCertsFromPEM(ca) {
			return nil, fmt.Errorf("tls.ca_file: %s has no certificate in PEM", cmp.Or(t.CAFile, "what is given"))
		}
	}
	cert, err := either(k.Cert, "tls.cert_file", t.CertFile)
	if err != nil || len(cert) == 0 {
		return out, err
	}
	key, err := either(k.Key, "tls.key_file", t.KeyFile)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("tls.cert_file, tls.key_file: %w", err)
	}
	out.Certificates = []tls.Certificate{pair}
	return out, nil
}

// either returns what is given, or else what a file has; nil when there is neither.
func either(given []byte, key, file string) ([]byte, error) {
	if len(given) > 0 || file == "" {
		return given, nil
	}
	return read(key, file, longestPEM)
}

// read reads a file that has at most so many bytes.
func read(key, file string, most int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	if int64(len(b)) > most {
		return nil, fmt.Errorf("%s: %s has more than %d bytes: it is another file", key, file, most)
	}
	return b, nil
}
