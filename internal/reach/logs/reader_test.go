package logs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/logs"
)

// A folder is read. Its clock is moved on by hand, so that every Poll reads.
type folder struct {
	*logs.Reader
	t   *testing.T
	dir string
	at  time.Time
}

func read(t *testing.T, journal logs.Journal) *folder {
	t.Helper()
	f := &folder{t: t, dir: t.TempDir(), at: time.Now().Add(-time.Hour)} // files are always newer
	cfg := logs.Config{Files: []string{filepath.Join(f.dir, "*.log")}, Docker: filepath.Join(f.dir, "docker"), Pods: filepath.Join(f.dir, "pods")}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	f.Reader = logs.NewAt(cfg, journal, func() time.Time { return f.at })
	t.Cleanup(f.Close)
	return f
}

func (f *folder) poll() {
	f.t.Helper()
	f.at = f.at.Add(2 * time.Second)
	if err := f.Poll(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
}

// write appends to a file.
func (f *folder) write(name, text string) {
	f.t.Helper()
	path := filepath.Join(f.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		f.t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		f.t.Fatal(err)
	}
	if _, err := file.WriteString(text); err != nil {
		f.t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		f.t.Fatal(err)
	}
}

func (f *folder) rename(from, to string) {
	f.t.Helper()
	if err := os.Rename(filepath.Join(f.dir, from), filepath.Join(f.dir, to)); err != nil {
		f.t.Fatal(err)
	}
}

// messages returns those that were read, the oldest first.
func (f *folder) messages() []string {
	var out []string
	for _, e := range f.Entries(2000, func(*logs.Entry) bool { return true }) {
		out = append(out, e.Message)
	}
	slices.Sort(out)
	return out
}

func (f *folder) want(want ...string) {
	f.t.Helper()
	if got := f.messages(); !slices.Equal(got, want) {
		f.t.Errorf("read %q, want %q", got, want)
	}
}

func TestFilesAreFollowed(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(f *folder)
		want []string
	}{
		{"what is there is read, and what comes", func(f *folder) {
			f.write("a.log", "m1\nm2\n")
			f.poll()
			f.write("a.log", "m3\n")
			f.poll()
		}, []string{"m1", "m2", "m3"}},
		{"a line without its end waits for it", func(f *folder) {
			f.poll()
			f.write("a.log", "m1\nhalf")
			f.poll()
			f.write("a.log", " of m2\n")
			f.poll()
		}, []string{"half of m2", "m1"}},
		{"rotated by rename, written before and after", func(f *folder) {
			f.write("a.log", "m1\n")
			f.poll()
			f.write("a.log", "m2\n")
			f.rename("a.log", "a.log.1")
			f.write("a.log.1", "m3\n")
			f.write("a.log", "m4\n")
			f.poll()
			f.poll()
		}, []string{"m1", "m2", "m3", "m4"}},
		{"rotated to a name that the pattern has too", func(f *folder) {
			f.write("a.log", "m1\n")
			f.poll()
			f.write("a.log", "m2\n")
			f.rename("a.log", "a-old.log")
			f.write("a.log", "m3\n")
			f.poll()
			f.write("a-old.log", "m4\n")
			f.poll()
			f.poll()
		}, []string{"m1", "m2", "m3", "m4"}},
		{"copied and truncated", func(f *folder) {
			f.write("a.log", "m1\nm2\n")
			f.poll()
			if err := os.Truncate(filepath.Join(f.dir, "a.log"), 0); err != nil {
				f.t.Fatal(err)
			}
			f.write("a.log", "m3\n")
			f.poll()
		}, []string{"m1", "m2", "m3"}},
		{"truncated and longer than before", func(f *folder) {
			f.write("a.log", "m1\n")
			f.poll()
			if err := os.Truncate(filepath.Join(f.dir, "a.log"), 0); err != nil {
				f.t.Fatal(err)
			}
			f.write("a.log", "m2\nm3\nm4\n")
			f.poll()
		}, []string{"m1", "m2", "m3", "m4"}},
		{"deleted and made again", func(f *folder) {
			f.write("a.log", "m1\n")
			f.poll()
			if err := os.Remove(filepath.Join(f.dir, "a.log")); err != nil {
				f.t.Fatal(err)
			}
			f.poll()
			f.poll()
			f.write("a.log", "m2\n")
			f.poll()
		}, []string{"m1", "m2"}},
		{"files that come later", func(f *folder) {
			f.poll()
			f.write("b.log", "m1\n")
			f.poll()
		}, []string{"m1"}},
		{"bytes that are no text", func(f *folder) {
			f.write("b.log", "\x00\x01\x02\nm1\n")
			f.poll()
		}, nil},
		{"Docker's wrapping, with a line in two", func(f *folder) {
			f.write("docker/0123456789abcdef/0123456789abcdef-json.log",
				`{"log":"m1\n","stream":"stdout","time":"2026-11-22T11:59:00Z"}`+"\n"+`{"log":"half ","stream":"stdout","time":"2026-11-22T11:59:00Z"}`+"\n"+`{"log":"of m2\n","stream":"stdout","time":"2026-11-22T11:59:00Z"}`+"\n")
			f.poll()
		}, []string{"half of m2", "m1"}},
		{"pods", func(f *folder) {
			f.write("pods/ns_app_1/web/0.log", "2026-11-22T11:59:00.1Z stdout F m1\n2026-11-22T11:59:00.1Z stderr P half \n2026-11-22T11:59:00.1Z stderr F of m2\n")
			f.poll()
		}, []string{"half of m2", "m1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := read(t, nil)
			tt.do(f)
			f.want(tt.want...)
		})
	}
}

