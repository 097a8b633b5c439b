//go:build linux

package docs_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/internal/missing"
	"github.com/fleetlens/fleetlens/test/built"
)

// A block is what stands between two fences of a page, or in a comment that nobody
// sees: <!-- sh … -->, which makes what the page takes for granted.
type block struct {
	line int    // of its first line
	kind string // sh, yaml, …; what follows it says how a command ends
	text string
}

var fence = regexp.MustCompile("(?ms)^(?:```|<!-- )(sh|console|yaml|json|go|conf)( [^\n]*)?\n(.*?)^(?:```|-->)")

// parse returns the blocks of a page.
func parse(text string) []block {
	var out []block
	for _, m := range fence.FindAllStringSubmatchIndex(text, -1) {
		b := block{line: 1 + strings.Count(text[:m[6]], "\n"), kind: text[m[2]:m[3]], text: text[m[6]:m[7]]}
		if m[4] >= 0 {
			b.kind += text[m[4]:m[5]]
		}
		out = append(out, b)
	}
	return out
}

// blocksOf returns the texts of a page's blocks of one kind, of which there are n.
func blocksOf(t *testing.T, page, kind string, n int) []string {
	t.Helper()
	var out []string
	for _, b := range parse(read(t, page)) {
		if b.kind == kind {
			out = append(out, b.text)
		}
	}
	if len(out) != n {
		t.Fatalf("%s has %d blocks of %s, want %d", page, len(out), kind, n)
	}
	return out
}

// named is the first line of a block that is a file: its name as a comment.
var named = regexp.MustCompile(`^(?:#|//) ([\w./-]+\.(?:ya?ml|json|conf|go|env))\n`)

// stays matches commands that go on until they are stopped.
var stays = regexp.MustCompile(`^(?:\w+=\S* )*(?:fleetlens (up|ui|gateway)\b|(probe|operator|coordinator|nats-server)\b|nats (sub)\b|fleetlens .*--(follow)\b)`)

// ready is how to know that a program works, by its name.
var ready = map[string]string{
	"up": "http://127.0.0.1:4230/readyz", "probe": "http://127.0.0.1:4231/readyz", "operator": "http://127.0.0.1:4232/readyz",
	"coordinator": "http://127.0.0.1:4233/readyz", "gateway": "http://127.0.0.1:4235/readyz", "ui": "http://127.0.0.1:7422/",
	"nats-server": "telnet://127.0.0.1:4222",
}

var (
	id      = regexp.MustCompile(`\b(ID|INSIGHT|ADDRESS)\b`)
	exits   = regexp.MustCompile(`^sh exits (\d+)$`)
	running = regexp.MustCompile(`--help|gateway test|gateway (list|check)`)
)

// prologue are the words that scripts are made of.
const prologue = `set -euo pipefail
export NO_COLOR=1 NATS_URL= 
logs=$(mktemp -d)
staying=()
failed() { echo "FAILED at $at"; tail -n 5 "$logs"/* 2>/dev/null || true; }
trap failed ERR
# replaces what was started under a name before, as somebody does who starts it with other flags.
replace() {
  local s left=()
  for s in "${staying[@]}"; do
    if [ "${s#*:}" = "$1" ] && [ -n "$2" ]; then kill "${s%%:*}" && wait "${s%%:*}" || true; else left+=("$s"); fi
  done
  staying=("${left[@]}")
}
# awaits what was just started in the background.
await() {
  staying+=("$!:$1")
  [ -z "$2" ] && return 0
  for _ in $(seq 600); do
    kill -0 "$!" 2>/dev/null || { echo "it ended: $1"; return 1; }
    case $2 in
    telnet:*) (exec 3<>/dev/tcp/127.0.0.1/4222) 2>/dev/null && return 0 ;;
    *) [ "$(curl -so /dev/null -w '%{http_code}' "$2")" != 000 ] && curl -sfo /dev/null "$2" && return 0
       [[ $2 == */ ]] && [ "$(curl -so /dev/null -w '%{http_code}' "$2")" != 000 ] && return 0 ;;
    esac
    sleep 0.1
  done
  echo "not ready: $1"; return 1
}
# learns the newest investigation and an address of its evidence.
learn() {
  for _ in $(seq 300); do
    newest=$(fleetlens insights --json | tail -n 1)
    ID=$(sed -n 's/.*"investigation_id":"\([0-9a-f]*\)".*/\1/p' <<<"$newest")
    INSIGHT=$(sed -n 's/.*"id":"\([0-9a-f]*\)","investigation_id".*/\1/p' <<<"$newest")
    ADDRESS=$(grep -o '"address":"[0-9a-f]*#[a-z0-9_]*"' <<<"$newest" | head -n 1 | cut -d'"' -f4 || true)
    [ -n "$ID" ] && return 0
    sleep 0.1
  done
  echo "there is no insight"; return 1
}
`

