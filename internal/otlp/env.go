package otlp

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// exportTimeout is how long one export may take where the environment does not say.
const exportTimeout = 10 * time.Second

// fromEnv makes the client of a signal (TRACES, METRICS, LOGS) from the standard
// environment variables OTEL_EXPORTER_OTLP_ENDPOINT, …_HEADERS, …_TIMEOUT,
// …_COMPRESSION, …_CERTIFICATE, …_CLIENT_CERTIFICATE and …_CLIENT_KEY, each of
// which may be set for the signal alone (OTEL_EXPORTER_OTLP_TRACES_ENDPOINT).
func fromEnv(signal string) (*client, error) {
	c := &client{timeout: exportTimeout}
	var err error
	if c.url, err = endpoint(signal); err != nil {
		return nil, err
	}
	if name, v := variable(signal, "TIMEOUT"); v != "" {
		ms, err := strconv.Atoi(v)
		if err != nil || ms <= 0 {
			return nil, fmt.Errorf("%s=%q: it is a number of milliseconds", name, v)
		}
		c.timeout = time.Duration(ms) * time.Millisecond
	}
	switch name, v := variable(signal, "COMPRESSION"); v {
	case "", "none":
	case "gzip":
		c.gzip = true
	default:
		return nil, fmt.Errorf("%s=%q: it is gzip or none", name, v)
	}
	if c.headers, err = headers(variable(signal, "HEADERS")); err != nil {
		return nil, err
	}
	certificates, err := trust(signal)
	if err != nil {
		return nil, err
	}
	transport, _ := http.DefaultTransport.(*http.Transport)
	transport = transport.Clone()
	transport.TLSClientConfig = certificates
	c.http = &http.Client{Transport: transport}
	return c, nil
}

// variable returns the setting of the signal, else that of all signals, and what
// it is called.
func variable(signal, setting string) (name, value string) {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_" + signal + "_" + setting, "OTEL_EXPORTER_OTLP_" + setting} {
		if v := strings.TrimSpace(os.Getenv(name)); v != "" {
			return name, v
		}
	}
	return "", ""
}

// endpoint returns the address of a signal. That of all signals is a base, to
// which the signal's path is added; without any it is a collector on this machine.
func endpoint(signal string) (string, error) {
	name, v := variable(signal, "ENDPOINT")
	if v == "" {
		v = "http://localhost:4318"
	}
	u, err := url.Parse(v)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", fmt.Errorf("%s=%q: it begins with http:// or https:// and names a host", name, v)
	}
	if !strings.HasPrefix(name, "OTEL_EXPORTER_OTLP_"+signal) {
		u = u.JoinPath("v1", strings.ToLower(signal))
	}
	return u.String(), nil
}

// headers reads a list of key=value, separated by commas; the values are escaped
// as in a URL.
func headers(name, list string) (map[string]string, error) {
	out := map[string]string{}
	for pair := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		key, v, ok := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(v))
		if key = strings.TrimSpace(key); !ok || key == "" || err != nil {
			return nil, fmt.Errorf("%s: it is a list of key=value, separated by commas", name) // the value may be a secret
		}
		out[key] = value
	}
	return out, nil
}

func trust(signal string) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if name, file := variable(signal, "CERTIFICATE"); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: %s holds no certificate", name, file)
		}
	}
	name, cert := variable(signal, "CLIENT_CERTIFICATE")
	_, key := variable(signal, "CLIENT_KEY")
	if cert == "" && key == "" {
		return cfg, nil
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	cfg.Certificates = []tls.Certificate{pair}
	return cfg, nil
}
