package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/fleetlens/fleetlens/internal/endpoint"
)

// A door answers POST at each format's path. What it refuses with 5xx may be sent
// again; what with 4xx would be refused again.
type door struct {
	token   string
	secrets map[string][]string // by format
	limit   *rate.Limiter
	log     *slog.Logger
	store   Store
	now     func() time.Time
}

func newDoor(token string, secrets map[string][]string, perSecond float64, log *slog.Logger, store Store) *door {
	return &door{
		token: token, secrets: secrets, limit: rate.NewLimiter(rate.Limit(perSecond), max(1, int(10*perSecond))),
		log: log, store: store, now: func() time.Time { return time.Now().UTC() },
	}
}

func (d *door) handler() http.Handler {
	mux := http.NewServeMux()
	for _, f := range formats() {
		take := func(w http.ResponseWriter, r *http.Request) { d.take(w, r, f) }
		mux.HandleFunc("POST "+Prefix+f.name, take)
		if f.name == alertmanager {
			mux.HandleFunc("POST "+Path, take)
		}
	}
	return mux
}

func (d *door) take(w http.ResponseWriter, r *http.Request, f format) {
	secrets := d.secrets[f.name]
	if len(secrets) == 0 && d.token != "" && !endpoint.Bears(r, d.token) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		refuse(w, http.StatusUnauthorized, "give the token of --alerts-token-file: Authorization: Bearer …")
		return
	}
	if !d.limit.Allow() { // not 429: Alertmanager and Datadog come again after 5xx only
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, "too many requests, see --alerts-rate")
		return
	}
	// A page in a browser can post text to loopback without asking, but no JSON.
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" && !strings.HasSuffix(kind, "+json") {
		refuse(w, http.StatusUnsupportedMediaType, "Content-Type must be application/json")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		refuse(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has more than %d bytes; of Alertmanager set max_alerts in webhook_config", maxBody))
		return
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	in := request{header: r.Header, query: r.URL.Query(), kind: kind, body: body, now: d.now()}
	if len(secrets) > 0 {
		if err := f.verify(secrets, in); err != nil {
			refuse(w, http.StatusUnauthorized, err.Error())
			return
		}
	}
	report, err := f.report(in)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), storeWithin)
	defer cancel()
	if err := d.store(ctx, report); err != nil {
		d.log.Warn("a report was not stored, its sender may come again", "format", f.name, "alerts", len(report.Alerts), "changes", len(report.Changes), "err", err)
		refuse(w, http.StatusServiceUnavailable, "it could not be stored now")
		return
	}
	answer(w, http.StatusOK, map[string]any{"accepted": len(report.Alerts) + len(report.Changes)})
}

func refuse(w http.ResponseWriter, code int, why string) {
	answer(w, code, map[string]any{"error": why})
}

func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v)
}
