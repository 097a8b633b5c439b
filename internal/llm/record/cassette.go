package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/cloudwego/eino/components/model"
	"github.com/cloudwego/eino/schema"
)

// A Failure is a call that was not answered.
type Failure struct {
	Text         string `json:"text"`
	Status       int    `json:"status,omitempty"` // of HTTP; 0: it had none
	RetryAfterMS int64  `json:"retry_after_ms,omitempty"`
	Final        bool   `json:"final,omitempty"` // no repetition mends it
}

// A line of a cassette is a set of tools or a call. The fields stand in the order
// in which people read them.
type line struct {
	Toolset string `json:"toolset,omitempty"` // the hash of Tools
	Tools   []tool `json:"tools,omitempty"`

	Call *call `json:"call,omitempty"`
}

type tool struct {
	Name   string          `json:"name"`
	Doc    string          `json:"doc"`
	Schema json.RawMessage `json:"schema,omitempty"`
}

type call struct {
	asker
	Model    string          `json:"model"`
	After    string          `json:"after,omitempty"` // where in the run, for people
	Answered *schema.Message `json:"answered,omitempty"`
	Failed   *Failure        `json:"failed,omitempty"`
	TookMS   int64           `json:"took_ms"`
	Hash     string          `json:"hash"` // of the whole request
	Asked    request         `json:"asked"`
}

// A request is what a model is asked. In the file, Messages are those after From.
type request struct {
	Toolset  string            `json:"toolset,omitempty"` // empty: no tools
	Choice   string            `json:"choice,omitempty"`
	From     int               `json:"from,omitempty"`
	Messages []*schema.Message `json:"messages"`
}

// newRequest returns a request and its set of tools.
func newRequest(in []*schema.Message, infos []*schema.ToolInfo, opts []model.Option) (request, line, error) {
	req := request{Messages: in}
	if choice := model.GetCommonOptions(nil, opts...).ToolChoice; choice != nil {
		req.Choice = string(*choice)
	}
	set := line{}
	for _, info := range infos {
		t := tool{Name: info.Name, Doc: info.Desc}
		if info.ParamsOneOf != nil {
			s, err := info.ToJSONSchema()
			if err != nil {
				return req, set, fmt.Errorf("schema of %s: %w", info.Name, err)
			}
			if t.Schema, err = json.Marshal(s); err != nil {
				return req, set, fmt.Errorf("schema of %s: %w", info.Name, err)
			}
		}
		set.Tools = append(set.Tools, t)
	}
	if len(set.Tools) > 0 {
		set.Toolset = hashed(set.Tools)
		req.Toolset = set.Toolset
	}
	return req, set, nil
}

// hashed returns 16 hex digits of what v is as JSON.
func hashed(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		raw = []byte(err.Error()) // messages came from JSON; what cannot be written is found when the line is
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8])
}

func (r request) hash() string {
	r.From = 0
	return hashed(r)
}

func (c call) took(since time.Time) call {
	c.TookMS = time.Since(since).Milliseconds()
	return c
}

// read returns the calls of a cassette, each with its whole conversation, and the
// names of the tools of each set.
func read(file string) ([]call, map[string][]string, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	var calls []call
	sets := map[string][]string{}
	last := map[string][]*schema.Message{} // by run
	n := 0
	for text := range bytes.Lines(raw) {
		n++
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			return nil, nil, fmt.Errorf("%s, line %d: %w", file, n, err)
		}
		if l.Call == nil {
			for _, t := range l.Tools {
				if !slices.Contains(sets[l.Toolset], t.Name) { // each process writes its own
					sets[l.Toolset] = append(sets[l.Toolset], t.Name)
				}
			}
			continue
		}
		c := *l.Call
		if before := last[c.Run]; c.Asked.From > len(before) {
			return nil, nil, fmt.Errorf("%s, line %d: %d messages of run %q should stand before it, there are %d", file, n, c.Asked.From, c.Run, len(before))
		}
		if c.Answered == nil && c.Failed == nil {
			return nil, nil, fmt.Errorf("%s, line %d: the call has neither an answer nor a failure", file, n)
		}
		c.Asked.Messages = append(slices.Clip(last[c.Run][:c.Asked.From]), c.Asked.Messages...)
		last[c.Run] = c.Asked.Messages
		calls = append(calls, c)
	}
	if len(calls) == 0 {
		return nil, nil, fmt.Errorf("%s: %w", file, errEmpty)
	}
	return calls, sets, nil
}

var errEmpty = errors.New("it holds no call: record one first, with a model's setting record")
