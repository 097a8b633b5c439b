package agent

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/cloudwego/eino/schema"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A talk is a conversation whose messages know where they come from.
type talk struct {
	prompt []turn
	turns  []turn
}

// A turn is one message.
type turn struct {
	record  int  // of the journal
	begins  bool // it does not belong to the message before it
	summary bool // of a compaction
	message *schema.Message
	tokens  int // about
	digest  [sha256.Size]byte
}

// messages returns the messages; whoever gets them may change them.
func (c talk) messages() []*schema.Message {
	out := make([]*schema.Message, 0, len(c.prompt)+len(c.turns))
	for _, t := range c.all() {
		m := *t.message
		out = append(out, &m)
	}
	return out
}

func (c talk) all() iter.Seq2[int, turn] {
	return slices.All(slices.Concat(c.prompt, c.turns))
}

// tokens returns about how many tokens the conversation is.
func (c talk) tokens() int {
	n := 0
	for _, t := range c.all() {
		n += t.tokens
	}
	return n
}

// newTurn returns a message with what is counted of it.
func newTurn(record int, begins, summary bool, m *schema.Message) (turn, error) {
	raw, err := json.Marshal(said(m))
	if err != nil {
		return turn{}, fmt.Errorf("message: %w", err)
	}
	return turn{record, begins, summary, m, EstimateTokens([]*schema.Message{m}), sha256.Sum256(raw)}, nil
}

// said is what counts of a message: fields that a later version of the library
// adds change no hash.
func said(m *schema.Message) any {
	calls := make([][3]string, 0, len(m.ToolCalls))
	for _, c := range m.ToolCalls {
		calls = append(calls, [3]string{c.ID, c.Function.Name, c.Function.Arguments})
	}
	return []any{m.Role, m.Content, m.ToolCallID, m.ToolName, calls, m.Extra}
}

// A memory is the conversation of a run as far as it was read, so that a turn
// reads only what is new. It is used by one goroutine at a time.
type memory struct {
	talk
	read         int // records
	system, user string
}

// conversation returns the conversation of a view. Whoever asks about other
// records or another question than the run's gets one made for him.
func conversation(v View) (talk, error) {
	m := v.memory
	if m == nil || m.read > len(v.Records) || m.read > 0 && (m.system != v.Start.System || m.user != v.Start.User) {
		return read(v.Start, v.Records)
	}
	fresh := v.Records[m.read:]
	compacted := slices.ContainsFunc(fresh, func(r protocol.Record) bool { return r.Kind == protocol.RecordCompaction })
	if m.read == 0 || compacted {
		c, err := read(v.Start, v.Records)
		if err != nil {
			return c, err
		}
		*m = memory{c, len(v.Records), v.Start.System, v.Start.User}
		return c, nil
	}
	for _, r := range fresh {
		if err := m.add(r); err != nil {
			m.read = 0
			return talk{}, fmt.Errorf("record %d: %w", r.N, err)
		}
		m.read++
	}
	return m.talk, nil
}

// read makes a conversation of records.
func read(start protocol.Start, records []protocol.Record) (talk, error) {
	var c talk
	for _, m := range []*schema.Message{schema.SystemMessage(start.System), schema.UserMessage(start.User)} {
		t, err := newTurn(0, true, false, m)
		if err != nil {
			return c, err
		}
		c.prompt = append(c.prompt, t)
	}
	for i, r := range slices.Backward(records) {
		if r.Kind != protocol.RecordCompaction {
			continue
		}
		var done protocol.Compaction
		if err := json.Unmarshal(r.Data, &done); err != nil {
			return c, fmt.Errorf("record %d: %w", r.N, err)
		}
		t, err := newTurn(done.Upto, true, true, schema.UserMessage(summaryIntro+fence(done.Summary)))
		if err != nil {
			return c, err
		}
		c.turns = append(c.turns, t)
		first := slices.IndexFunc(records[:i], func(r protocol.Record) bool { return r.N > done.Upto })
		if first < 0 {
			first = i
		}
		records = records[first:]
		break
	}
	for _, r := range records {
		if err := c.add(r); err != nil {
			return c, fmt.Errorf("record %d: %w", r.N, err)
		}
	}
	return c, nil
}

const summaryIntro = "What happened before was left out here. This is its summary; the ids in it hold.\n"

// add appends the messages of a record.
func (c *talk) add(r protocol.Record) error {
	say := func(begins bool, m *schema.Message) error {
		t, err := newTurn(r.N, begins, false, m)
		c.turns = append(c.turns, t)
		return err
	}
	switch r.Kind {
	case protocol.RecordAnswer:
		var a protocol.Answer
		if err := json.Unmarshal(r.Data, &a); err != nil {
			return err
		}
		m := schema.AssistantMessage(a.Text, nil)
		for _, c := range a.Calls {
			m.ToolCalls = append(m.ToolCalls, schema.ToolCall{ID: c.ID, Type: "function", Function: schema.FunctionCall{Name: c.Tool, Arguments: c.Args}})
		}
		m.Extra = a.Extra
		if err := say(true, m); err != nil || len(a.Calls) > 0 {
			return err
		}
		return say(false, schema.UserMessage(errorContent(noCall)))
	case protocol.RecordResult:
		var res protocol.ToolResult
		if err := json.Unmarshal(r.Data, &res); err != nil {
			return err
		}
		return say(false, schema.ToolMessage(fence(res.Content), res.CallID, schema.WithToolName(res.Tool)))
	case protocol.RecordInput:
		var in protocol.Input
		if err := json.Unmarshal(r.Data, &in); err != nil {
			return err
		}
		var parts []string
		if in.Text != "" {
			parts = append(parts, fence(in.Text))
		}
		return say(true, schema.UserMessage(strings.Join(append(parts, in.Said...), "\n")))
	}
	return nil
}
