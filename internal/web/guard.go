package web

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/fleetlens/fleetlens/internal/endpoint"
)

func newToken() string {
	b := make([]byte, 24)
	_, _ = rand.Read(b) // it never fails
	return hex.EncodeToString(b)
}

// session is what the cookie holds: every server with the same token takes it, and the
// token cannot be read from it.
func session(token string) string {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte("fleetlens session"))
	return hex.EncodeToString(mac.Sum(nil))
}

// guard refuses what no browser of ours and no client with the token sends, and says to
// browsers what they may do with the answer.
func (f *front) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		if err := f.admit(r); err != nil {
			f.answer(w, r, nil, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// admit says why a request is not served.
func (f *front) admit(r *http.Request) error {
	if !f.known(r.Host) {
		return failure{http.StatusMisdirectedRequest, fmt.Sprintf("this server is not %q: ask by its address, or name the host with --ui-host", r.Host)}
	}
	writes := r.Method != http.MethodGet && r.Method != http.MethodHead
	// Only browsers send these; what another site has them send comes with its cookies.
	if site := r.Header.Get("Sec-Fetch-Site"); writes && site != "" && site != "same-origin" && site != "none" {
		return failure{http.StatusForbidden, "requests of other sites are refused"}
	}
	if origin := r.Header.Get("Origin"); writes && origin != "" && origin != "http://"+r.Host && origin != "https://"+r.Host {
		return failure{http.StatusForbidden, "requests of other sites are refused"}
	}
	if writes && r.ContentLength != 0 && !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		return failure{http.StatusUnsupportedMediaType, "a body must be JSON: send Content-Type: application/json"}
	}
	if r.URL.Path == prefix+"/session" || !strings.HasPrefix(r.URL.Path, prefix) && r.URL.Path != agentsPath {
		return nil
	}
	if !f.signedIn(r) {
		return failure{http.StatusUnauthorized, "sign in: send Authorization: Bearer TOKEN, or open the address that the server printed"}
	}
	return nil
}

// known reports whether a Host header names this server: another name that leads here
// is how a page of another site would reach it (DNS rebinding).
func (f *front) known(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.Trim(host, "[]")
	}
	return slices.Contains(f.hosts, name)
}

func (f *front) signedIn(r *http.Request) bool {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return endpoint.Equal(token, f.token)
	}
	c, err := r.Cookie(f.cookie)
	return err == nil && endpoint.Equal(c.Value, session(f.token))
}

// signIn takes the token and gives a cookie that scripts cannot read.
func (f *front) signIn(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Token string `json:"token"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		f.answer(w, r, nil, failure{http.StatusBadRequest, `send {"token":"…"}`})
		return
	}
	if !endpoint.Equal(in.Token, f.token) {
		f.answer(w, r, nil, failure{http.StatusUnauthorized, "the token is wrong: open the address that the server printed"})
		return
	}
	http.SetCookie(w, &http.Cookie{Name: f.cookie, Value: session(f.token), Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil, MaxAge: 30 * 24 * 3600})
	w.WriteHeader(http.StatusNoContent)
}

func (f *front) signOut(w http.ResponseWriter, _ *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: f.cookie, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: -1})
	w.WriteHeader(http.StatusNoContent)
}
