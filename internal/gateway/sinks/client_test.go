package sinks

import (
	"encoding/base64"
	"testing"
	"time"
)

// TestTheSignatureIsThatOfTheExample: the example is of the documentation of the
// reference implementation (docs.svix.com/receiving/verifying-payloads/how-manual).
func TestTheSignatureIsThatOfTheExample(t *testing.T) {
	key, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	w := webhook{keys: [][]byte{key}}
	got := w.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestAttributesArePercentEncoded(t *testing.T) {
	if got := percent("a b\"c%ä~"); got != "a%20b%22c%25%C3%A4~" {
		t.Error(got)
	}
}

func TestPublicOnly(t *testing.T) {
	for address, public := range map[string]bool{
		"93.184.216.34:443": true, "[2606:2800:220:1::1]:443": true, "127.0.0.1:80": false, "10.1.2.3:80": false, "192.168.0.1:80": false,
		"169.254.169.254:80": false, "100.64.0.1:80": false, "0.0.0.0:80": false, "[::1]:80": false, "[fd00::1]:80": false, "[fe80::1]:80": false,
		"[::ffff:127.0.0.1]:80": false, "224.0.0.1:80": false, "no address": false,
	} {
		if err := publicOnly("tcp", address, nil); (err == nil) != public {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	for _, s := range []string{"", "7", "0.5", "-1", "NaN", "1e300", "Sat, 14 Mar 2026 12:00:09 GMT", "Sat, 14 Mar 2020 12:00:09 GMT"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d := retryAfter(s, now); d < 0 || d > 24*time.Hour {
			t.Errorf("%q: %s", s, d)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	for s, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "0.5": 500 * time.Millisecond, "-1": 0, "NaN": 0, "soon": 0, "1e300": 24 * time.Hour,
		"Sat, 14 Mar 2026 12:00:09 GMT": 9 * time.Second, "Sat, 14 Mar 2020 12:00:09 GMT": 0,
	} {
		if got := retryAfter(s, now); got != want {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
	}
}
