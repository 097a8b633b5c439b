package redact_test

import (
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/fleetlens/fleetlens/internal/redact"
)

// rows are the lines of a file of testdata, comments left out.
func rows(t testing.TB, name string) (list []string) {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if line = strings.TrimSuffix(line, "\n"); line != "" && !strings.HasPrefix(line, "# ") {
			list = append(list, line)
		}
	}
	return list
}

type planted struct{ kind, secret, text string }

func plantedSecrets(t testing.TB) (list []planted) {
	t.Helper()
	for _, row := range rows(t, "secrets.txt") {
		f := strings.Split(row, "\t")
		if len(f) != 3 || !strings.Contains(f[2], "{}") {
			t.Fatalf("secrets.txt: %q has not three fields", row)
		}
		secret := strings.ReplaceAll(f[1], "|", "")
		text := strings.ReplaceAll(strings.Replace(f[2], "{}", secret, 1), "⏎", "\n")
		list = append(list, planted{f[0], secret, text})
	}
	return list
}

func TestPlantedSecretsDoNotSurvive(t *testing.T) {
	list := plantedSecrets(t)
	kinds := map[string]bool{}
	for _, p := range list {
		kinds[p.kind] = true
		t.Run(p.kind+" in "+p.text, func(t *testing.T) {
			got := redact.Text(p.text)
			if strings.Contains(got, p.secret) {
				t.Errorf("the secret survived in %q", got)
			}
			if !strings.Contains(got, "[redacted:"+p.kind+"]") {
				t.Errorf("%q does not say that there was a %s", got, p.kind)
			}
			if again := redact.Text(got); again != got {
				t.Errorf("redacted twice it is %q", again)
			}
		})
	}
	if len(list) < 80 || len(kinds) < 20 {
		t.Errorf("%d secrets of %d kinds, want at least 80 of 20", len(list), len(kinds))
	}
	t.Logf("%d secrets of %d kinds", len(list), len(kinds))
}

func TestOrdinaryLinesStay(t *testing.T) {
	list := rows(t, "ordinary.txt")
	for _, line := range list {
		if got := redact.Text(line); got != line {
			t.Errorf("%q\n   became %q", line, got)
		}
	}
	if len(list) < 150 {
		t.Errorf("%d lines, want at least 150", len(list))
	}
	if all := strings.Join(list, "\n"); redact.Text(all) != all {
		t.Error("all of them as one text did not stay")
	}
}

func TestWhatIsAroundASecretStays(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"of a URL only the password goes", "DATABASE_URL=postgres://shop:hunter2@db:5432/shop ok", "DATABASE_URL=postgres://shop:[redacted:password]@db:5432/shop ok"},
		{"quotes stay", `{"password": "hunter", "n": 3}`, `{"password": "[redacted:password]", "n": 3}`},
		{"quotes within quotes stay", `body="{\"password\":\"hunter\"}"`, `body="{\"password\":\"[redacted:password]\"}"`},
		{"the options beside it stay", "mysqldump --password=x1 --user=root shop", "mysqldump --password=[redacted:password] --user=root shop"},
		{"a secret of two rules is told by what knows it better", "GITHUB_TOKEN=" + "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a", "GITHUB_TOKEN=[redacted:github-token]"},
		{"two in a line", "user=a@example.com password=x1", "user=[redacted:email] password=[redacted:password]"},
		{"one at the end of a line leaves the next line", "password=x1\nready", "password=[redacted:password]\nready"},
		{"of many lines only those change", "one\npassword=x1\r\nthree\n", "one\npassword=[redacted:password]\r\nthree\n"},
		{"what was redacted is no secret", "password=[redacted:password] token=[redacted:jwt]", "password=[redacted:password] token=[redacted:jwt]"},
		{"what stands beside it is looked at", "[redacted:email] password=x1", "[redacted:email] password=[redacted:password]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := redact.Text(tt.in); got != tt.want {
				t.Errorf("Text(%q) =\n     %q\nwant %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestLongTexts(t *testing.T) {
	const secret = "hunter2hunter"
	filler := strings.Repeat("x y z ", 1<<17) // 768 KiB
	for _, tt := range []struct{ name, text string }{
		{"a secret at the end of one long line", filler + " password=" + secret},
		{"a secret between two halves", filler + " password=" + secret + " " + filler},
		{"a secret at every border there could be", strings.Repeat(strings.Repeat("z", 1000)+" password="+secret+"\n", 1500)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := redact.Text(tt.text)
			if strings.Contains(got, secret) {
				t.Error("the secret survived")
			}
			if want := strings.ReplaceAll(tt.text, secret, "[redacted:password]"); got != want {
				t.Error("something else changed too")
			}
		})
	}
}

func FuzzText(f *testing.F) {
	for _, p := range plantedSecrets(f) {
		f.Add(p.text)
	}
	for _, line := range rows(f, "ordinary.txt") {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := redact.Text(s)
		if again := redact.Text(got); again != got {
			t.Errorf("redacted twice\n     %q\nis   %q\nonce %q", s, again, got)
		}
		if len(got) > 8*len(s) {
			t.Errorf("%d bytes became %d", len(s), len(got))
		}
		if utf8.ValidString(s) && !utf8.ValidString(got) {
			t.Errorf("%q is no UTF-8 any more", got)
		}
	})
}

// The costs of a line of some 200 bytes: one of nginx, and one with a secret.
func BenchmarkText(b *testing.B) {
	access := `10.0.3.17 - - [22/Nov/2026:03:44:25 +0000] "GET /api/v1/orders/4711/items?page=2&limit=50 HTTP/1.1" 200 5120 "https://shop.example.org/orders" "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101"`
	logfmt := `time=2026-11-22T03:44:25.123Z level=INFO msg="a request was answered" trace_id=0af7651916cd43dd8448eb211c80319c method=GET path=/api/v1/orders status=200 took=12.4ms bytes=5120 node=web-1 shard=17 pool=main`
	for _, bb := range []struct{ name, line string }{
		{"ordinary access log", access[:200]},
		{"ordinary logfmt", logfmt[:200]},
		{"a password in a URL", (`level=error msg="cannot connect" err="dial postgres://shop:hunter2@db.internal:5432/shop: connection refused" ` + logfmt)[:200]},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.SetBytes(int64(len(bb.line)))
			b.ReportAllocs()
			for b.Loop() {
				redact.Text(bb.line)
			}
		})
	}
}

// What is repeated here made rules read the rest of the text again and again.
func TestTimeGrowsWithTheLengthOnly(t *testing.T) {
	for _, p := range []string{"password=[", "key:", "-----BEGIN PRIVATE KEY-----", "://a:b/", "cookie:", `token:\"[`, "a@", "login a password ", "pass pass:"} {
		t.Run(p, func(t *testing.T) {
			began := time.Now()
			redact.Text(strings.Repeat(p, 128<<10/len(p)))
			if took := time.Since(began); took > 5*time.Second { // it was 10 s and more; it is less than a tenth of one
				t.Errorf("128 KiB took %s", took)
			}
		})
	}
}
