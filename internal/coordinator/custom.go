package coordinator

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Bounds of what probes bring in words.
const (
	maxCustom      = 16        // skills in one investigation
	maxCustomBytes = 32 << 10  // of one skill's words
	maxAllBytes    = 128 << 10 // of all of them: they stand in one record of the journal
	wordsWithin    = 2 * time.Second
	allWithin      = 5 * time.Second // a probe that hangs may have many skills
)

// customName is what a custom skill may be called: its name stands in prompts and subjects.
var customName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

// A sourceKey names the source of a skill: its words are one.
type sourceKey struct{ skill, kind string }

// custom returns the words of the skills that the nodes announce and this
// coordinator was not built with, sorted by name. Where nodes have a skill in several
// words, those that most of them have are taken. What cannot be fetched is told to
// the log and left out.
func (f *fleet) custom(ctx context.Context, nodes []protocol.Heartbeat) []protocol.Words {
	said := map[sourceKey]map[string][]string{} // nodes by hash
	for _, h := range nodes {
		for _, s := range h.Skills {
			key := sourceKey{s.Skill, s.Kind}
			if f.builtIn(s.Skill) || s.Skill == protocol.CustomSkill || !customName.MatchString(s.Skill) || !customName.MatchString(s.Kind) {
				continue
			}
			if said[key] == nil {
				said[key] = map[string][]string{}
			}
			said[key][s.Hash] = append(said[key][s.Hash], h.Node)
		}
	}
	keys := slices.SortedFunc(maps.Keys(said), func(a, b sourceKey) int { return cmp.Or(cmp.Compare(a.skill, b.skill), cmp.Compare(a.kind, b.kind)) })
	ctx, cancel := context.WithTimeout(ctx, allWithin)
	defer cancel()
	var out []protocol.Words
	size := 0
	for _, key := range keys[:min(maxCustom, len(keys))] {
		hashes := slices.SortedFunc(maps.Keys(said[key]), func(a, b string) int {
			return cmp.Or(cmp.Compare(len(said[key][b]), len(said[key][a])), cmp.Compare(a, b))
		})
		w, err := f.fetch(ctx, key, hashes[0], said[key][hashes[0]])
		if err != nil {
			f.log.Warn("the words of a custom skill cannot be had", "skill", key.skill, "kind", key.kind, "err", err)
			continue
		}
		raw, err := json.Marshal(w)
		if err != nil || size+len(raw) > maxAllBytes {
			f.log.Warn("a custom skill is left out: the words of all together are too long", "skill", key.skill, "kind", key.kind, "limit", maxAllBytes)
			continue
		}
		size += len(raw)
		out = append(out, w)
	}
	return out
}

func (f *fleet) builtIn(skill string) bool {
	return slices.ContainsFunc(f.words, func(w protocol.Words) bool { return w.Skill == skill })
}

// announced returns the hash of the words that a node announces of a source.
func announced(h protocol.Heartbeat, skill, kind string) string {
	for _, s := range h.Skills {
		if s.Skill == skill && s.Kind == kind {
			return s.Hash
		}
	}
	return ""
}

// fetch returns the words of a hash: asked for once, of three nodes at most.
func (f *fleet) fetch(ctx context.Context, key sourceKey, hash string, nodes []string) (protocol.Words, error) {
	f.mu.Lock()
	w, ok := f.fetched[hash]
	f.mu.Unlock()
	if ok {
		return w, nil
	}
	var err error
	for _, node := range nodes[:min(3, len(nodes))] {
		if w, err = f.ask(ctx, key, hash, node); err == nil {
			f.mu.Lock()
			if len(f.fetched) >= 8*maxCustom { // of skills that came and went
				clear(f.fetched)
			}
			f.fetched[hash] = w
			f.mu.Unlock()
			return w, nil
		}
	}
	return protocol.Words{}, err
}

func (f *fleet) ask(ctx context.Context, key sourceKey, hash, node string) (protocol.Words, error) {
	ctx, cancel := context.WithTimeout(ctx, wordsWithin)
	defer cancel()
	raw, err := f.conn.Request(ctx, protocol.ProbeSubject(node, "words"), protocol.Call{Skill: key.skill, Target: f.targetOf(node, key)})
	if err != nil {
		return protocol.Words{}, err
	}
	if len(raw) > maxCustomBytes {
		return protocol.Words{}, fmt.Errorf("%s has words of %d bytes (at most %d)", node, len(raw), maxCustomBytes)
	}
	w, err := protocol.Decode[protocol.Words](raw)
	switch {
	case err != nil:
		return protocol.Words{}, err
	case w.Skill != key.skill || w.Kind != key.kind || w.Hash() != hash:
		return protocol.Words{}, fmt.Errorf("%s answers with other words than it announces", node)
	}
	return w, nil
}

// targetOf returns a target of the node that has the source.
func (f *fleet) targetOf(node string, key sourceKey) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.nodes[node]
	if n == nil {
		return ""
	}
	for _, t := range n.beat.Targets {
		if t.Kind == key.kind && slices.Contains(t.Skills, key.skill) {
			return t.Name
		}
	}
	return ""
}
