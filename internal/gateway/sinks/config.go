package sinks

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

// A Config is a sink in a configuration file.
type Config struct {
	// Type is what the sink is: webhook, alertmanager, slack, pagerduty, teams, discord, mattermost, email, grafana, github or jira.
	Type string `yaml:"type"`
	// URL is where it is; of email `smtp://host:587`, with STARTTLS, or `smtps://host:465`. Of slack with a token, pagerduty and github it is known and need not be given.
	URL string `yaml:"url"`
	// URLEnv names the environment variable with the URL, for a URL that is a secret: of slack's, discord's, teams' and mattermost's webhooks.
	URLEnv string `yaml:"url_env"`
	// TokenEnv names the environment variable with what proves who sends: slack's bot token, pagerduty's routing key, the token of alertmanager, grafana or github, jira's `user:token`, email's `user:password`.
	TokenEnv string `yaml:"token_env"`
	// SecretEnvs names the environment variables with the secrets (whsec_…) that sign a webhook: one, or two while they are changed.
	SecretEnvs []string `yaml:"secret_envs"`
	// Channel is where in it: a channel of slack (its id) or mattermost, `owner/repository` of github, the key of a project of jira.
	Channel string `yaml:"channel"`
	// From is the sender of an email.
	From string `yaml:"from"`
	// To is the receivers of an email, at most 50.
	To []string `yaml:"to"`
	// Private lets a webhook go to private addresses.
	Private bool `yaml:"private"`
	// Resolved says whether it is sent that what an insight is about is over, or goes on again. The default is true where the far side has a thread or a state for it: of webhook, alertmanager, pagerduty, slack with a token, email, github and jira.
	Resolved *bool `yaml:"resolved"`
	// Close lets github close its issue when what it is about is over, and open it again.
	Close bool `yaml:"close"`
	// When says which insights are sent.
	When When `yaml:"when"`
}

// use says whether a kind of sink takes a setting.
type use int

const (
	refused use = iota
	optional
	required
)

// A kind is a row of the table of sinks.
type kind struct {
	name                         string
	url, token, secrets, channel use
	private                      bool
	follows                      bool // it is sent what becomes of insights unless it is said otherwise
	mail                         bool // it has from and to, and an SMTP server
	check                        func(c Config) error
	open                         func(s settings) (Sink, error)
	every                        time.Duration
}

// settings is a Config with what its environment variables hold.
type settings struct {
	url, token, channel string
	from                string
	to                  []string
	close               bool
	secrets             []string
	client              *client
}

func kindOf(name string) (kind, error) {
	var have []string
	for _, k := range kinds() {
		if k.name == name {
			return k, nil
		}
		have = append(have, k.name)
	}
	return kind{}, fmt.Errorf("type %q is no kind of sink (have %s)", name, strings.Join(have, ", "))
}

// Validate names wrong settings, joined. It reads the environment.
func (c Config) Validate() error {
	_, err := c.Open()
	return err
}

// Follows reports whether the sink is sent what becomes of the insights that it was sent.
func (c Config) Follows() bool {
	if c.Resolved != nil {
		return *c.Resolved
	}
	k, err := kindOf(c.Type)
	return err == nil && (k.follows || c.Type == "slack" && c.TokenEnv != "")
}

// Lacks says what a sink could do with other settings; empty: nothing.
func (c Config) Lacks() string {
	if c.Type == "slack" && c.TokenEnv == "" {
		return "an incoming webhook has no threads and changes nothing that it sent: for these give token_env and channel, a bot's"
	}
	return ""
}

// Open returns the sink. It connects to nothing yet.
func (c Config) Open() (Opened, error) {
	k, err := kindOf(c.Type)
	if err != nil {
		return Opened{}, err
	}
	errs := []error{c.When.validate()}
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	given := func(name string, u use, set bool) {
		switch {
		case u == required && !set:
			fault("%s is required by a sink of type %s", name, k.name)
		case u == refused && set:
			fault("%s means nothing to a sink of type %s", name, k.name)
		}
	}
	given("url or url_env", k.url, c.URL != "" || c.URLEnv != "")
	given("token_env", k.token, c.TokenEnv != "")
	given("secret_envs", k.secrets, len(c.SecretEnvs) > 0)
	given("channel", k.channel, c.Channel != "")
	mail := refused
	if k.mail {
		mail = required
	}
	given("from", mail, c.From != "")
	given("to", mail, len(c.To) > 0)
	if c.Private && !k.private {
		fault("private means nothing to a sink of type %s", k.name)
	}
	if c.Close && k.name != "github" {
		fault("close means nothing to a sink of type %s", k.name)
	}
	if c.Close && !c.Follows() {
		fault("close needs to know when it is over: leave resolved: false out")
	}
	if c.URL != "" && c.URLEnv != "" {
		fault("url and url_env are both given; one is enough")
	}
	if len(c.SecretEnvs) > 2 {
		fault("secret_envs has %d names: one, or two while they are changed", len(c.SecretEnvs))
	}
	s := settings{url: c.URL, channel: c.Channel, from: c.From, to: c.To, close: c.Close}
	read := func(key, name string) string {
		v := strings.TrimSpace(os.Getenv(name))
		if name != "" && v == "" {
			fault("%s: the environment variable %s is empty", key, name)
		}
		return v
	}
	if v := read("url_env", c.URLEnv); v != "" {
		s.url = v
	}
	s.token = read("token_env", c.TokenEnv)
	for _, name := range c.SecretEnvs {
		s.secrets = append(s.secrets, read("secret_envs", name))
	}
	if s.url != "" {
		// The error of url.Parse has the URL in it, which may be a secret.
		schemes, example := []string{"https", "http"}, "https://host/path"
		if k.mail {
			schemes, example = []string{"smtp", "smtps"}, "smtp://host:587"
		}
		if u, err := url.Parse(s.url); err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme) {
			fault("the url is none: write it as %s", example)
		}
	}
	if k.check != nil {
		errs = append(errs, k.check(c))
	}
	if err := errors.Join(errs...); err != nil {
		return Opened{}, err
	}
	_, password, _ := strings.Cut(s.token, ":")
	s.client = newClient(c.Private || !k.private, append([]string{s.url, s.token, password}, s.secrets...))
	s.url = strings.TrimSuffix(s.url, "/")
	sink, err := k.open(s)
	return Opened{sink, k.every}, err
}
