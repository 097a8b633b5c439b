package redact

import "strings"

// findUserinfo finds the password of scheme://user:password@host, and a token
// that stands alone before the @.
func findUserinfo(s string, found *spans) {
	for at := 0; ; {
		i := strings.Index(s[at:], "://")
		if i < 0 {
			return
		}
		from := at + i + 3
		at = from
		end := from
		last := -1 // the last @ before the host ends: a password may hold one
		for end < len(s) && strings.IndexByte(" \t\r\n\"'`<>", s[end]) < 0 {
			if s[end] == '@' {
				last = end
			}
			if s[end] == '/' || s[end] == '?' || s[end] == '#' {
				// A / ends the authority; yet passwords with a / in them are written
				// unescaped too: one @ further on in this word is looked for once.
				if last >= 0 || !strings.Contains(s[from:end], ":") {
					break
				}
				rest := strings.IndexAny(s[end:min(len(s), end+128)], " \t\r\n\"'`<>@?&")
				if rest < 0 || s[end+rest] != '@' || isPort(s[from:end]) {
					break
				}
				last = end + rest
				break
			}
			end++
		}
		if last < 0 {
			continue
		}
		info := s[from:last]
		if colon := strings.IndexByte(info, ':'); colon >= 0 {
			if v := info[colon+1:]; !placeholder(v) {
				found.add(from+colon+1, last, "password")
			}
		} else if longAndMixed(info) {
			found.add(from, last, "token")
		}
		at = last
	}
}

// isPort says whether s is host:port.
func isPort(s string) bool {
	_, port, _ := strings.Cut(s, ":")
	return port != "" && strings.Trim(port, "0123456789") == ""
}

// findMail finds e-mail addresses.
func findMail(s string, found *spans) {
	for at := 0; ; {
		i := strings.IndexByte(s[at:], '@')
		if i < 0 {
			return
		}
		i += at
		from, to := i, i+1
		for from > at && i-from < 64 && (isNameByte(s[from-1]) || s[from-1] == '+' || s[from-1] == '%') {
			from--
		}
		for to < len(s) && to-i < 255 && (isLower(s[to]) || isUpper(s[to]) || isDigit(s[to]) || s[to] == '-' || s[to] == '.') {
			to++
		}
		at = i + 1
		domain := strings.TrimRight(s[i+1:to], ".-")
		if from == i || !isDomain(domain) || notMail[s[from:i]] || inURL(s, from) {
			continue
		}
		at = i + 1 + len(domain)
		found.add(from, at, "email")
	}
}

// notMail are names before an @ that say who logs in or which node of Erlang it is.
var notMail = map[string]bool{"git": true, "rabbit": true, "ejabberd": true, "emqx": true, "couchdb": true}

// isDomain says whether mail can be sent to s. Units of systemd (user@1000.service),
// versions (lodash@4.17.21), and nodes of Erlang within a site (app@db.internal) look alike.
func isDomain(s string) bool {
	dot := strings.LastIndexByte(s, '.')
	if dot < 1 || s[0] == '.' || strings.Contains(s, "..") {
		return false
	}
	top := s[dot+1:]
	if len(top) < 2 || len(top) > 14 || strings.Trim(top, "abcdefghijklmnopqrstuvwxyz") != "" && strings.Trim(top, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return false
	}
	switch top {
	case "service", "socket", "timer", "slice", "target", "mount", "automount", "scope", "path", "swap", "device",
		"internal", "local", "localdomain", "localhost", "lan", "svc", "home", "arpa", "go", "so", "py", "js", "ts", "conf", "log", "jar", "dll", "exe":
		return false
	}
	first, second, _ := strings.Cut(strings.TrimPrefix(s, "v"), ".")
	return strings.Trim(first, "0123456789") != "" || second == "" || !isDigit(second[0])
}

// inURL says whether s[at] stands in the part of a URL that names the host.
func inURL(s string, at int) bool {
	begin := max(0, at-256)
	word := s[begin:at]
	if i := strings.LastIndexAny(word, " \t\"'"); i >= 0 {
		word = word[i+1:]
	}
	i := strings.LastIndex(word, "://")
	return i >= 0 && !strings.Contains(word[i+3:], "/")
}
