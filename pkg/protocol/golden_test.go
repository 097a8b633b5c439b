package protocol_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Golden files are what v1 looks like on the wire. They are read for ever: a new
// field or variant gets a new file, <type>.<what>.json, and old files stay as
// they are. SHA256SUMS remembers them; -add writes down those that are new.
const (
	goldenDir = "testdata/v1"
	sumsFile  = "SHA256SUMS"
)

var add = flag.Bool("add", false, "add new golden files to "+sumsFile)

// A golden is one file of testdata/v1.
type golden struct {
	name string // "call.named"
	kind string // "call"
	body []byte // without the white space of the file
}

func goldens(t testing.TB) []golden {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(goldenDir, "*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden files in %s: %v", goldenDir, err)
	}
	var out []golden
	for _, p := range paths {
		file, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		if err := json.Compact(&body, file); err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		name := strings.TrimSuffix(filepath.Base(p), ".json")
		kind, _, _ := strings.Cut(name, ".")
		out = append(out, golden{name, kind, body.Bytes()})
	}
	return out
}

// decoders has Decode for each type of message.
var decoders = map[string]func([]byte) (protocol.Message, error){}

func decoder[M protocol.Message]() {
	var m M
	decoders[m.MessageType()] = func(b []byte) (protocol.Message, error) { return protocol.Decode[M](b) }
}

func TestMain(m *testing.M) {
	decoder[protocol.Accepted]()
	decoder[protocol.Ack]()
	decoder[protocol.Alert]()
	decoder[protocol.Anomaly]()
	decoder[protocol.Ask]()
	decoder[protocol.AskPart]()
	decoder[protocol.AskReply]()
	decoder[protocol.Call]()
	decoder[protocol.CallReply]()
	decoder[protocol.Change]()
	decoder[protocol.Completion]()
	decoder[protocol.DeadLetter]()
	decoder[protocol.Feedback]()
	decoder[protocol.Heartbeat]()
	decoder[protocol.Insight]()
	decoder[protocol.Links]()
	decoder[protocol.Note]()
	decoder[protocol.Notification]()
	decoder[protocol.State]()
	decoder[protocol.Progress]()
	decoder[protocol.Record]()
	decoder[protocol.Request]()
	decoder[protocol.Resolution]()
	decoder[protocol.Result]()
	decoder[protocol.Silence]()
	decoder[protocol.Snapshot]()
	decoder[protocol.Task]()
	decoder[protocol.Told]()
	decoder[protocol.Words]()
	os.Exit(m.Run())
}

func TestEveryTypeHasALimitADecoderAndAGoldenFile(t *testing.T) {
	files := map[string]bool{}
	for _, g := range goldens(t) {
		files[g.name] = true
		if decoders[g.kind] == nil {
			t.Errorf("%s.json is of the unknown type %q", g.name, g.kind)
		}
	}
	seen := map[string]bool{}
	for _, m := range protocol.Types() {
		kind := m.MessageType()
		if seen[kind] {
			t.Errorf("Types has %s twice", kind)
		}
		seen[kind] = true
		if protocol.Limit(kind) <= 0 {
			t.Errorf("%s has no limit", kind)
		}
		if !files[kind] {
			t.Errorf("%s/%s.json is missing", goldenDir, kind)
		}
		if decoders[kind] == nil {
			t.Errorf("%s is not among the decoders of this test", kind)
		}
	}
	for kind := range decoders {
		if !seen[kind] {
			t.Errorf("Types lacks %s", kind)
		}
	}
}

// Behaviour: 5, 11, 14.
func TestGoldenFilesDecodeAndEncodeToThemselves(t *testing.T) {
	for _, g := range goldens(t) {
		t.Run(g.name, func(t *testing.T) {
			m, err := decoders[g.kind](g.body)
			if err != nil {
				t.Fatal(err)
			}
			if m.MessageType() != g.kind {
				t.Errorf("decoded to a %s", m.MessageType())
			}
			got, err := protocol.Encode(m)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(g.body), string(got)); diff != "" {
				t.Errorf("(-file +encoded):\n%s", diff)
			}
		})
	}
}

func TestUnknownFieldsAreIgnored(t *testing.T) {
	for _, g := range goldens(t) {
		body := append([]byte(`{"from_a_later_version":{"n":[1,2]},`), g.body[1:]...)
		m, err := decoders[g.kind](body)
		if err != nil {
			t.Errorf("%s: %v", g.name, err)
			continue
		}
		got, err := protocol.Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(g.body), string(got)); diff != "" {
			t.Errorf("%s (-file +encoded):\n%s", g.name, diff)
		}
	}
}

func TestGoldenFilesOfATypeSetEachOfItsFields(t *testing.T) {
	set := map[string]bool{}
	for _, g := range goldens(t) {
		m, err := decoders[g.kind](g.body)
		if err != nil {
			t.Fatalf("%s: %v", g.name, err)
		}
		markSet(set, m.MessageType(), reflect.ValueOf(m))
		if r, ok := m.(protocol.Record); ok {
			markSet(set, "record data "+string(r.Kind), recordData(t, r))
		}
	}
	var missing []string
	for _, m := range protocol.Types() {
		missing = append(missing, unset(set, m.MessageType(), reflect.TypeOf(m))...)
	}
	for kind, data := range recordKinds {
		missing = append(missing, unset(set, "record data "+string(kind), reflect.TypeOf(data))...)
	}
	if len(missing) > 0 {
		t.Errorf("no golden file sets these; add one that does, <type>.<what>.json:\n%s", strings.Join(missing, "\n"))
	}
}

