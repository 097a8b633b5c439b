package redact

import (
	"encoding/base64"
	"math/bits"
	"regexp"
	"strings"
)

// A shape is a secret that is known by its form. Its expression is tried only on
// a line that has one of its hints, which most lines have not. Where it has a
// group, the group is the secret.
type shape struct {
	kind  string
	hints []string
	re    *regexp.Regexp
	ok    func(secret string) bool
}

func form(kind, expr string, hints ...string) shape {
	return shape{kind: kind, hints: hints, re: regexp.MustCompile(expr)}
}

func (s shape) when(ok func(string) bool) shape {
	s.ok = ok
	return s
}

// shapes is the table: a new provider is a new line. Lengths are lower bounds
// where providers have lengthened their tokens before.
var shapes = [...]shape{
	form("aws-key", `\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b`, "AKIA", "ASIA", "ABIA", "ACCA"),
	form("github-token", `\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})`, "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
	form("gitlab-token", `\bgl(?:pat|ptt|dt|rt|cbt|ft|soat|agent|imt)-[A-Za-z0-9_-]{20,}`, "glpat-", "glptt-", "gldt-", "glrt-", "glcbt-", "glft-", "glsoat-", "glagent-", "glimt-"),
	form("slack-token", `\b(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{10,}`, "xox", "xapp-"),
	form("slack-webhook", `hooks\.slack\.com/(?:services|workflows)/([A-Za-z0-9/_-]{20,})`, "hooks.slack.com/"),
	form("stripe-key", `\b(?:(?:sk|rk)_(?:live|test)|whsec)_[A-Za-z0-9]{16,}`, "_live_", "_test_", "whsec_"),
	form("npm-token", `\bnpm_[A-Za-z0-9]{36}`, "npm_"),
	form("pypi-token", `\bpypi-[A-Za-z0-9_-]{50,}`, "pypi-"),
	form("google-key", `\b(?:AIza[A-Za-z0-9_-]{35}|GOCSPX-[A-Za-z0-9_-]{28}|ya29\.[A-Za-z0-9_-]{20,})`, "AIza", "GOCSPX-", "ya29."),
	form("anthropic-key", `\bsk-ant-[A-Za-z0-9_-]{20,}`, "sk-ant-"),
	form("openai-key", `\bsk-[A-Za-z0-9_-]{20,}`, "sk-").when(hasDigit),
	form("sendgrid-key", `\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}`, "SG."),
	form("twilio-key", `\b(?:AC|SK)[0-9a-f]{32}\b`, "AC", "SK"),
	form("telegram-token", `\b[0-9]{8,10}:AA[A-Za-z0-9_-]{33}`, ":AA"),
	form("jwt", `\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?`, "eyJ"),
	form("vault-token", `\bhv[sbr]\.[A-Za-z0-9_-]{20,}`, "hvs.", "hvb.", "hvr."),
	form("docker-token", `\bdckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}`, "dckr_"),
	form("digitalocean-token", `\bdo[opr]_v1_[a-f0-9]{64}`, "_v1_"),
	form("huggingface-token", `\bhf_[A-Za-z0-9]{30,}`, "hf_"),
	form("shopify-token", `\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}`, "shpat_", "shpca_", "shppa_", "shpss_"),
	form("grafana-token", `\bgl(?:sa|c)_[A-Za-z0-9+/=_-]{32,}`, "glsa_", "glc_"),
	form("databricks-token", `\bdapi[0-9a-f]{32}\b`, "dapi"),
	form("newrelic-key", `\bNRAK-[A-Z0-9]{27}\b`, "NRAK-"),
	form("mailgun-key", `\bkey-[0-9a-f]{32}\b`, "key-"),
	form("azure-secret", `\b[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}`, "Q~"),
	form("age-key", `\bAGE-SECRET-KEY-1[A-Z0-9]{58}`, "AGE-SECRET-KEY-"),
	form("nats-seed", `\bS[UAOCNX][A-Z2-7]{56}\b`, "SU", "SA", "SO", "SC", "SN", "SX"),
	form("password-hash", `\$(?:2[abxy]?|5|6|7|y|gy|argon2id?|argon2i|scrypt|pbkdf2-sha\d+)\$[A-Za-z0-9./=,$+-]{20,}`, "$2", "$5$", "$6$", "$7$", "$y$", "$gy$", "$argon2", "$scrypt$", "$pbkdf2-"),
	form("bearer", `\b[Bb](?:earer|EARER)\s+([A-Za-z0-9._~+/=-]{8,})`, "earer ", "EARER ").when(notAWord),
	form("basic", `\b(?:B|b)(?:asic|ASIC)\s+([A-Za-z0-9+/_-]{6,}={0,2})`, "asic ", "ASIC ").when(encodesPair),
	form("password", `[A-Za-z0-9_.-]+:([^\s'"/]+)@(?:tcp|unix|udp)\(`, "@tcp(", "@unix(", "@udp("),
	form("password", `jdbc:oracle:[a-z]+:[^\s/@]+/([^\s@]+)@`, "jdbc:oracle:"),
	form("password", `(?i)\b(?:identified by|password)\s+'([^']+)'`, "IDENTIFIED ", "identified ", "PASSWORD '", "password '", "Identified "),
	form("password", `(?i)\blogin\s+\S+\s+password\s+(\S+)`, "login "),
	form("password", `\b(?:mysql[a-z]*|mariadb[a-z-]*)\b[^|;]{0,200}?\s-p([^\s'"]{3,}|'[^']+'|"[^"]+")`, "mysql", "mariadb"),
	form("password", `\b(?:sshpass|mongo[a-z]*|docker login|podman login|helm registry login)\b[^|;]{0,200}?\s-p[ ]*('[^']+'|"[^"]+"|[^\s'"]{3,})`, "sshpass", "mongo", "login"),
	form("password", `\b(?:redis-cli|ldap[a-z]+|rabbitmqadmin)\b[^|;]{0,200}?\s-(?:a|w|p)[ ]+('[^']+'|"[^"]+"|[^\s'"]{3,})`, "redis-cli", "ldap", "rabbitmqadmin"),
	form("password", `\b(?:curl|wget|http)\b[^|;]{0,200}?\s(?:-u|--user|-U)[ =]*['"]?[^\s:'"]+:([^\s'"]+)`, "curl ", "wget ", "http "),
	form("password", `\s-pass(?:in|out)?\s+pass:(\S+)`, " pass:"),
	form("erlang-cookie", `\s-setcookie\s+['"]?([^\s'"]+)`, "-setcookie"),
}

const _ = uint(64 - len(shapes)) // hintsIn has a bit for each

// findShapes finds what has a known shape.
func findShapes(s string, found *spans) {
	for hinted := hintsIn(s); hinted != 0; hinted &= hinted - 1 {
		sh := &shapes[bits.TrailingZeros64(hinted)]
		for _, m := range sh.re.FindAllStringSubmatchIndex(s, -1) {
			from, to := m[0], m[1]
			grouped := len(m) > 2
			if grouped {
				from, to = m[2], m[3]
			}
			if to-from >= 2 && (s[from] == '\'' || s[from] == '"') && s[to-1] == s[from] {
				from, to = from+1, to-1
			}
			secret := s[from:to]
			if grouped && placeholder(secret) || sh.ok != nil && !sh.ok(secret) {
				continue
			}
			kind := sh.kind
			if kind == "jwt" && ofKubernetes(secret) {
				kind = "kubernetes-token"
			}
			found.add(from, to, kind)
		}
	}
}

// A hint is looked for where its first two bytes stand: one pass for all of them.
type hint struct {
	text  string
	shape uint64 // the bit of its shape
}

var hintsAt = func() map[int][]hint {
	at := map[int][]hint{}
	for i, sh := range shapes {
		for _, h := range sh.hints {
			pair := int(h[0])<<8 | int(h[1])
			at[pair] = append(at[pair], hint{h, 1 << i})
		}
	}
	return at
}()

// hintPairs are the pairs of bytes that hints begin with, as bits: small enough
// to stay in the cache.
var hintPairs = func() (set [1 << 10]uint64) {
	for pair := range hintsAt {
		set[pair>>6] |= 1 << (pair & 63)
	}
	return set
}()

// hintsIn returns the shapes that s may have, as bits.
func hintsIn(s string) (hinted uint64) {
	for i := 0; i+1 < len(s); i++ {
		pair := int(s[i])<<8 | int(s[i+1])
		if hintPairs[pair>>6]&(1<<(pair&63)) == 0 {
			continue
		}
		for _, h := range hintsAt[pair] {
			if hinted&h.shape == 0 && strings.HasPrefix(s[i:], h.text) {
				hinted |= h.shape
			}
		}
	}
	return hinted
}

var (
	pemBegin = regexp.MustCompile(`-----BEGIN [A-Z0-9 ]{0,40}(?:PRIVATE KEY(?: BLOCK)?|NKEY SEED)-----`)
	pemEnd   = regexp.MustCompile(`-----END [A-Z0-9 ]{0,60}-----`)
	pemRest  = regexp.MustCompile(`^(?:[A-Za-z0-9+/=]{16,}|\\r|\\n|\s)*`) // of a key that was cut
)

// longestPEM is how far from its begin the end of a key is looked for.
const longestPEM = 16 << 10

func findPEM(s string, found *spans) {
	if !strings.Contains(s, "-----BEGIN ") {
		return
	}
	at := 0
	for _, m := range pemBegin.FindAllStringIndex(s, -1) {
		if m[0] < at {
			continue
		}
		kind := "private-key"
		if strings.Contains(s[m[0]:m[1]], "NKEY") {
			kind = "nats-seed"
		}
		rest := s[m[1]:min(len(s), m[1]+longestPEM)]
		if i := strings.Index(rest, "-----END "); i < 0 {
			at = m[1] + pemRest.FindStringIndex(rest)[1]
		} else if end := pemEnd.FindStringIndex(rest[i:]); end != nil && end[0] == 0 {
			at = m[1] + i + end[1]
		} else {
			at = m[1] + i
		}
		found.add(m[0], at, kind)
	}
}

func hasDigit(s string) bool { return strings.ContainsAny(s, "0123456789") }

// encodesPair says whether s is user:password in base64.
func encodesPair(s string) bool {
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
	return err == nil && strings.Contains(string(raw), ":")
}

// ofKubernetes says whether a JWT is that of a service account.
func ofKubernetes(jwt string) bool {
	_, rest, _ := strings.Cut(jwt, ".")
	claims, _, _ := strings.Cut(rest, ".")
	raw, err := base64.RawURLEncoding.DecodeString(claims)
	return err == nil && strings.Contains(string(raw), "kubernetes.io")
}
