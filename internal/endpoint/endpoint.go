// Package endpoint is what the HTTP endpoints of our processes have in common: where they
// listen, the bearer token that they ask for, and how they are served. What they answer is
// not its matter.
package endpoint

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
)

// CheckAddress says what is wrong with the address of a flag, host:port: an address that
// other machines can reach needs a token. example is one that is right, token where a
// token is given, given whether one is.
func CheckAddress(flag, address, example, token string, given bool) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%s %q: it is host:port, such as %s: %w", flag, address, example, err)
	}
	if ip := net.ParseIP(host); !given && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%s %s can be reached from other machines: give %s, or listen on 127.0.0.1", flag, address, token)
	}
	return nil
}

const (
	minToken = 16       // characters
	maxToken = 16 << 10 // bytes of its file
)

// Token returns a token without the space around it. from says where it was given.
func Token(from, text string) (string, error) {
	token := strings.TrimSpace(text)
	if len(token) < minToken {
		return "", fmt.Errorf("%s: the token has %d characters (at least %d)", from, len(token), minToken)
	}
	return token, nil
}

// TokenFile returns the token in the file of a flag; empty when no file is given.
func TokenFile(flag, file string) (string, error) {
	if file == "" {
		return "", nil
	}
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("%s: %w", flag, err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if err != nil {
		return "", fmt.Errorf("%s: %w", flag, err)
	}
	if len(raw) > maxToken {
		return "", fmt.Errorf("%s %s: it has more than %d bytes: a token is one line", flag, file, maxToken)
	}
	return Token(flag+" "+file, string(raw))
}

// Equal compares secrets in a time that says nothing of them.
func Equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// Bears reports whether a request bears a token: Authorization: Bearer ….
func Bears(r *http.Request, token string) bool {
	return Equal(r.Header.Get("Authorization"), "Bearer "+token)
}

// Serve serves until stop is called, which returns when nothing is served any more. Of a
// server that ends by itself it logs that what is gone.
func Serve(l net.Listener, s *http.Server, log *slog.Logger, what string) (stop func()) {
	s.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug) // of what clients do
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("an endpoint is gone", "endpoint", what, "err", err)
		}
	}()
	return func() { _ = s.Close(); <-ended }
}
