package sinks

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A webhook posts the insight as it lies in the stream: a CloudEvent in binary mode
// (CloudEvents 1.0, HTTP protocol binding) signed as Standard Webhooks says
// (github.com/standard-webhooks/standard-webhooks, spec). The id stays the same
// whenever it is repeated, so that a receiver drops repeats.
type webhook struct {
	settings
	keys [][]byte
}

// Lengths of a signing key in bytes, as Standard Webhooks has them.
const (
	minKey = 24
	maxKey = 64
)

func openWebhook(s settings) (Sink, error) {
	w := &webhook{settings: s}
	for n, secret := range s.secrets {
		raw, ok := strings.CutPrefix(secret, "whsec_")
		key, err := base64.StdEncoding.DecodeString(raw)
		if !ok || err != nil || len(key) < minKey || len(key) > maxKey {
			return nil, fmt.Errorf("secret_envs[%d]: a secret is whsec_ and %d to %d random bytes in base64: echo whsec_$(openssl rand -base64 32)", n, minKey, maxKey)
		}
		w.keys = append(w.keys, key)
	}
	return w, nil
}

// Send implements Sink.
func (w *webhook) Send(ctx context.Context, n Note) (Ref, error) {
	e := n.Envelope
	if e.ID == "" {
		return nil, errors.New("the insight has no id in its headers")
	}
	header := http.Header{
		"Content-Type":      {"application/json"},
		"webhook-id":        {e.ID},
		"webhook-timestamp": {strconv.FormatInt(n.At.Unix(), 10)},
		"webhook-signature": {w.sign(e.ID, n.At, n.Body)},
	}
	for name, values := range e.Header(false) {
		if strings.HasPrefix(name, "ce-") || name == protocol.HeaderTraceParent {
			header[name] = []string{percent(values[0])}
		}
	}
	_, err := w.client.send(ctx, http.MethodPost, w.url, header, n.Body)
	return nil, err
}

// sign returns a signature by each key, the newest first: a receiver that knows one of
// them is content.
func (w *webhook) sign(id string, at time.Time, body []byte) string {
	var out []string
	for _, key := range w.keys {
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%d.", id, at.Unix())
		mac.Write(body)
		out = append(out, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(out, " ")
}

// percent writes the value of an attribute as the HTTP binding of CloudEvents wants it
// (section 3.1.3.2).
func percent(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c > '~' || c == '"' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
