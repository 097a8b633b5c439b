package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"
	"github.com/spf13/pflag"

	"github.com/fleetlens/fleetlens/pkg/signals"
)

// Config says which NATS to connect to, as users of NATS say it.
type Config struct {
	Server   string `yaml:"server"`  // URLs, separated by commas
	Context  string `yaml:"context"` // name of a nats CLI context
	Creds    string `yaml:"creds"`   // file with JWT and seed
	NKey     string `yaml:"nkey"`    // file with a seed
	User     string `yaml:"user"`
	Password Secret `yaml:"password"`
	TLSCert  string `yaml:"tls_cert"`
	TLSKey   string `yaml:"tls_key"`
	TLSCA    string `yaml:"tls_ca"`
	JSDomain string `yaml:"js_domain"`

	// InProcess connects to a server in this process instead; nil: over the network.
	InProcess nats.InProcessConnProvider `yaml:"-"`
	// Telemetry is where metrics of the connection go.
	Telemetry signals.Providers `yaml:"-"`
}

// Flags declares the configuration's flags. NATS_URL, NATS_CONTEXT, NATS_CREDS,
// NATS_NKEY, NATS_USER and NATS_PASSWORD stand in for flags that are not given.
func (c *Config) Flags(fs *pflag.FlagSet) {
	fs.StringVarP(&c.Server, "server", "s", c.Server, "NATS server URLs, separated by commas (default NATS_URL, else nats://127.0.0.1:4222)")
	fs.StringVar(&c.Context, "context", c.Context, "nats CLI context to use (default NATS_CONTEXT)")
	fs.StringVar(&c.Creds, "creds", c.Creds, "credentials `file` (default NATS_CREDS)")
	fs.StringVar(&c.NKey, "nkey", c.NKey, "nkey seed `file` (default NATS_NKEY)")
	fs.StringVar(&c.User, "user", c.User, "user name (default NATS_USER; the password comes from NATS_PASSWORD)")
	fs.StringVar(&c.TLSCert, "tlscert", c.TLSCert, "client certificate `file`")
	fs.StringVar(&c.TLSKey, "tlskey", c.TLSKey, "client key `file`")
	fs.StringVar(&c.TLSCA, "tlsca", c.TLSCA, "certificate authority `file`")
	fs.StringVar(&c.JSDomain, "js-domain", c.JSDomain, "JetStream domain, as with leaf nodes")
}

// Validate names every wrong setting.
func (c *Config) Validate() error {
	var errs []error
	for flag, file := range map[string]string{"creds": c.Creds, "nkey": c.NKey, "tlscert": c.TLSCert, "tlskey": c.TLSKey, "tlsca": c.TLSCA} {
		if file == "" {
			continue
		}
		if _, err := os.Stat(file); err != nil {
			errs = append(errs, fmt.Errorf("--%s: %w", flag, err))
		}
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		errs = append(errs, errors.New("--tlscert and --tlskey go together"))
	}
	if c.Creds != "" && c.NKey != "" {
		errs = append(errs, errors.New("--creds and --nkey exclude each other"))
	}
	return errors.Join(errs...)
}

// ackTimeout is how long a message that was sent without waiting may go
// unconfirmed before it counts as lost: the connection may have ended under it.
const ackTimeout = 5 * time.Second

// A Conn is a connection to NATS. It reconnects for ever and is safe for
// concurrent use. Whoever dialled it closes it.
type Conn struct {
	nc     *nats.Conn
	js     jetstream.JetStream
	api    string // prefix of the JetStream API's subjects
	source string
	log    *slog.Logger
	denied denials
	tells  tells
}

