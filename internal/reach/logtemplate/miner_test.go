package logtemplate_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/internal/reach/logtemplate"
)

// groups adds lines and returns the text of each one's template at the end.
func groups(lines []string) []string {
	m := logtemplate.New(logtemplate.DefaultConfig())
	ids := make([]logtemplate.ID, len(lines))
	for i, line := range lines {
		ids[i], _ = m.Add(line)
	}
	texts := make([]string, len(lines))
	for i, id := range ids {
		t, _ := m.Template(id)
		texts[i] = t.Text
	}
	return texts
}

func TestLinesOfOneTemplate(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"numbers", []string{"worker 12 done in 3 rounds", "worker 7 done in 11 rounds"}, "worker <*> done in <*> rounds"},
		{"units that change", []string{"took 3 ms", "took 2 s", "took 15 min"}, "took <*>"},
		{"units that do not", []string{"used 3 MB of heap", "used 17 MB of heap"}, "used <*> MB of heap"},
		{"a bound in place of a number", []string{"gw.site.example:443 closed, alive <1 sec", "db.site.example:5432 closed, alive 02:11"}, "<*> closed, alive <*>"},
		{"dates", []string{"peer 10.1.2.3 left at Sat Jun 18 02:08:10 2005", "peer 10.1.2.4 left at Mon Feb 7 12:18:11 2005"}, "peer <*> left at <*>"},
		{"paths and their absence", []string{"mounted sda1 on / read-only", "mounted sdb2 on /var/lib read-only"}, "mounted <*> on <*> read-only"},
		{"URLs", []string{"fetch https://a.example/x?y=1&z=2 failed", "fetch http://b.example:80/ failed"}, "fetch <*> failed"},
		{"hardware addresses", []string{"offer from 00:1b:44:11:3a:b7 via eth1", "offer from aa:bb:cc:dd:ee:ff via eth0"}, "offer from <*> via <*>"},
		{"IPv6 addresses", []string{"bind [::1]:80 refused", "bind [fe80::d8a5:90ff:fef5:7fff]:8080 refused"}, "bind [<*>]:<*> refused"},
		{"identifiers with digits", []string{"attempt_1445_0020_m_0001 is lost", "attempt_1445_0020_m_0002 is lost"}, "<*> is lost"},
		{"escaped quotes", []string{`part \042alt0\042 is gone (ID=3180)`, `part \042fan-7:3\042 is gone (ID=2)`}, "part <*> is gone (ID=<*>)"},
		{"values of keys, of whatever kind", []string{
			"auth failure; uid=0 tty=ttyA rhost=10.0.0.1 user=root", "auth failure; uid=33 tty=ttyA rhost=mail.host.example user=guest",
		}, "auth failure; uid=<*> tty=ttyA rhost=<*> user=<*>"},
		{"values apart from their keys", []string{"steps today = 1514038440000##6993##548", "steps today = 1514038440001##7007##549"}, "steps today = <*>"},
		{"names after what announces them", []string{"opened for user carol by (uid=0)", "opened for user news by (uid=0)"}, "opened for user <*> by (uid=<*>)"},
		{"names between for and from", []string{"key of carol accepted for carol from 10.0.0.1", "key of carol accepted for news from 10.0.0.7"}, "key of carol accepted for <*> from <*>"},
		{"host names with digits and without", []string{"link from 10.0.0.9 (c-9.isp.example) up", "link from 10.0.0.8 (mail.example.com) up"}, "link from <*> (<*>) up"},
		{"names with dots", []string{"received intent app.action.SCREEN_ON now", "received intent app.action.SCREEN_OFF now"}, "received intent <*> now"},
		{"lists of several lengths", []string{"speeds ( 3552 3534 3375 )", "speeds ( 3552 **** 3375 3400 3401 )"}, "speeds ( <*> )"},
		{"repeated groups", []string{"at iar 0x1, dear 0x2", "at iar 0x1, dear 0x2, iar 0x3, dear 0x4"}, "at iar <*>, dear <*>"},
		{"five words in one place", []string{"state of pump is red", "state of pump is blue", "state of pump is green", "state of pump is black", "state of pump is white"}, "state of pump is <*>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for i, got := range groups(tt.lines) {
				if got != tt.want {
					t.Errorf("%q is of %q, want %q", tt.lines[i], got, tt.want)
				}
			}
		})
	}
}

