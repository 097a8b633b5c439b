package intake

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/endpoint"
)

// maxSignatures bounds how many signatures of one request are tried.
const maxSignatures = 10

// hexSigned verifies a header with the HMAC-SHA256 of the body in hexadecimal digits. It
// may have several, separated by commas, while a sender changes its secret.
func hexSigned(header, prefix string) func([]string, request) error {
	return func(secrets []string, r request) error {
		given := strings.SplitN(r.header.Get(header), ",", maxSignatures+1)
		for _, s := range given[:min(len(given), maxSignatures)] {
			raw, ok := strings.CutPrefix(strings.TrimSpace(s), prefix)
			mac, err := hex.DecodeString(raw)
			if !ok || err != nil {
				continue
			}
			if slices.ContainsFunc(secrets, func(secret string) bool { return hmac.Equal(mac, sum([]byte(secret), r.body)) }) {
				return nil
			}
		}
		return fmt.Errorf("%s is not the signature of this body by a secret of secret_envs", header)
	}
}

// tokenGiven compares a header with the secret.
func tokenGiven(header string) func([]string, request) error {
	return func(secrets []string, r request) error {
		if slices.ContainsFunc(secrets, func(secret string) bool { return endpoint.Equal(r.header.Get(header), secret) }) {
			return nil
		}
		return fmt.Errorf("%s is no secret of secret_envs", header)
	}
}

// tolerance is how old or early what is signed with a time may be.
const tolerance = 5 * time.Minute

// standardSigned verifies as Standard Webhooks says
// (github.com/standard-webhooks/standard-webhooks, spec).
func standardSigned(secrets []string, r request) error {
	id, at := r.header.Get("webhook-id"), r.header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || id == "" {
		return errors.New("webhook-id, webhook-timestamp and webhook-signature are required, as Standard Webhooks says")
	}
	if off := r.now.Sub(time.Unix(seconds, 0)); off > tolerance || off < -tolerance {
		return fmt.Errorf("webhook-timestamp is %s off (at most %s)", off.Round(time.Second), tolerance)
	}
	given := strings.Fields(r.header.Get("webhook-signature"))
	for _, s := range given[:min(len(given), maxSignatures)] {
		raw, ok := strings.CutPrefix(s, "v1,")
		mac, err := base64.StdEncoding.DecodeString(raw)
		if !ok || err != nil {
			continue
		}
		for _, secret := range secrets {
			if key, err := standardKey(secret); err == nil && hmac.Equal(mac, sum(key, []byte(id+"."+at+"."), r.body)) {
				return nil
			}
		}
	}
	return errors.New("webhook-signature is not that of this body by a secret of secret_envs")
}

func checkStandard(secret string) error {
	_, err := standardKey(secret)
	return err
}

func standardKey(secret string) ([]byte, error) {
	const least = 24 // bytes
	raw, ok := strings.CutPrefix(secret, "whsec_")
	key, err := base64.StdEncoding.DecodeString(raw)
	if !ok || err != nil || len(key) < least {
		return nil, fmt.Errorf("a secret is whsec_ and at least %d random bytes in base64: echo whsec_$(openssl rand -base64 32)", least)
	}
	return key, nil
}

func sum(key []byte, parts ...[]byte) []byte {
	mac := hmac.New(sha256.New, key)
	for _, p := range parts {
		mac.Write(p)
	}
	return mac.Sum(nil)
}