// Dial connects. source is who speaks, for envelopes: "probe/web-1". When the
// server is not there yet it keeps trying until ctx ends.
func Dial(ctx context.Context, cfg Config, source string, log *slog.Logger) (*Conn, error) {
	cfg, err := cfg.resolve()
	if err != nil {
		return nil, err
	}
	c := &Conn{source: source, log: log, api: "$JS.API."}
	opts, err := cfg.options(source, log, c.denied.observe)
	if err != nil {
		return nil, err
	}
	var nc *nats.Conn
	for said := false; ; {
		nc, err = nats.Connect(cfg.Server, opts...)
		if err == nil {
			break
		}
		if errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthExpired) {
			return nil, fmt.Errorf("connect to NATS at %s: %w: give --creds, --nkey, --user or --context", cfg.Server, err)
		}
		if !said {
			log.Warn("NATS is not there yet, trying on", "server", cfg.Server, "err", err)
			said = true
		}
		if !wait(ctx, time.Second) {
			return nil, fmt.Errorf("connect to NATS at %s: %w: start one with `fleetlens up` or `nats-server -js`, or name yours with --server, NATS_URL or --context", cfg.Server, err)
		}
	}
	c.nc = nc
	if cfg.JSDomain != "" {
		c.api = "$JS." + cfg.JSDomain + ".API."
		c.js, err = jetstream.NewWithDomain(nc, cfg.JSDomain, jetstream.WithPublishAsyncTimeout(ackTimeout))
	} else {
		c.js, err = jetstream.New(nc, jetstream.WithPublishAsyncTimeout(ackTimeout))
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	c.tells = newTells(cfg.Telemetry, source, nc)
	return c, nil
}

// Close sends what is buffered and closes the connection.
func (c *Conn) Close() {
	c.tells.stop()
	_ = c.nc.FlushTimeout(2 * time.Second)
	c.nc.Close()
}

// Source returns who speaks on this connection.
func (c *Conn) Source() string { return c.source }

// Connected reports whether the connection is up right now.
func (c *Conn) Connected() bool { return c.nc.IsConnected() }

// OnReconnect has f called each time the connection is back after it was lost: messages
// of subscriptions may have been missed. f must return soon.
func (c *Conn) OnReconnect(f func()) (stop func()) {
	back := c.nc.StatusChanged(nats.CONNECTED)
	go func() {
		for range back {
			f()
		}
	}()
	return func() { c.nc.RemoveStatusListener(back) }
}

// MaxPayload returns how many bytes a message may have, headers included.
func (c *Conn) MaxPayload() int64 { return c.nc.MaxPayload() }

// URL returns the address of the server, without credentials.
func (c *Conn) URL() string { return c.nc.ConnectedUrlRedacted() }

func (c Config) options(source string, log *slog.Logger, refused func(error)) ([]nats.Option, error) {
	opts := []nats.Option{
		nats.Name("fleetlens " + source),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(500 * time.Millisecond),
		nats.ReconnectJitter(200*time.Millisecond, time.Second),
		nats.IgnoreAuthErrorAbort(),
		nats.ReconnectBufSize(-1), // what is published while away is an error: its sender keeps it
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			args := []any{"err", err}
			if sub != nil {
				args = append(args, "subject", sub.Subject)
			}
			log.Error("NATS refused something", args...)
			refused(err)
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Warn("NATS is away, reconnecting", "err", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) { log.Info("NATS is back", "server", nc.ConnectedUrlRedacted()) }),
	}
	identity := c.User
	switch {
	case c.Creds != "":
		opts = append(opts, nats.UserCredentials(c.Creds))
		identity = credsName(c.Creds)
	case c.NKey != "":
		opt, err := nats.NkeyOptionFromSeed(c.NKey)
		if err != nil {
			return nil, fmt.Errorf("--nkey %s: %w", c.NKey, err)
		}
		opts = append(opts, opt)
		identity = nkeyName(c.NKey)
	case c.User != "":
		opts = append(opts, nats.UserInfo(c.User, string(c.Password)))
	}
	if identity != "" {
		opts = append(opts, nats.CustomInboxPrefix(InboxPrefix(identity)))
	}
	if c.TLSCert != "" {
		opts = append(opts, nats.ClientCert(c.TLSCert, c.TLSKey))
	}
	if c.TLSCA != "" {
		opts = append(opts, nats.RootCAs(c.TLSCA))
	}
	if c.InProcess != nil {
		opts = append(opts, nats.InProcessServer(c.InProcess))
	}
	return opts, nil
}

// InboxPrefix is where the answers to one user go. Users of Fleetlens may
// subscribe to their own only, so that none reads another's answers.
func InboxPrefix(user string) string { return "_FL_INBOX." + user }

func credsName(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	token, err := jwt.ParseDecoratedJWT(b)
	if err != nil {
		return ""
	}
	claims, err := jwt.DecodeUserClaims(token)
	if err != nil || strings.ContainsAny(claims.Name, " .*>") {
		return ""
	}
	return claims.Name
}

func nkeyName(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	kp, err := nkeys.ParseDecoratedNKey(b)
	if err != nil {
		return ""
	}
	defer kp.Wipe()
	pub, err := kp.PublicKey()
	if err != nil {
		return ""
	}
	return pub
}

func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