func TestOfALargeFileTheEndIsRead(t *testing.T) {
	f := read(t, nil)
	f.write("a.log", strings.Repeat("filler of the file\n", 10_000)+"the end\n")
	f.poll()
	if got := f.Totals(15 * time.Minute).Total; got > 4000 {
		t.Errorf("%d entries, want those of the last 64 KiB", got)
	}
	if !slices.Contains(f.messages(), "the end") {
		t.Error("the end is missing")
	}
}

func TestALineOf64MiBIsCut(t *testing.T) {
	f := read(t, nil)
	f.poll()
	f.write("a.log", "m1\n")
	f.poll()
	before := heap()
	chunk := strings.Repeat("x", 1<<20)
	for range 64 {
		f.write("a.log", chunk)
		f.poll()
	}
	f.write("a.log", "\nm2\n")
	f.poll()
	got := f.messages()
	if len(got) != 3 || got[0] != "m1" || got[1] != "m2" || !strings.HasSuffix(got[2], logs.Truncated) || len(got[2]) > 2100 {
		t.Errorf("%d messages, the longest of %d bytes", len(got), len(got[len(got)-1]))
	}
	if grown := heap() - before; grown > 1<<20 {
		t.Errorf("the heap grew by %d KiB", grown>>10)
	}
}

func TestWhenTooMuchComesAtOnceTheNewestIsRead(t *testing.T) {
	f := read(t, nil)
	f.write("a.log", "m1\n")
	f.poll()
	sparse(t, filepath.Join(f.dir, "a.log"), 2<<30)
	f.write("a.log", "\nthe end\n")
	began := time.Now()
	f.poll()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("a hole of 2 GiB took %v", took)
	}
	if _, skipped := f.Losses(); skipped < 2<<30-2<<20 {
		t.Errorf("%d bytes passed over, want nearly 2 GiB", skipped)
	}
	f.want("m1", "the end")
}

// sparse makes a file longer, with a hole that takes no room.
func sparse(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

func TestAStormOfLinesIsBounded(t *testing.T) {
	f := read(t, nil)
	f.poll()
	before := heap()
	for i := range 10 {
		var b strings.Builder
		for j := range 4_000 {
			fmt.Fprintf(&b, "ERROR job %s failed for %s with code %d: %s\n", word(i*j), word(j), j, strings.Repeat(word(j)+" ", j%17))
		}
		f.write("a.log", b.String())
		f.poll()
	}
	if grown := heap() - before; grown > 3<<20 {
		t.Errorf("the heap grew by %d KiB in a storm", grown>>10)
	}
	runtime.KeepAlive(f)
}

func word(n int) string {
	return strings.Map(func(r rune) rune { return r - '0' + 'k' }, fmt.Sprint(n))
}

func heap() int64 {
	var s runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

func TestTemplates(t *testing.T) {
	f := read(t, nil)
	f.write("a.log", "ERROR job 1 is lost\n")
	f.poll()
	f.write("a.log", "ERROR job 2 is lost\nERROR job 3 is lost\nINFO all is well\nFATAL the store is gone\n")
	f.poll()
	list := f.Templates()
	if len(list) != 3 || list[0].Text != "job <*> is lost" || list[0].Total != 3 || list[0].Recent != 2 || list[0].New || list[0].Level != logs.Error {
		t.Fatalf("templates %+v, want the lost jobs first, which were known", list)
	}
	gone := list[slices.IndexFunc(list, func(t logs.Template) bool { return t.Level == logs.Critical })]
	if !gone.New || gone.Example != "the store is gone" || gone.PerMinute[0]+gone.PerMinute[1] != 1 {
		t.Errorf("template %+v, want it new", gone)
	}
	f.at = f.at.Add(6 * time.Minute)
	if again, ok := f.Template(gone.ID); !ok || again.New || again.Recent != 0 || again.Total != 1 {
		t.Errorf("six minutes later %+v, %v, want it neither new nor recent", again, ok)
	}
}

func TestTotalsForgetWhatIsOld(t *testing.T) {
	f := read(t, nil)
	f.poll()
	f.write("a.log", "2026/11/22 11:59:00 ERROR a: broken\n2026/11/22 11:59:00 CRITICAL b: broken\nwarning: bent\nDEBUG fine\nplain\n")
	f.poll()
	want := logs.Totals{Total: 5, Errors: 2, Warnings: 1, Infos: 1, Debug: 1, ErrorModules: 2}
	if got := f.Totals(time.Minute); got != want {
		t.Errorf("Totals = %+v, want %+v", got, want)
	}
	f.at = f.at.Add(2 * time.Minute)
	if got := f.Totals(time.Minute); got != (logs.Totals{}) {
		t.Errorf("two minutes later Totals = %+v, want none", got)
	}
}

func TestWrongConfigurationsAreNamed(t *testing.T) {
	err := logs.Config{Files: []string{"var/log/x", "/a/[", "off"}, Journal: "yes", Docker: "here"}.Validate()
	for _, want := range []string{`"var/log/x": write an absolute path`, `"/a/[" is no pattern`, `logs.journal: "yes": use auto, on or off`, `logs.docker: "here"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate() = %v, want it to say %s", err, want)
		}
	}
}