// recordKinds is what the data of each kind of record holds.
var recordKinds = map[protocol.RecordKind]any{
	protocol.RecordStart: protocol.Start{}, protocol.RecordClaim: protocol.Claim{}, protocol.RecordAnswer: protocol.Answer{},
	protocol.RecordResult: protocol.ToolResult{}, protocol.RecordInput: protocol.Input{}, protocol.RecordRetry: protocol.Retry{},
	protocol.RecordCancel: protocol.Cancel{}, protocol.RecordFinish: protocol.Finish{}, protocol.RecordCompaction: protocol.Compaction{},
}

// recordData decodes the data of a record and wants it to encode to itself.
func recordData(t *testing.T, r protocol.Record) reflect.Value {
	t.Helper()
	data := reflect.New(reflect.TypeOf(recordKinds[r.Kind]))
	if err := json.Unmarshal(r.Data, data.Interface()); err != nil {
		t.Fatalf("record of kind %s: %v", r.Kind, err)
	}
	got, err := json.Marshal(data.Interface())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(r.Data), string(got)); diff != "" {
		t.Errorf("data of a %s (-file +encoded):\n%s", r.Kind, diff)
	}
	return data.Elem()
}

// markSet notes the path of each field of v that is not zero.
func markSet(set map[string]bool, path string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f := path + "." + v.Type().Field(i).Name
			if v.Type().Field(i).IsExported() && !v.Field(i).IsZero() {
				set[f] = true
				markSet(set, f, v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			markSet(set, path, v.Index(i))
		}
	}
}

// unset returns the paths of the fields of t that were not noted. Below a field
// that was not it does not look.
func unset(set map[string]bool, path string, t reflect.Type) []string {
	if t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var out []string
	for f := range t.Fields() {
		p := path + "." + f.Name
		switch {
		case !f.IsExported():
		case !set[p]:
			out = append(out, p)
		default:
			out = append(out, unset(set, p, f.Type)...)
		}
	}
	return out
}

func TestFieldNamesAreFixed(t *testing.T) {
	for kind, names := range map[string]string{
		"request": "reason context nodes labels skills strategy model deadline_ms max_iterations max_tokens" +
			" compaction_max_tokens compaction_keep_last notifications id",
		"snapshot": "id node target kind skill captured_at data",
		"notification": "id investigation_id run_id operator node target anomaly_type severity context observation hypothesis snapshots" +
			" evidence verified figures detected_at trace_id figures.text figures.value figures.unit figures.found figures.evidence figures.nearest",
		"completion": "run_id skill targets state outcome error notification_ids snapshot_ids usage",
		"insight": "id investigation_id notification_ids supporting_ids correlation_type severity summary matched_observations hypothesis_grounded" +
			" grounding root_cause_hypothesis confidence nodes skills evidence chain ruled_out not_checked trigger supersedes suggested_actions" +
			" created_at model usage evidence.value evidence.threshold evidence.baseline evidence.series chain.at chain.evidence",
		"result": "investigation_id state error insights operator_results usage started_at ended_at" +
			" usage.input_tokens usage.output_tokens usage.cached_tokens usage.llm_calls usage.cost_usd",
	} {
		got := map[string]bool{}
		for _, g := range goldens(t) {
			if g.kind == kind {
				var v any
				if err := json.Unmarshal(g.body, &v); err != nil {
					t.Fatal(err)
				}
				fieldNames(got, "", v)
			}
		}
		for name := range strings.FieldsSeq(names) {
			if !got[name] {
				t.Errorf("%s has no field %q", kind, name)
			}
		}
	}
}

// fieldNames notes the path of each field of a JSON value.
func fieldNames(got map[string]bool, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, field := range v {
			p := strings.TrimPrefix(path+"."+name, ".")
			got[p] = true
			fieldNames(got, p, field)
		}
	case []any:
		for _, item := range v {
			fieldNames(got, path, item)
		}
	}
}

func TestGoldenFilesAreNeverEdited(t *testing.T) {
	want := map[string]string{}
	path := filepath.Join(goldenDir, sumsFile)
	if b, err := os.ReadFile(path); err == nil {
		for line := range strings.Lines(string(b)) {
			sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
			want[name] = sum
		}
	}
	got := map[string]string{}
	for _, g := range goldens(t) {
		file, err := os.ReadFile(filepath.Join(goldenDir, g.name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(file)
		got[g.name+".json"] = hex.EncodeToString(sum[:])
	}
	for name, sum := range want {
		if got[name] != sum {
			t.Errorf("%s was changed or removed: messages like it are in streams and in other people's code; restore it and add another file", name)
		}
	}
	if *add {
		maps.Copy(got, want)
		var b strings.Builder
		for _, name := range slices.Sorted(maps.Keys(got)) {
			b.WriteString(got[name] + "  " + name + "\n")
		}
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	for name := range got {
		if want[name] == "" {
			t.Errorf("%s is new: run go test ./pkg/protocol -run NeverEdited -add", name)
		}
	}
}
