package redact

import (
	"encoding/base64"
	"math"
	"strings"
)

// shortestRandom is how long a token is that gives itself away without a name.
const shortestRandom = 24

// findRandom finds tokens that look as if chance had made them.
func findRandom(s string, found *spans) {
	if len(s) < shortestRandom {
		return
	}
	for i := 0; i < len(s); {
		if !tokenByte[s[i]] {
			i++
			continue
		}
		from := i
		for i < len(s) && tokenByte[s[i]] {
			i++
		}
		if i-from < shortestRandom || publicBefore(s, from) {
			continue
		}
		token := s[from:i]
		if looksRandom(token) && strings.Count(token, "/") <= 3 && token[0] != '/' {
			for i < len(s) && s[i] == '=' {
				i++
			}
			found.add(from, i, "high-entropy")
			continue
		}
		for at := from; at < i; { // a path may hold one
			to := i
			if n := strings.IndexByte(s[at:i], '/'); n >= 0 {
				to = at + n
			}
			if part := s[at:to]; len(part) < len(token) && looksRandom(part) {
				found.add(at, to, "high-entropy")
			}
			at = to + 1
		}
	}
}

var tokenByte = func() (t [256]bool) {
	for c := range t {
		b := byte(c)
		t[c] = isLower(b) || isUpper(b) || isDigit(b) || strings.IndexByte("+/_-", b) >= 0
	}
	return t
}()

// publicBefore says whether a digest or a public key begins at s[at], by what
// stands before it.
func publicBefore(s string, at int) bool {
	before := s[max(0, at-12):at]
	for _, p := range []string{"SHA256:", "sha256:", "sha512:", "sha1:", "h1:", "ssh-rsa ", "ssh-ed25519 ", "-nistp256 "} {
		if strings.HasSuffix(before, p) {
			return true
		}
	}
	for _, p := range []string{"sha256-", "sha384-", "sha512-", "_ZN", "_R"} { // digests of pages; symbols of C++ and Rust
		if strings.HasPrefix(s[at:], p) {
			return true
		}
	}
	return false
}

// looksRandom says whether a token is long, has small and large letters and
// figures with no word's order, and is no text in base64. Hashes, UUIDs and trace
// ids have one case only; names written inCamelCase2 seldom change their class.
func looksRandom(v string) bool {
	if len(v) < shortestRandom {
		return false
	}
	var upper, lower, digits, changes, wordy, run int
	var was byte
	for i := range len(v) {
		c, class := v[i], byte(0)
		switch {
		case isUpper(c):
			class = 'A'
			upper++
		case isLower(c):
			class = 'a'
			lower++
		case isDigit(c):
			class = '0'
			digits++
		}
		if class != was && class != 0 && was != 0 {
			changes++
		}
		if class == 'a' {
			run++
		}
		if class != 'a' || i == len(v)-1 {
			if run >= 4 {
				wordy += run
			}
			run = 0
		}
		was = class
	}
	return upper >= 2 && lower >= 2 && digits >= 2 && changes*100 >= len(v)*40 && wordy*2 < len(v) &&
		entropy(v) >= 3.8 && !encodesText(v)
}

// entropy is Shannon's, in bits a byte.
func entropy(v string) float64 {
	var counts [256]int
	for i := range len(v) {
		counts[v[i]]++
	}
	var sum float64
	for _, n := range counts {
		if n > 0 {
			sum += float64(n) * math.Log2(float64(n))
		}
	}
	return math.Log2(float64(len(v))) - sum/float64(len(v))
}

// encodesText says whether v is readable text in base64: an id such as {"id":7}.
func encodesText(v string) bool {
	v = strings.TrimRight(v, "=")
	var enc = base64.RawStdEncoding
	if strings.ContainsAny(v, "-_") {
		enc = base64.RawURLEncoding
	}
	raw, err := enc.DecodeString(v)
	if err != nil || len(raw) == 0 {
		return false
	}
	for _, c := range raw {
		if (c < ' ' || c > '~') && c != '\n' && c != '\t' {
			return false
		}
	}
	return true
}
