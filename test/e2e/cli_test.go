//go:build linux

package e2e_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/test/built"
	"github.com/fleetlens/fleetlens/test/e2e/box"
)

// lines reads standard output that holds JSON and nothing else, one value a line.
func lines(t *testing.T, a answer) []map[string]any {
	t.Helper()
	var list []map[string]any
	for line := range strings.Lines(a.stdout) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("standard output holds %q: %v", line, err)
		}
		list = append(list, v)
	}
	return list
}

// lua writes a script to a file.
func lua(t *testing.T, code string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "script.lua")
	if err := os.WriteFile(file, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestALocalInvestigationNeedsNothingElse(t *testing.T) {
	t.Parallel()
	dir := tree(t, nil)
	local := []string{"investigate", "--local", "is this host healthy?", "--proc", dir + "/proc", "--sys", dir + "/sys", "--root", dir}
	a := fleetlens(t, append(local, "--json")...)
	if a.code != 0 || len(lines(t, a)) != 1 {
		t.Fatalf("it ended with %d, stdout %q, stderr %q", a.code, a.stdout, a.stderr)
	}
	r := decode[result](t, []byte(a.stdout))
	if r.State != "done" || len(r.Insights) < 1 || r.Insights[0].CorrelationType != "none" || !strings.Contains(r.Insights[0].Model, "no LLM") {
		t.Errorf("got %+v", r)
	}
	checkFigures(t, r.Insights...)
	people := fleetlens(t, local...)
	if people.code != 0 || !strings.Contains(people.stdout, "OK") || strings.Contains(people.stdout, "\x1b") || json.Valid([]byte(people.stdout)) {
		t.Errorf("people read %q", people.stdout)
	}
}

// Behaviour: 66.
func TestCommandsWithoutNATS(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		code int
		says string // on stdout when done, else on stderr
	}{
		{[]string{"skills"}, 0, "System resources"},
		{[]string{"skills", "os"}, 0, "system_get_memory"},
		{[]string{"skills", "--json"}, 0, `"skill":"os"`},
		{[]string{"streams"}, 0, "FL_INSIGHTS"},
		{[]string{"streams", "--json"}, 0, `FL_INSIGHTS`},
		{[]string{"version"}, 0, "fleetlens "},
		{[]string{"version", "--json"}, 0, `"version":`},
		{[]string{"--help"}, 0, "Exit codes"},
		{[]string{"skills", "sorcery"}, 2, "have os"},
		{[]string{"skills", "os", "too"}, 2, "arg(s)"},
		{[]string{"sorcery"}, 2, "unknown command"},
		{[]string{"nodes", "--colour"}, 2, "--colour"},
		{[]string{"nodes", "--log-level", "loud"}, 2, "loud"},
		{[]string{"nodes", "--creds", "/nowhere"}, 2, "/nowhere"},
		{[]string{"topology", "--topology", "/nowhere.yaml"}, 2, "/nowhere.yaml"},
		{[]string{"changes", "--help"}, 0, "nats pub changes."},
		{[]string{"anomalies", "--since", "soon"}, 2, "--since"},
		{[]string{"investigate"}, 2, "arg(s)"},
		{[]string{"investigate", "--local", "  "}, 2, "reason"},
		{[]string{"investigate", "--local", "why?", "--exit-severity", "loud"}, 2, "loud"},
		{[]string{"investigate", "--local", "why?", "--deadline", "-1s"}, 2, "deadline"},
		{[]string{"investigate", "--local", "why?", "--model", "oracle"}, 2, "have rules"},
		{[]string{"investigate", "--local", "why?", "--threshold", "os.sorcery=1:2"}, 2, "sorcery"},
		{[]string{"investigate", "--local", "why?", "--threshold", "os.memory_used_pct=x:2"}, 2, "not a number"},
		{[]string{"investigate", "--local", "why?", "--skill", "sorcery"}, 2, "have os"},
		{[]string{"setup", "--max-bytes", "FL_NONE=1GiB"}, 2, "FL_NONE"},
		{[]string{"call", "web-1"}, 2, "arg(s)"},
		{[]string{"run", "replay"}, 2, "--file"},
		{[]string{"lua", lua(t, `print("hello"); return 6 * 7`)}, 0, "hello\n42"},
		{[]string{"lua", lua(t, `while true do end`)}, 1, "line 1: the script used its 10,000,000 instructions"},
		{[]string{"lua", lua(t, `return system_get_memory()`)}, 1, "system_get_memory"},
		{[]string{"lua", "/nowhere.lua"}, 1, "/nowhere.lua"},
		{[]string{"run", "replay", "--file", "/nowhere"}, 1, "/nowhere"},
		{[]string{"investigate", "--local", "why?", "--tokens-per-hour", "-1"}, 2, "--tokens-per-hour"},
	} {
		words := slices.Clone(tt.args)
		if last := &words[len(words)-1]; strings.HasSuffix(*last, ".lua") { // where it is differs each time
			*last = filepath.Base(*last)
		}
		name := strings.Join(words, " ")
		t.Run(name, func(t *testing.T) {
			a := fleetlens(t, tt.args...)
			out := a.stdout
			if tt.code != 0 {
				out = a.stderr
				if a.stdout != "" {
					t.Errorf("standard output holds %q", a.stdout)
				}
			}
			if a.code != tt.code || !strings.Contains(out, tt.says) {
				t.Errorf("it ended with %d, want %d and %q in %q", a.code, tt.code, tt.says, out)
			}
			if slices.Contains(tt.args, "--json") {
				lines(t, a)
			}
		})
	}
}

