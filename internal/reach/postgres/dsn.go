package postgres

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// A DSN is a connection string. It may hold a password, so it is never printed or
// logged.
type DSN string

// String implements fmt.Stringer.
func (DSN) String() string { return "[redacted]" }

// GoString implements fmt.GoStringer.
func (DSN) GoString() string { return "[redacted]" }

// MarshalText implements encoding.TextMarshaler.
func (DSN) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// LogValue implements slog.LogValuer.
func (DSN) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// parse reads the connection string. The error tells what is wrong with it where
// that is known to show nothing of a password.
func (d DSN) parse() (*pgconn.Config, error) {
	const right = "write postgres://role@host:5432/database, or host=… port=5432 user=… dbname=…"
	cfg, err := pgconn.ParseConfig(string(d))
	if err == nil {
		return cfg, nil
	}
	secrets, known := d.secrets()
	_, why, found := strings.Cut(err.Error(), "`: ")
	if !known || !found {
		return nil, errors.New("dsn: it is no connection string: " + right)
	}
	for _, s := range secrets {
		if s != "" && strings.Contains(why, s) {
			return nil, errors.New("dsn: it cannot be read: " + right)
		}
	}
	return nil, fmt.Errorf("dsn: %s: %s", why, right)
}

var keyedPassword = regexp.MustCompile(`(?i)password\s*=\s*(?:'((?:[^'\\]|\\.)*)'|(\S*))`)

// secrets returns what is secret in the connection string, and whether it could be told.
func (d DSN) secrets() (list []string, known bool) {
	s := string(d)
	if strings.Contains(s, "://") {
		u, err := url.Parse(s)
		if err != nil {
			return nil, false
		}
		if p, ok := u.User.Password(); ok {
			list = append(list, p)
		}
		return append(list, u.Query().Get("password"), u.Query().Get("sslpassword")), true
	}
	for _, m := range keyedPassword.FindAllStringSubmatch(s, -1) {
		list = append(list, m[1]+m[2])
	}
	return list, strings.Contains(s, "=")
}

// Addresses returns where the servers of the connection string are, as host:port or
// as the path of a socket; none of one that cannot be read.
func (c Config) Addresses() []string {
	cfg, err := c.DSN.parse()
	if err != nil {
		return nil
	}
	at := func(host string, port uint16) string {
		_, address := pgconn.NetworkAddress(host, port)
		return address
	}
	out := []string{at(cfg.Host, cfg.Port)}
	for _, f := range cfg.Fallbacks {
		out = append(out, at(f.Host, f.Port))
	}
	return out
}

// maxPassword is how many bytes of a password file are read.
const maxPassword = 4 << 10

// connectConfig returns how to connect now.
func (c Config) connectConfig() (*pgconn.Config, error) {
	cfg, err := c.DSN.parse()
	if err != nil {
		return nil, err
	}
	if c.PasswordFile != "" {
		f, err := os.Open(c.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("password_file: %w", err)
		}
		defer func() { _ = f.Close() }()
		b, err := io.ReadAll(io.LimitReader(f, maxPassword))
		if err != nil {
			return nil, fmt.Errorf("password_file: %w", err)
		}
		cfg.Password = strings.TrimRight(string(b), "\r\n")
	}
	cfg.MaxProtocolMessageBodyLen = maxAnswer
	cfg.ConnectTimeout = 0 // the context has the deadline
	maps.Copy(cfg.RuntimeParams, c.session())
	return cfg, nil
}
