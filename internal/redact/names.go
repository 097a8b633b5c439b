package redact

import "strings"

// A name says by its last words what it names: db_password and
// spring.datasource.password name a password, password_file does not.
var namedBy = []struct{ ending, kind string }{
	{"password", "password"}, {"passwd", "password"}, {"passphrase", "password"}, {"passwort", "password"}, {"passcode", "password"},
	{"pwd", "password"}, {"dbpass", "password"}, {"userpass", "password"}, {"storepass", "password"}, {"keypass", "password"},
	{"sshpass", "password"}, {"bindpw", "password"}, {"rootpw", "password"},
	{"token", "token"}, {"jwt", "token"}, {"secretaccesskey", "aws-secret-key"},
	{"apikey", "api-key"}, {"accountkey", "azure-key"}, {"sharedaccesskey", "azure-key"}, {"accesskey", "key"}, {"secretkey", "key"}, {"privatekey", "key"}, {"signingkey", "key"},
	{"encryptionkey", "key"}, {"authkey", "key"}, {"masterkey", "key"},
	{"sharedkey", "key"}, {"hmackey", "key"}, {"cryptkey", "key"}, {"secretkeybase", "secret"},
	{"secret", "secret"}, {"credential", "secret"}, {"credentials", "secret"},
	{"cookie", "cookie"}, {"authorization", "authorization"},
}

// namedAlone are endings that other words have too: bypass, draw.
var namedAlone = []struct{ word, kind string }{{"pass", "password"}, {"pw", "password"}}

// maybeNamed are names of secrets as often as of other things: what they name has
// to look like a secret too.
var maybeNamed = []struct{ ending, kind string }{
	{"sig", "signature"}, {"signature", "signature"}, {"session", "session"}, {"sessionid", "session"}, {"sessid", "session"},
	{"sid", "session"}, {"auth", "token"}, {"key", "key"}, {"nonce", "token"},
}

const longestName = 64

// secretName says what kind of secret a name names, and whether it surely does.
func secretName(name string) (kind string, sure, ok bool) {
	if len(name) < 2 || len(name) > longestName {
		return "", false, false
	}
	var buf [longestName]byte
	n, word := 0, 0 // word is where the last word begins
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '_' || c == '-' || c == '.' || c == ' ':
			word = n
			continue
		case isUpper(c):
			if i > 0 && isLower(name[i-1]) {
				word = n
			}
			c += 'a' - 'A'
		}
		buf[n] = c
		n++
	}
	plain := buf[:n]
	for _, e := range namedBy {
		if hasEnding(plain, e.ending) {
			return e.kind, true, true
		}
	}
	for _, e := range namedAlone {
		if string(plain[min(word, n):]) == e.word {
			return e.kind, true, true
		}
	}
	for _, e := range maybeNamed {
		if hasEnding(plain, e.ending) {
			return e.kind, false, true
		}
	}
	return "", false, false
}

func hasEnding(b []byte, ending string) bool {
	return len(b) >= len(ending) && string(b[len(b)-len(ending):]) == ending
}

// isSecret says whether v can be the secret that a name promises. How sure the
// text around it makes that, plain says: within JSON a word is a password too,
// in a sentence it is a word.
func isSecret(name, kind, v string, sure, plain bool) bool {
	if placeholder(v) {
		return false
	}
	if !sure {
		return kind == "key" && looksRandom(v) || kind != "key" && longAndMixed(v)
	}
	switch {
	case strings.EqualFold(name, "pass") && (!plain || len(v) < 4 && strings.Trim(v, "0123456789") == ""):
		return false // --- PASS: TestIt, pass=3
	case v[0] == '/' && (kind != "password" || strings.HasSuffix(strings.ToLower(name), "pwd")):
		return strings.Count(v, "/") < 2 && len(v) > 24 // else the path of a file
	case plain && (kind == "token" || kind == "cookie"):
		return len(v) >= 20 || len(v) >= 6 && (hasDigit(v) || isName(name)) // TOKEN=abcdef, but not token=Token{…}
	case plain:
		return true
	}
	return len(v) >= 4 && notAWord(v) // unexpected token: '}'
}

// placeholder says whether v stands where a secret would.
func placeholder(v string) bool {
	if strings.Trim(v, "*.•-?<>") == "" || len(v) > 2 && strings.Trim(v, "xX") == "" || strings.HasPrefix(v, markerBegin) {
		return true
	}
	switch v[0] {
	case '$', '%', '?', '{', '<', '[', '(':
		// $1, ${PASSWORD}, %s, <nil>, [FILTERED]; but $ecret1! is a password.
		if v[0] != '$' || len(v) > 1 && (v[1] == '{' || v[1] == '(' || isDigit(v[1]) || isName(v[1:])) {
			return true
		}
	}
	switch strings.ToLower(v) {
	case "true", "false", "null", "nil", "none", "undefined", "yes", "no", "on", "off", "set", "unset", "empty", "missing", "required",
		"optional", "invalid", "expired", "incorrect", "redacted", "masked", "hidden", "filtered", "string", "nan":
		return true
	}
	return false
}

// isName says whether v is a variable's name: upper case throughout.
func isName(v string) bool {
	for i := range len(v) {
		if !isUpper(v[i]) && v[i] != '_' && !isDigit(v[i]) {
			return false
		}
	}
	return v != ""
}

// notAWord says whether v has what words of a sentence don't.
func notAWord(v string) bool {
	v = strings.TrimRight(v, ".:!?")
	if len(v) >= 20 {
		return true
	}
	for i := range len(v) {
		c := v[i]
		if !isLower(c) && !isUpper(c) && c != '-' && c != '\'' || i > 0 && isUpper(c) && isLower(v[i-1]) {
			return c != '{'
		}
	}
	return false
}

// longAndMixed says whether v has letters and figures, and is too long for an id
// that a person gave; the ids that machines give have their own shape.
func longAndMixed(v string) bool {
	var letters, digits int
	for i := range len(v) {
		switch c := v[i]; {
		case isDigit(c):
			digits++
		case isLower(c) || isUpper(c):
			letters++
		}
	}
	return len(v) >= 20 && letters >= 4 && digits >= 2 && letters+digits > len(v)*3/4 && !isUUID(v) && entropy(v) > 2.8
}

func isUUID(v string) bool {
	return len(v) == 36 && v[8] == '-' && v[13] == '-' && v[18] == '-' && v[23] == '-'
}

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }
func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
