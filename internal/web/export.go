package web

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"slices"
	"strings"
	texttemplate "text/template"
	"time"

	_ "embed"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/reading"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// bundleType is the version of a bundle, by which a later one tells what it reads.
const bundleType = protocol.TypePrefix + "bundle"

// A Bundle is a conclusion with all that it stands on, to be kept or sent. The snapshots
// are within its facts.
type Bundle struct {
	Type string `json:"type"` // bundleType; empty: it was exported before bundles had one
	InsightView
	Radius   *Radius                      `json:"radius,omitempty"` // as it was when it was exported
	Journals map[string][]protocol.Record `json:"journals"`         // by run
}

// exported reads what every export has.
func (s *Server) exported(ctx context.Context, id string) (*Bundle, error) {
	v, err := s.viewInsight(ctx, id)
	if err != nil {
		return nil, err
	}
	r, err := s.radiusOf(ctx, v.Insight)
	return &Bundle{Type: bundleType, InsightView: *v, Radius: r, Journals: map[string][]protocol.Record{}}, err
}

func (s *Server) bundle(ctx context.Context, q *query) (any, error) {
	id := q.id("id")
	if q.err() != nil {
		return nil, nil
	}
	b, err := s.exported(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, r := range b.Runs {
		agent := protocol.OperatorAgent
		if r.Skill == "" {
			agent = protocol.CoordinatorAgent
		}
		list, _, err := reading.All[protocol.Record](ctx, s.bus, bus.Journal, protocol.JournalSubject(agent, r.ID))
		if err != nil {
			return nil, err
		}
		for _, x := range list {
			b.Journals[r.ID] = append(b.Journals[r.ID], x.Value)
		}
	}
	return b, nil
}

// export answers with a file that a browser saves.
func (s *Server) export(kind string, to func(io.Writer, *Bundle) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), answerWithin)
		defer cancel()
		q := &query{Request: r}
		id := q.id("id")
		if err := q.err(); err != nil {
			s.answer(w, r, nil, err)
			return
		}
		v, err := s.exported(ctx, id)
		var b bytes.Buffer
		if err == nil {
			err = to(&b, v)
		}
		if err != nil {
			s.answer(w, r, nil, err)
			return
		}
		w.Header().Set("Content-Disposition", "attachment")
		write(w, r, http.StatusOK, kind, b.Bytes())
	}
}

var (
	//go:embed report.html.tmpl
	reportText string
	//go:embed postmortem.md.tmpl
	postmortemText string

	inReports = map[string]any{"at": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }, "marked": marked, "plot": plotOf, "md": escapeMarkdown, "value": written}

	report     = template.Must(template.New("report").Funcs(inReports).Parse(reportText))
	postmortem = texttemplate.Must(texttemplate.New("postmortem").Funcs(inReports).Parse(postmortemText))
)

func writeReport(w io.Writer, v *Bundle) error     { return report.Execute(w, v) }
func writePostmortem(w io.Writer, v *Bundle) error { return postmortem.Execute(w, v) }

// A span is a part of a text: a figure of it, or what is between them.
type span struct {
	Text   string
	Figure *protocol.Figure
}

// marked cuts a text at its figures.
func marked(text string, figures []protocol.Figure) (out []span) {
	for _, f := range figures {
		before, after, found := strings.Cut(text, f.Text)
		if !found || f.Text == "" {
			continue
		}
		out = append(out, span{Text: before}, span{f.Text, &f})
		text = after
	}
	return append(out, span{Text: text})
}

// A plot is a series as a path within 600 × 150.
type plot struct {
	Path                string
	Threshold, Baseline *float64 // heights
	High, Low           string
	From, To            time.Time
}

// plotOf returns nil when there is nothing to draw.
func plotOf(e protocol.Evidence) *plot {
	if len(e.Series) < 2 {
		return nil
	}
	first, last := e.Series[0], e.Series[len(e.Series)-1]
	values := []float64{}
	for _, p := range e.Series {
		values = append(values, p.Value)
	}
	for _, v := range []*float64{e.Threshold, e.Baseline} {
		if v != nil {
			values = append(values, *v)
		}
	}
	low, high := slices.Min(values), slices.Max(values)
	height := func(v float64) float64 { return 130 - (v-low)/max(high-low, 1e-9)*115 }
	p := &plot{High: written(high), Low: written(low), From: time.UnixMilli(first.At), To: time.UnixMilli(last.At)}
	var b strings.Builder
	for k, q := range e.Series {
		fmt.Fprintf(&b, "%c%.1f %.1f", "LM"[btoi(k == 0)], 60+float64(q.At-first.At)/float64(max(last.At-first.At, 1))*530, height(q.Value))
	}
	p.Path = b.String()
	for v, to := range map[*float64]**float64{e.Threshold: &p.Threshold, e.Baseline: &p.Baseline} {
		if v != nil {
			y := height(*v)
			*to = &y
		}
	}
	return p
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// written writes a value as short as it is exact enough to read.
func written(v any) string {
	if f, ok := v.(float64); ok {
		return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.4f", f), "0"), ".")
	}
	return fmt.Sprint(v)
}

// escapeMarkdown keeps a text of a host or a model from being read as Markdown or HTML.
func escapeMarkdown(v any) string {
	var b strings.Builder
	for _, r := range fmt.Sprint(v) {
		switch {
		case strings.ContainsRune("\\`*_{}[]()<>#+!|~&", r):
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n' || r == '\r':
			b.WriteByte(' ')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
