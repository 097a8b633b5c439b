package bus

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// natsContext is what the nats CLI stores of a context.
type natsContext struct {
	URL      string `json:"url"`
	User     string `json:"user"`
	Password string `json:"password"`
	Creds    string `json:"creds"`
	NKey     string `json:"nkey"`
	Cert     string `json:"cert"`
	Key      string `json:"key"`
	CA       string `json:"ca"`
	JSDomain string `json:"jetstream_domain"`
}

// resolve fills in what flags left open: from the named context, then from the
// environment, then from the context that the nats CLI has selected, then the default.
func (c Config) resolve() (Config, error) {
	if c.InProcess != nil {
		return c, nil
	}
	named := first(c.Context, os.Getenv("NATS_CONTEXT"))
	if named == "" && c.Server == "" && os.Getenv("NATS_URL") == "" {
		named = selectedContext()
	}
	if named != "" {
		nctx, err := loadContext(named)
		if err != nil {
			return c, err
		}
		c.Server, c.User, c.Password = first(c.Server, nctx.URL), first(c.User, nctx.User), Secret(first(string(c.Password), nctx.Password))
		if c.NKey == "" && c.Creds == "" {
			c.Creds, c.NKey = home(nctx.Creds), home(nctx.NKey)
		}
		c.TLSCert, c.TLSKey, c.TLSCA = first(c.TLSCert, home(nctx.Cert)), first(c.TLSKey, home(nctx.Key)), first(c.TLSCA, home(nctx.CA))
		c.JSDomain = first(c.JSDomain, nctx.JSDomain)
	}
	c.Server = first(c.Server, os.Getenv("NATS_URL"), "nats://127.0.0.1:4222")
	c.User = first(c.User, os.Getenv("NATS_USER"))
	c.Password = Secret(first(string(c.Password), os.Getenv("NATS_PASSWORD")))
	if c.NKey == "" && c.Creds == "" {
		c.Creds, c.NKey = os.Getenv("NATS_CREDS"), os.Getenv("NATS_NKEY")
	}
	return c, nil
}

func configDir() string {
	if d := os.Getenv("XDG_CONFIG_HOME"); d != "" {
		return filepath.Join(d, "nats")
	}
	return home("~/.config/nats")
}

func selectedContext() string {
	b, err := os.ReadFile(filepath.Join(configDir(), "context.txt"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func loadContext(name string) (natsContext, error) {
	var nctx natsContext
	if name != filepath.Base(name) {
		return nctx, fmt.Errorf("NATS context %q is not a name", name)
	}
	dir := filepath.Join(configDir(), "context")
	b, err := os.ReadFile(filepath.Join(dir, name+".json"))
	if err != nil {
		var have []string
		files, globErr := filepath.Glob(filepath.Join(dir, "*.json"))
		if globErr == nil {
			for _, f := range files {
				have = append(have, strings.TrimSuffix(filepath.Base(f), ".json"))
			}
		}
		return nctx, fmt.Errorf("NATS context %q: %w (have %s)", name, err, first(strings.Join(have, ", "), "none"))
	}
	if err := json.Unmarshal(b, &nctx); err != nil {
		return nctx, fmt.Errorf("NATS context %q: %w", name, err)
	}
	return nctx, nil
}

func home(path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if dir, err := os.UserHomeDir(); err == nil {
			return filepath.Join(dir, rest)
		}
	}
	return path
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