// postgresSocket is what the kernel says of a PostgreSQL server that only its owner may look at.
const postgresSocket = `
Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 20001 /run/postgresql/.s.PGSQL.5432
`

// Behaviour: 73.
func TestCommandsThatReadAFleet(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	cli := func(args ...string) answer { return fleetlens(t, append(args, "--server", f.url)...) }

	if done := lines(t, cli("setup", "--json")); len(done) < 10 || done[0]["did"] != "created" {
		t.Errorf("setup did %v", done)
	}
	if again := lines(t, cli("setup", "--json")); again[0]["did"] != "kept" {
		t.Errorf("the second setup did %v", again)
	}
	if a := cli("investigate", "why?"); a.code != 1 || !strings.Contains(a.stderr, "no coordinator answers") || a.stdout != "" {
		t.Errorf("without a coordinator: %+v", a)
	}
	if a := cli("nodes", "--json"); a.code != 0 || a.stdout != "" {
		t.Errorf("without nodes: %+v", a)
	}

	files := maps.Clone(memoryFault)
	files["proc/net/unix"] = postgresSocket
	web := tree(t, files)
	ready(f.coordinator(), f.operator("op-1"), f.probe("web-1", web, "--label", "role=web"), f.probe("db-1", tree(t, map[string]string{"proc/net/unix": postgresSocket}), "--discover=false"))
	following := start(t, "fleetlens insights --follow", built.Program(t, "cmd/fleetlens"), "insights", "--follow", "--json", "--server", f.url)
	nodes := lines(t, cli("nodes", "--json"))
	if len(nodes) != 2 || nodes[0]["node"] != "db-1" || nodes[1]["node"] != "web-1" || nodes[1]["state"] != "alive" {
		t.Errorf("the nodes are %v", nodes)
	}
	if web := lines(t, cli("nodes", "--json", "--label", "role=web")); len(web) != 1 || web[0]["node"] != "web-1" {
		t.Errorf("the web servers are %v", web)
	}
	proposed := "looks like a PostgreSQL server: at /run/postgresql/.s.PGSQL.5432 (the name of the socket is PostgreSQL's, port 5432; its process belongs to somebody else); " +
		`to watch it, add to the targets of the probe's configuration: postgres: {postgres: {dsn: "host=/run/postgresql port=5432 user=fleetlens dbname=postgres"}}` + "\n"
	box.Eventually(t, "the nodes with what stands out and what could be watched, a line each", func() bool {
		a := cli("nodes")
		rows := strings.Split(a.stdout, "\n")
		if len(rows) != 3 || !strings.HasPrefix(rows[0], "db-1\thealthy\t") {
			return false
		}
		web := strings.Split(rows[1], "\t")
		return len(web) == 8 && web[0] == "web-1" && web[1] == "critical" && strings.HasPrefix(web[3], "memory_used_pct 97") && web[4] == "role=web" && web[7]+"\n" == proposed
	})
	if n := lines(t, cli("nodes", "--json", "--label", "role=web")); n[0]["health"] != "critical" || n[0]["stands_out"] == nil {
		t.Errorf("the critical node is %v", n)
	}
	box.Eventually(t, "the proposals are in the JSON", func() bool {
		web := lines(t, cli("nodes", "--json", "--label", "role=web"))
		list, _ := web[0]["proposals"].([]any)
		return len(list) == 1 && list[0].(map[string]any)["kind"] == "postgres"
	})

	a := cli("investigate", "checkout is slow", "--json", "--node", "web-1", "--skill", "os")
	if a.code != 0 || len(lines(t, a)) != 1 || !strings.Contains(a.stderr, "investigation ") {
		t.Fatalf("got %+v", a)
	}
	r := decode[result](t, []byte(a.stdout))
	if r.State != "done" || len(r.Insights) != 1 {
		t.Fatalf("got %+v", r)
	}
	id := r.Insights[0].ID
	box.Eventually(t, "the follower shows the insight", func() bool { return strings.Contains(following.Stdout.String(), id) })
	if shown := lines(t, answer{stdout: following.Stdout.String()}); len(shown) != 1 {
		t.Errorf("the follower shows %v", shown)
	}
	following.Kill()
	if list := lines(t, cli("insights", "--json")); len(list) != 1 || list[0]["id"] != id {
		t.Errorf("the insights are %v", list)
	}
	if one := lines(t, cli("insights", "show", id[:6], "--json")); len(one) != 1 || one[0]["id"] != id {
		t.Errorf("the insight is %v", one)
	}
	if a := cli("insights", "show", "nobody"); a.code != 1 || a.stdout != "" || !strings.Contains(a.stderr, "nobody") {
		t.Errorf("an unknown insight: %+v", a)
	}
	if a := cli("insights"); !strings.Contains(a.stdout, "\tcritical\t") || !strings.Contains(a.stdout, "java (4711)") {
		t.Errorf("people read %s", a.stdout)
	}

	for _, args := range [][]string{{"insights", "--exit-severity", "critical"}, {"insights", "show", id, "--exit-severity", "info"}} {
		if a := cli(args...); a.code != 4 || a.stdout == "" || a.stderr != "" {
			t.Errorf("%v: %+v", args, a)
		}
	}
	cited := r.Insights[0].Evidence[0].Address
	if v := lines(t, cli("evidence", cited, "--json")); len(v) != 1 || v[0]["address"] != cited || fmt.Sprint(v[0]["cited_by"]) != "["+id+"]" {
		t.Errorf("the evidence is %v", v)
	}
	if v := lines(t, cli("evidence", "snap "+cited[:10]+cited[strings.Index(cited, "#"):], "--json")); len(v) != 1 || v[0]["address"] != cited {
		t.Errorf("the evidence of a shortened address is %v", v)
	}
	if a := cli("evidence", "0000#nothing"); a.code != 0 || !strings.Contains(a.stdout, "nothing that is kept has it") {
		t.Errorf("evidence that is gone: %+v", a)
	}
	journal := lines(t, cli("run", "show", r.InvestigationID[:8]+"/os", "--json"))
	if len(journal) == 0 || journal[0]["run_id"] == r.InvestigationID {
		t.Errorf("the run of os is %v", journal)
	}
	if a := cli("run", "show", r.InvestigationID[:8]+"#2"); a.code != 0 || !strings.Contains(a.stdout, "checkout is slow") {
		t.Errorf("its first record: %+v", a)
	}

	memory := lines(t, cli("call", "web-1", "system_get_memory", "--json"))
	if len(memory) != 1 || !strings.Contains(fmt.Sprint(memory), "97") {
		t.Errorf("the memory of web-1 is %v", memory)
	}
	for _, args := range [][]string{{"system_top_processes", "1", "memory"}, {`system_top_processes(1, "memory")`}} {
		if a := cli(append([]string{"call", "web-1"}, args...)...); a.code != 0 || !strings.Contains(a.stdout, "java") || !json.Valid([]byte(a.stdout)) {
			t.Errorf("%v: %+v", args, a)
		}
	}
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"call", "web-9", "system_get_memory"}, 1, "web-9"},
		{[]string{"call", "web-1", "system_reboot"}, 2, "system_reboot"},
		{[]string{"call", "web-1", "system_top_processes", "many"}, 2, "many"},
		{[]string{"run", "show", "nobody"}, 1, "nobody"},
		{[]string{"run", "replay", "nobody"}, 1, "nobody"},
		{[]string{"run", "replay", r.InvestigationID}, 0, "nothing differs"},
		{[]string{"ask", r.InvestigationID, "what", "was", "it?"}, 0, r.Insights[0].Summary},
		{[]string{"ask", r.InvestigationID[:8], "what was it?"}, 0, r.Insights[0].Summary},
		{[]string{"insights", "show", ""}, 1, "no insight"},
		{[]string{"evidence", "nothing"}, 2, "SNAPSHOT#field"},
		{[]string{"run", "show", r.InvestigationID + "#4711"}, 2, "has the records 1 to"},
		{[]string{"run", "show", r.InvestigationID + "/sorcery"}, 1, "sorcery"},
		{[]string{"insights", "--exit-severity", "loud"}, 2, "loud"},
		{[]string{"ask", "nobody", "why?"}, 1, `unknown investigation "nobody"`},
		{[]string{"tell", r.InvestigationID, "it was me"}, 1, "has ended, as done"},
		{[]string{"lua", "--node", "*", lua(t, `local all = fleet("system_get_memory"); return {n = #targets(), used = all["web-1/host"].used_pct}`)}, 0, `"n": 2`},
		{[]string{"lua", "--node", "web-1", lua(t, `return system_get_memory().used_pct`)}, 0, "97"},
		{[]string{"lua", "--node", "web-9", lua(t, `return 1`)}, 1, "web-9"},
		{[]string{"lua", "--node", "web-1", "--skill", "sorcery", lua(t, `return 1`)}, 2, "sorcery"},
		{[]string{"budget"}, 0, "no budget was reserved from"},
		{[]string{"cancel", "nobody"}, 1, "nobody"},
		{[]string{"cancel", r.InvestigationID}, 1, "done"},
		{[]string{"investigate", "why?", "--node", "web-9", "--json"}, 3, "web-9"},
		{[]string{"operate", "why?"}, 2, "--skill"},
		{[]string{"operate", "why?", "--skill", "sorcery"}, 1, "sorcery"},
		{[]string{"operate", "why?", "--skill", "os", "--node", "web-9"}, 1, "web-9"},
		{[]string{"schedules"}, 0, "nothing is scheduled"},
		{[]string{"schedules", "cancel", "nobody"}, 1, "nobody"},
	} {
		if a := cli(tt.args...); a.code != tt.code || !strings.Contains(a.stderr+a.stdout, tt.says) {
			t.Errorf("%v ended with %d, want %d and %q in %q", tt.args, a.code, tt.code, tt.says, a.stderr)
		}
	}

	f.eventsAreListed(cli)
	alone := lines(t, cli("operate", "is memory short?", "--skill", "os", "--json"))
	if len(alone) != 1 || alone[0]["outcome"] != "done" || alone[0]["state"] != "critical" || len(alone[0]["targets"].([]any)) != 2 {
		t.Errorf("an operator alone: %v", alone)
	}

	records := lines(t, cli("run", "show", r.InvestigationID, "--json"))
	kinds := map[any]int{}
	for _, rec := range records {
		kinds[rec["kind"]]++
	}
	if kinds["start"] != 2 || kinds["finished"] != 2 || kinds["claim"] != 2 || kinds["answer"] < 4 {
		t.Errorf("the journal of the coordinator and its operator has %v", kinds)
	}
	if a := cli("run", "show", r.InvestigationID); !strings.Contains(a.stdout, "send_notification") || !strings.Contains(a.stdout, "produce_insight") {
		t.Errorf("people read %s", a.stdout)
	}
	for _, s := range lines(t, cli("streams", "--state", "--json")) {
		state, _ := s["state"].(map[string]any)
		if s["name"] == "FL_INSIGHTS" && state["messages"] != 1.0 || state == nil {
			t.Errorf("the stream is %v", s)
		}
	}
	if a := cli("streams", "--state"); a.code != 0 || !strings.Contains(a.stdout, "FL_INSIGHTS\tinsights.*.*.* resolutions.*\t") {
		t.Errorf("people read %s", a.stdout)
	}
}