// script returns what runs the blocks of a page, one after the other in one shell.
func script(page string, blocks []block) string {
	var s strings.Builder
	s.WriteString(prologue)
	n := 0
	for _, b := range blocks {
		if m := named.FindStringSubmatch(b.text); m != nil {
			_, _ = fmt.Fprintf(&s, "mkdir -p %q && cat > %q <<'END OF FILE'\n%sEND OF FILE\n", filepath.Dir(m[1]), m[1], b.text)
			continue
		}
		if b.kind != "sh" && !exits.MatchString(b.kind) {
			continue
		}
		_, _ = fmt.Fprintf(&s, "at=%s:%d\n", page, b.line)
		text := strings.ReplaceAll(b.text, "\\\n", "\\\x00") // a command stays on one line
		if m := exits.FindStringSubmatch(b.kind); m != nil {
			_, _ = fmt.Fprintf(&s, "code=0\n( %s) || code=$?\n[ $code = %s ] || { echo \"it ended with $code, not %s\"; false; }\n", strings.ReplaceAll(text, "\x00", "\n"), m[1], m[1])
			continue
		}
		for line := range strings.Lines(text) {
			line = strings.ReplaceAll(line, "\x00", "\n")
			if id.MatchString(line) {
				s.WriteString("learn\n")
				line = id.ReplaceAllString(line, "$$$1")
			}
			m := stays.FindStringSubmatch(line)
			if m == nil || running.MatchString(line) {
				s.WriteString(line)
				continue
			}
			name := strings.Join(m[1:], "")
			_, _ = fmt.Fprintf(&s, "replace %q %q\n{ exec env %s} > \"$logs/%d-%s\" 2>&1 &\nawait %q %q\n", name, ready[name], line, n, name, name, ready[name])
			n++
		}
	}
	s.WriteString("at='the end'\nfor s in \"${staying[@]}\"; do kill -0 \"${s%%:*}\" || { echo \"it ended: ${s#*:}\"; false; }; done\n")
	return s.String()
}

// pages returns all documents but the decisions, which tell of the past, and the
// generated ones, by their paths in the repository.
func pages(t *testing.T) []string {
	t.Helper()
	list := []string{"README.md", "CONTRIBUTING.md", "deploy/nats/README.md"}
	err := filepath.WalkDir(filepath.Join(repo, "docs"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".md" || filepath.Base(filepath.Dir(path)) == "adr" {
			return err
		}
		rel, err := filepath.Rel(repo, path)
		list = append(list, rel)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// Every command of every page is run, on a machine of the page's own.
func TestEveryCommandOfThePagesRuns(t *testing.T) {
	if !missing.Debian(t, "curl", "curl") || !missing.Debian(t, "openssl", "openssl") {
		return
	}
	dir := built.Programs(t)
	ran := 0
	for _, page := range pages(t) {
		text, err := os.ReadFile(filepath.Join(repo, page))
		if err != nil {
			t.Fatal(err)
		}
		blocks := parse(string(text))
		if !slices.ContainsFunc(blocks, func(b block) bool { return strings.HasPrefix(b.kind, "sh") }) {
			continue
		}
		ran++
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			out, err := play(t, dir, script(page, blocks), string(text))
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			if testing.Verbose() {
				t.Logf("%s", out)
			}
		})
	}
	if ran < 5 {
		t.Errorf("%d pages have commands: the test does not find them", ran)
	}
}

// What a page shows as a command is in a block that is run.
func TestNoCommandStandsOutsideOfABlockThatIsRun(t *testing.T) {
	bare := regexp.MustCompile("(?m)^```(console|shell|bash)?\n(?:\\$ )?(fleetlens|nats|probe|operator|coordinator|docker|kubectl|helm|make|go) ")
	for _, page := range pages(t) {
		text, err := os.ReadFile(filepath.Join(repo, page))
		if err != nil {
			t.Fatal(err)
		}
		open := false // of every two fences only the first begins a block
		for i, part := range regexp.MustCompile("(?m)^```").Split(string(text), -1) {
			if open = i%2 == 1; open && bare.MatchString("```"+part) {
				t.Errorf("%s: a command is no sh block:\n%s", page, part)
			}
		}
	}
}
