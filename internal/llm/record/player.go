package record

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"

	"github.com/cloudwego/eino/components/model"
	"github.com/cloudwego/eino/schema"

	"github.com/fleetlens/fleetlens/pkg/agent"
)

// How a request finds its answer; the package comment says more.
const (
	Exact = "exact" // it is byte for byte the recorded one
	Turn  = "turn"  // it is made at the same place of a run
)

// A Player answers from a cassette.
type Player struct {
	File  string
	Match string // Exact or Turn
	// Error makes the error of a recorded failure.
	Error func(Failure) error
}

// Model returns the model that answers from the file. It fails when the file
// cannot be read or holds nothing. The model is safe for concurrent use.
func (p Player) Model() (model.ToolCallingChatModel, error) {
	calls, sets, err := read(p.File)
	if err != nil {
		return nil, fmt.Errorf("recorded answers: %w", err)
	}
	s := &shelf{Player: p, given: map[string]int{}, bound: map[string]*run{}}
	runs := map[string]*run{}
	for _, c := range calls {
		key := strings.Join([]string{c.Run, c.Agent, c.Skill}, "\x00")
		if runs[key] == nil {
			runs[key] = &run{asker: c.asker}
			s.runs = append(s.runs, runs[key])
		}
		runs[key].calls = append(runs[key].calls, placed{c, placeOf(sets[c.Asked.Toolset], c.Asked.Messages)})
	}
	return player{shelf: s}, nil
}

// A run is the calls that were recorded of one.
type run struct {
	asker
	calls []placed
	used  int // by how many runs of now
}

type placed struct {
	call
	at place
}

// A shelf holds the recorded runs, and what was given of them.
type shelf struct {
	Player
	mu    sync.Mutex
	runs  []*run
	given map[string]int  // answers given for a hash, or to a run at a place
	bound map[string]*run // run of now → the recorded one
}

// player is a model that answers from a shelf.
type player struct {
	shelf *shelf
	tools []*schema.ToolInfo
}

// WithTools implements model.ToolCallingChatModel.
func (p player) WithTools(tools []*schema.ToolInfo) (model.ToolCallingChatModel, error) {
	return player{p.shelf, tools}, nil
}

// Generate implements model.BaseChatModel.
func (p player) Generate(ctx context.Context, in []*schema.Message, opts ...model.Option) (*schema.Message, error) {
	req, set, err := newRequest(in, p.tools, opts)
	if err != nil {
		return nil, err
	}
	s := p.shelf
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Match == Exact {
		return s.exact(askerOf(ctx), req)
	}
	return s.turn(askerOf(ctx), placeOf(names(set), in), in)
}

// Stream implements model.BaseChatModel: the whole answer is its only part.
func (p player) Stream(ctx context.Context, in []*schema.Message, opts ...model.Option) (*schema.StreamReader[*schema.Message], error) {
	return whole(p.Generate(ctx, in, opts...))
}

// exact answers a request by its hash.
func (s *shelf) exact(who asker, req request) (*schema.Message, error) {
	hash := req.hash()
	var alike []placed
	for _, r := range s.runs {
		for _, c := range r.calls {
			if c.Hash == hash {
				alike = append(alike, c)
			}
		}
	}
	if len(alike) == 0 {
		return nil, s.unknown(fmt.Sprintf("this request of %s (%d messages, hash %s)", who, len(req.Messages), hash), s.nearestExact(req))
	}
	return s.give(s.next(hash, alike))
}

// next returns the answer whose turn it is, of several alike.
func (s *shelf) next(key string, alike []placed) placed {
	c := alike[min(s.given[key], len(alike)-1)]
	s.given[key]++
	return c
}

func (s *shelf) give(c placed) (*schema.Message, error) {
	if c.Failed != nil {
		return nil, s.Error(*c.Failed)
	}
	copied := *c.Answered // the caller may change what it gets
	copied.Extra = maps.Clone(copied.Extra)
	if n, ok := copied.Extra[agent.ExtraCacheWrite].(float64); ok { // JSON has no int
		copied.Extra[agent.ExtraCacheWrite] = int(n)
	}
	return &copied, nil
}