func TestLinesOfDifferentTemplates(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lines []string
	}{
		{"an enumeration of four", []string{"link is up", "link is down", "link is in reset", "link is lost"}},
		{"verbs in front", []string{"Starting the main loop", "Ending the main loop", "Leaving the main loop", "Entering the main loop", "Skipping the main loop"}},
		{"single words", []string{"suspend", "resume", "reset", "halt", "boot", "stop", "start", "idle", "sleep"}},
		{"what a request does", []string{`10.0.0.1 "GET /v2/a1/servers HTTP/1.1" status: 200`, `10.0.0.1 "POST /v2/a1/servers HTTP/1.1" status: 202`, `10.0.0.1 "DELETE /v2/a1/servers/9 HTTP/1.1" status: 204`}},
		{"true and false", []string{"panel overlap=true now", "panel overlap=false now"}},
		{"with a part and without", []string{"auth failure; uid=0 rhost=10.0.0.1", "auth failure; uid=0 rhost=10.0.0.1 user=root"}},
		{"bytes in parentheses", []string{"closed, 451 bytes sent", "closed, 3637 bytes (3.55 KB) sent"}},
		{"ranges usable and reserved", []string{"e820: 0000 - 00a0 (usable)", "e820: 00f0 - 0100 (reserved)"}},
		{"states of a service", []string{"Service started", "Service stopped"}},
		{"none and some", []string{"2 errors were found", "No errors were found"}},
		{"source files", []string{"sweep.c:1455: no change", "route.c:17: no change"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := groups(tt.lines)
			slices.Sort(got)
			if n := len(slices.Compact(got)); n != len(tt.lines) {
				t.Errorf("%d templates of %d lines: %q", n, len(tt.lines), got)
			}
		})
	}
}

func TestAMergeKeepsTheIDOfTheLargest(t *testing.T) {
	m := logtemplate.New(logtemplate.DefaultConfig())
	var ids []logtemplate.ID
	for i, colour := range []string{"red", "blue", "green", "black", "white"} {
		id, isNew := m.Add("the lamp is " + colour)
		if want := i < 4; isNew != want {
			t.Errorf("%s: new is %v, want %v", colour, isNew, want)
		}
		if colour == "green" {
			m.Add("the lamp is green")
		}
		ids = append(ids, id)
	}
	for _, id := range ids {
		if got := m.Resolve(id); got != ids[2] {
			t.Errorf("Resolve(%d) = %d, want %d, that of green", id, got, ids[2])
		}
	}
	if got, ok := m.Template(ids[0]); !ok || got.Count != 6 || got.ID != ids[2] || m.Len() != 1 {
		t.Errorf("Template(%d) = %+v, %v of %d, want 6 lines in one", ids[0], got, ok, m.Len())
	}
}

func TestTheSameLinesGiveTheSameTemplates(t *testing.T) {
	var lines []string
	for i := range 3000 {
		lines = append(lines, fmt.Sprintf("job %s of %s went to %s", letters(i%97), letters(i%13+1000), letters(i%7+5000)))
	}
	first := groups(lines)
	for range 3 {
		if again := groups(lines); !slices.Equal(first, again) {
			t.Fatal("two runs over the same lines differ")
		}
	}
}

// letters writes n without digits.
func letters(n int) string {
	return strings.Map(func(r rune) rune { return r - '0' + 'k' }, fmt.Sprint(n))
}

func TestMemoryIsBounded(t *testing.T) {
	m := logtemplate.New(logtemplate.DefaultConfig())
	before := heap()
	for i := range 20_000 {
		// Every line has other words in other places.
		m.Add(strings.Repeat(letters(i)+" ", 3+i%40) + strings.Repeat("( "+letters(i*7)+" ) ", i%5))
	}
	if most := logtemplate.DefaultConfig().MaxTemplates; m.Len() > most {
		t.Errorf("%d templates, want at most %d", m.Len(), most)
	}
	if grown := heap() - before; grown > 4<<20 {
		t.Errorf("the heap grew by %d KiB on hostile lines, want at most 4 MiB", grown>>10)
	}
	runtime.KeepAlive(m)
}

func heap() int64 {
	var s runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

func TestWrongConfigurationsAreNamed(t *testing.T) {
	err := logtemplate.Config{MaxTemplates: 1, MaxTokens: 1 << 20, MaxLine: 512, Values: 5, FirstValues: 8}.Validate()
	for _, want := range []string{"MaxTemplates is 1", "NamedValues is 0", "at most 4096 tokens"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate() = %v, want it to say %q", err, want)
		}
	}
}

func FuzzAdd(f *testing.F) {
	for _, seed := range []string{"", "a=b, c=(d [e] f) \"g h\"", "::1 :::: =====", "x=<1 <2> ''", "/ // \\ ..", "\xff\xfe=\xfd@\xfc", "a=(b=(c=(d", "1 2, 3 - 4 | 5"} {
		f.Add(seed)
	}
	m := logtemplate.New(logtemplate.Config{MaxTemplates: 64, MaxTokens: 32, MaxLine: 512, Values: 3, FirstValues: 4, NamedValues: 2})
	f.Fuzz(func(t *testing.T, line string) {
		id, _ := m.Add(line)
		if again, isNew := m.Add(line); isNew || m.Resolve(again) != m.Resolve(id) {
			t.Errorf("%q is of %d, then of %d (new: %v)", line, id, again, isNew)
		}
		if got, ok := m.Template(id); !ok || got.Count < 2 {
			t.Errorf("Template(%d) = %+v, %v", id, got, ok)
		}
		if m.Len() > 64 {
			t.Errorf("%d templates", m.Len())
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	m := logtemplate.New(logtemplate.DefaultConfig())
	line := `10.11.10.1 "GET /v2/54fadb412c4e40cdbaed9335e4c35a9e/servers/detail HTTP/1.1" status: 200 len: 1893 time: 0.2477829`
	b.ReportAllocs()
	for b.Loop() {
		m.Add(line)
	}
}
