package logtemplate

import (
	"errors"
	"fmt"
	"strings"
)

// Config bounds a miner and says when words are variables.
type Config struct {
	MaxTemplates int // templates kept; beyond, the longest unseen go
	MaxTokens    int // tokens of a line; the rest is not looked at
	MaxLine      int // bytes of a line; the rest is not looked at

	// Values is how many different words in one place, all else being the same,
	// make that place a variable. Enumerations in real logs have up to four.
	Values int
	// FirstValues is the same for the first word of a message, which often is a
	// verb or the name of a part of the program.
	FirstValues int
	// NamedValues is the same after words that announce a name ("for user"), and of
	// names with dots (com.example.app).
	NamedValues int
}

// DefaultConfig is what the product uses for every log.
func DefaultConfig() Config {
	return Config{MaxTemplates: 1024, MaxTokens: 192, MaxLine: 4096, Values: 5, FirstValues: 8, NamedValues: 2}
}

// Validate says everything that is wrong with the configuration.
func (c Config) Validate() error {
	var faults []error
	for _, f := range []struct {
		name         string
		value, least int
	}{
		{"MaxTemplates", c.MaxTemplates, 16}, {"MaxTokens", c.MaxTokens, 8}, {"MaxLine", c.MaxLine, 64},
		{"Values", c.Values, 2}, {"FirstValues", c.FirstValues, 2}, {"NamedValues", c.NamedValues, 2},
	} {
		if f.value < f.least {
			faults = append(faults, fmt.Errorf("%s is %d: it must be at least %d", f.name, f.value, f.least))
		}
	}
	if c.MaxTokens > 1<<12 || c.MaxLine > 1<<14 {
		faults = append(faults, errors.New("at most 4096 tokens and 16384 bytes of a line"))
	}
	return errors.Join(faults...)
}

// An ID names a template for as long as its miner lives. Zero names none.
type ID uint32

// A Template is a group of messages that say the same thing.
type Template struct {
	ID    ID
	Text  string // with <*> in the place of what differs
	Count uint64 // messages
}

// A Miner sorts messages into templates. It is not safe for concurrent use.
type Miner struct {
	cfg      Config
	scanner  scanner
	next     ID
	clock    uint64 // messages so far
	byKey    map[uint64]*record
	families map[uint64]*family
	live     int
	alias    map[ID]ID // of templates that became part of another one
}

// A record is a template.
type record struct {
	id     ID
	key    uint64
	shows  bool // variables in it show something
	tokens []part
	text   string
	count  uint64
	seen   uint64 // the clock at the last sighting
	family *family
	wilds  int // places that became variables by what was seen
}

// A part is a token of a template.
type part struct {
	hash       uint64
	look       uint32 // of a variable that shows something
	start, end uint16 // in the template's text
	wild       bool
	word       bool // neither a variable nor punctuation
	named      bool // follows words that announce a name
	dotted     bool // a name of a package, a class or a machine: a.b.c
}

// A family is the templates of one skeleton.
type family struct {
	key      uint64
	members  []*record
	reviewed int // members there were at the last review
}

// New returns a miner, with the default in the place of a cfg that is not valid.
func New(cfg Config) *Miner {
	if cfg.Validate() != nil {
		cfg = DefaultConfig()
	}
	return &Miner{
		cfg: cfg, scanner: scanner{limit: cfg.MaxTokens},
		byKey: map[uint64]*record{}, families: map[uint64]*family{}, alias: map[ID]ID{},
	}
}

// Add takes in a message and returns the id of its template, and whether that is
// new. A template may later become part of another one: [Miner.Resolve].
func (m *Miner) Add(message string) (id ID, isNew bool) {
	if len(message) > m.cfg.MaxLine {
		message = message[:m.cfg.MaxLine]
	}
	tokens := m.scanner.scan(message)
	m.clock++
	key := keyOf(tokens)
	r := m.byKey[key]
	if r == nil {
		r = m.learned(tokens, key)
	}
	if r != nil {
		r.count++
		r.seen = m.clock
		if r.shows {
			r.generalise(&m.scanner)
		}
		return r.id, false
	}
	r = m.insert(tokens, key)
	id = r.id
	merged := m.merge(r)
	return merged.id, merged.id == id
}

// learned returns the template of the tokens' family that they fit, whose
// variables were learned.
func (m *Miner) learned(tokens []token, key uint64) *record {
	for p := range tokens { // the common case: one variable
		if tokens[p].kind != mark {
			if r := m.byKey[key-mix(p, tokens[p].hash)+mix(p, wild)]; r != nil && (p > 0 || r.wilds > 0) {
				return r
			}
		}
	}
	f := m.families[skeletonOf(tokens)]
	if f == nil {
		return nil
	}
	for _, r := range f.members {
		if r.wilds > 1 && r.fits(tokens) {
			return r
		}
	}
	return nil
}

func (r *record) fits(tokens []token) bool {
	if len(tokens) != len(r.tokens) {
		return false
	}
	for p := range tokens {
		if t := &r.tokens[p]; t.hash != tokens[p].hash && (!t.wild || tokens[p].kind == mark) {
			return false
		}
	}
	return true
}

func (m *Miner) insert(tokens []token, key uint64) *record {
	if m.live >= m.cfg.MaxTemplates {
		m.evict()
	}
	skeleton := skeletonOf(tokens)
	f := m.families[skeleton]
	if f == nil {
		f = &family{key: skeleton}
		m.families[skeleton] = f
	}
	m.next++
	r := &record{id: m.next, key: key, count: 1, seen: m.clock, family: f, shows: true}
	r.text, r.tokens = m.scanner.template(tokens)
	m.byKey[key] = r
	f.members = append(f.members, r)
	m.live++
	return r
}

// Resolve returns the id of the template that id became part of: id itself when
// it is one still, or when it was forgotten.
func (m *Miner) Resolve(id ID) ID {
	for range 64 { // never a circle, and rarely more than two
		next, ok := m.alias[id]
		if !ok {
			return id
		}
		id = next
	}
	return id
}

// Template returns the template of an id, of an old one too; false when it was
// forgotten.
func (m *Miner) Template(id ID) (Template, bool) {
	id = m.Resolve(id)
	for _, r := range m.byKey {
		if r.id == id {
			return r.template(), true
		}
	}
	return Template{}, false
}

// Templates returns all of them, in no order.
func (m *Miner) Templates() []Template {
	list := make([]Template, 0, m.live)
	for _, r := range m.byKey {
		list = append(list, r.template())
	}
	return list
}

// Len returns how many templates there are.
func (m *Miner) Len() int { return m.live }

func (r *record) template() Template {
	return Template{r.id, strings.Clone(r.text), r.count}
}