// turn answers by the place in the run.
func (s *shelf) turn(who asker, at place, in []*schema.Message) (*schema.Message, error) {
	r := s.runOf(who, in)
	if r == nil {
		return nil, s.unknown("a run of "+who.String(), s.haves())
	}
	if alike := r.at(at); len(alike) > 0 {
		c := s.next(who.Run+"\x00"+at.String(), alike)
		answer, err := s.give(c)
		if err != nil {
			return nil, err
		}
		return rebound(answer, c.Asked.Messages, in), nil
	}
	for _, c := range r.calls {
		if at.lastWait != "" && at.before(c.at) {
			return schema.AssistantMessage("", []schema.ToolCall{{Type: "function", Function: schema.FunctionCall{Name: waitTool, Arguments: at.lastWait}}}), nil
		}
	}
	return nil, s.unknown(fmt.Sprintf("%s after %s", who, at), r.nearest(at))
}

// at returns the calls that were made at a place: of those that had waited as
// often or, where there is none, nearly so.
func (r *run) at(p place) []placed {
	var out []placed
	for _, c := range r.calls {
		if !c.at.same(p) {
			continue
		}
		if len(out) > 0 && distance(c.at.waits, p.waits) < distance(out[0].at.waits, p.waits) {
			out = nil
		}
		if len(out) == 0 || c.at.waits == out[0].at.waits {
			out = append(out, c)
		}
	}
	return out
}

func distance(a, b int) int { return max(a-b, b-a) }

// runOf binds a run to a recorded one.
func (s *shelf) runOf(who asker, in []*schema.Message) *run {
	key := strings.Join([]string{who.Run, who.Agent, who.Skill}, "\x00")
	if r := s.bound[key]; r != nil {
		return r
	}
	var best *run
	for _, r := range s.runs {
		if r.Agent != who.Agent || r.Skill != who.Skill {
			continue
		}
		if best == nil || r.used < best.used || r.used == best.used && common(r.question(), question(in)) > common(best.question(), question(in)) {
			best = r
		}
	}
	if best != nil {
		best.used++
		s.bound[key] = best
	}
	return best
}

func (r *run) question() string { return question(r.calls[0].Asked.Messages) }

// question returns what a run was asked at its beginning.
func question(messages []*schema.Message) string {
	for _, m := range messages {
		if m.Role == schema.User {
			return m.Content
		}
	}
	return ""
}

// common counts the lines that two texts share.
func common(a, b string) int {
	lines := map[string]bool{}
	for line := range strings.Lines(a) {
		lines[strings.TrimSpace(line)] = true
	}
	n := 0
	for line := range strings.Lines(b) {
		if lines[strings.TrimSpace(line)] {
			n++
		}
	}
	return n
}

// unknown is the error of a request without an answer.
func (s *shelf) unknown(asked, nearest string) error {
	return fmt.Errorf("%s has no answer for %s; %s: %w", s.File, asked, nearest, agent.ErrFinal)
}

// haves says whose runs there are.
func (s *shelf) haves() string {
	var list []string
	for _, r := range s.runs {
		list = append(list, r.String())
	}
	return "it holds runs of " + strings.Join(list, ", ")
}

// nearest says which recorded place shares most steps with a place.
func (r *run) nearest(at place) string {
	best, shared := r.calls[0].at, -1
	for _, c := range r.calls {
		n := 0
		for n < min(len(c.at.done), len(at.done)) && c.at.done[n] == at.done[n] {
			n++
		}
		if n > shared {
			best, shared = c.at, n
		}
	}
	return fmt.Sprintf("the nearest that was recorded is after %s", best)
}

// nearestExact says where the most similar recorded request differs.
func (s *shelf) nearestExact(req request) string {
	var best placed
	shared := -1
	for _, r := range s.runs {
		for _, c := range r.calls {
			n := 0
			for n < min(len(c.Asked.Messages), len(req.Messages)) && hashed(c.Asked.Messages[n]) == hashed(req.Messages[n]) {
				n++
			}
			if n > shared {
				best, shared = c, n
			}
		}
	}
	text := fmt.Sprintf("the nearest that was recorded is %s after %s", best.asker, best.at)
	switch {
	case shared < min(len(best.Asked.Messages), len(req.Messages)):
		then, now := difference(best.Asked.Messages[shared].Content, req.Messages[shared].Content)
		return fmt.Sprintf("%s, whose message %d has %q where this one has %q", text, shared+1, then, now)
	case len(best.Asked.Messages) != len(req.Messages):
		return fmt.Sprintf("%s, which has %d messages", text, len(best.Asked.Messages))
	}
	return text + ", which had other tools or another tool choice"
}

// difference returns two texts from a little before where they differ.
func difference(a, b string) (string, string) {
	const before, most = 20, 80
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	cut := func(s string) string {
		s = s[min(max(0, i-before), len(s)):]
		return strings.ToValidUTF8(s[:min(len(s), most)], "")
	}
	return cut(a), cut(b)
}