// eventsAreListed checks the commands that list changes, anomalies and dependencies.
func (f *fleet) eventsAreListed(cli func(args ...string) answer) {
	t := f.t
	t.Helper()
	for _, args := range [][]string{{"changes"}, {"anomalies"}} {
		if a := cli(args...); a.code != 0 || a.stdout != "" || !strings.Contains(a.stderr, "no "+args[0]) {
			t.Errorf("without any %s: %+v", args[0], a)
		}
	}
	at := time.Now().UTC().Format(time.RFC3339)
	for subject, body := range map[string]string{
		"changes.web-1.github-actions": `{"id":"run-4711","node":"web-1","source":"github-actions","what":"deploy","text":"checkout v1.4.2","at":"` + at + `"}`,
		"changes.db-1.ansible":         `{"id":"run-4712","node":"db-1","source":"ansible","what":"deploy","from":"15.1","to":"15.2","at":"` + at + `"}`,
		"anomalies.web-1.host.os":      `{"id":"a1","node":"web-1","target":"host","kind":"host","skill":"os","metric":"memory_used_pct","value":97.25,"unit":"percent","baseline":41,"score":55.5,"severity":"critical","detected_at":"` + at + `"}`,
		"links.web-1":                  `{"node":"web-1","addresses":["10.0.0.1"],"peers":[{"address":"10.0.0.2","port":5432,"process":"checkout","connections":3}],"at":"` + at + `"}`,
		"links.db-1":                   `{"node":"db-1","addresses":["10.0.0.2"],"listens":[{"port":5432,"process":"postgres"}],"at":"` + at + `"}`,
	} {
		if _, err := f.js.Publish(t.Context(), subject, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	if list := lines(t, cli("changes", "--json", "--since", "2h")); len(list) != 2 {
		t.Errorf("the changes are %v", list)
	}
	if list := lines(t, cli("changes", "--json", "--node", "web-1")); len(list) != 1 || list[0]["id"] != "run-4711" {
		t.Errorf("the changes of web-1 are %v", list)
	}
	if list := lines(t, cli("anomalies", "--json")); len(list) != 1 || list[0]["id"] != "a1" {
		t.Errorf("the anomalies are %v", list)
	}
	if list := lines(t, cli("topology", "--json")); len(list) != 1 || list[0]["from"] != "web-1" || list[0]["to"] != "db-1" {
		t.Errorf("the topology is %v", list)
	}
	if list := lines(t, cli("topology", "--json", "--node", "web-9")); len(list) != 0 {
		t.Errorf("the topology of another node is %v", list)
	}
	file := filepath.Join(t.TempDir(), "fleet.yaml")
	if err := os.WriteFile(file, []byte("- {from: role=web, to: cache}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for args, says := range map[[3]string]string{
		{"changes"}:                      "checkout v1.4.2",
		{"changes", "--node", "db-1"}:    "15.1 to 15.2",
		{"anomalies"}:                    "os.memory_used_pct\t97.25 %\t41 %\t55.5\tcritical",
		{"topology"}:                     "checkout to postgres on port 5432 (3)",
		{"topology", "--topology", file}: "given by hand",
	} {
		if a := cli(slices.DeleteFunc(args[:], func(s string) bool { return s == "" })...); a.code != 0 || !strings.Contains(a.stdout, says) {
			t.Errorf("%v: people read %q, want %q", args, a.stdout, says)
		}
	}
}

func TestEverythingInOneProcess(t *testing.T) {
	t.Parallel()
	dir := tree(t, memoryFault)
	up := start(t, "fleetlens up", built.Program(t, "cmd/fleetlens"), "up", "--json", "--port", "0", "--node", "web-1",
		"--proc", dir+"/proc", "--sys", dir+"/sys", "--root", dir)
	box.Eventually(t, "it says where it listens", func() bool { return strings.Contains(up.Stdout.String(), "\n") })
	url := decode[struct {
		URL string `json:"url"`
	}](t, []byte(up.Stdout.String())).URL
	a := fleetlens(t, "investigate", "checkout is slow", "--json", "--server", url)
	r := decode[result](t, []byte(a.stdout))
	if a.code != 0 || r.State != "done" || len(r.Insights) != 1 || !slices.Equal(r.Insights[0].Nodes, []string{"web-1"}) {
		t.Errorf("it ended with %d: %s", a.code, a.stdout)
	}
	up.Interrupt()
	if code := up.Wait(); code != 0 {
		t.Errorf("it ended with %d", code)
	}
}

func TestProgramsStopWhenTheyAreTold(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	processes := []*box.Process{f.coordinator(), f.operator("op-1"), f.probe("web-1", tree(t, nil))}
	ready(processes...)
	for _, p := range processes {
		p.Interrupt()
		if code := p.Wait(); code != 0 {
			t.Errorf("%s ended with %d", p.Name, code)
		}
		if p.Stdout.String() != "" {
			t.Errorf("%s wrote %q to standard output", p.Name, &p.Stdout)
		}
	}
}

func TestProgramsRefuseWrongSettings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		program string
		args    []string
		says    string
	}{
		{"probe", []string{"--interval", "0s"}, "--interval"},
		{"probe", []string{"--level", "root"}, "--level"},
		{"probe", []string{"positional"}, "positional"},
		{"operator", []string{"--concurrency", "0"}, "--concurrency"},
		{"operator", []string{"--skills", "sorcery"}, "sorcery"},
		{"operator", []string{"--config", "/nowhere.yaml"}, "/nowhere.yaml"},
		{"operator", []string{"--model", "oracle"}, "oracle"},
		{"coordinator", []string{"--replicas", "9"}, "--replicas"},
		{"coordinator", []string{"--topology", "/nowhere.yaml"}, "--topology"},
		{"probe", []string{"--watch-file", "nginx.conf"}, "--watch-file"},
		{"coordinator", []string{"--threshold", "os.sorcery=1:2"}, "sorcery"},
	} {
		t.Run(tt.program+" "+strings.Join(tt.args, " "), func(t *testing.T) {
			p := start(t, tt.program, built.Program(t, "cmd/"+tt.program), append(tt.args, "--server", "nats://127.0.0.1:1")...)
			if code := p.Wait(); code != 2 || !strings.Contains(p.Stderr.String(), tt.says) {
				t.Errorf("it ended with %d: %s", code, &p.Stderr)
			}
		})
	}
}
