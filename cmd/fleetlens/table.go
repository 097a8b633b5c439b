package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// A number is text that stands to the right in its column.
type number string

// both is what people read, and what programs do.
type both struct{ people, program string }

// A sheet is rows under a header. A cell is text, a count, a time, or a mark, number
// or both.
type sheet struct {
	title  string
	header []string
	rows   [][]any
	plain  bool // without a frame
	cut    bool // what does not fit is cut, for it is to be had in full elsewhere; else it is wrapped
}

// table prints rows as NATS_TABLE_FORMAT says; else in a frame on a terminal, as the
// nats CLI does, fitted to its width; else a line a record, its fields apart by tabs,
// without a header, times in UTC.
func (p printer) table(title string, header []string, rows [][]any) {
	p.sheet(sheet{title: title, header: header, rows: rows})
}

func (p printer) sheet(s sheet) {
	switch {
	case p.format != "":
		p.formatted(s)
	case p.terminal:
		p.framed(s)
	default:
		for _, row := range s.rows {
			p.record(row...)
		}
	}
}

// record prints one line for programs.
func (p printer) record(cells ...any) {
	fields := make([]string, len(cells))
	for i, c := range cells {
		fields[i] = strings.ReplaceAll(p.forPrograms(c), "\t", " ")
	}
	p.printf("%s\n", strings.Join(fields, "\t"))
}

// forPrograms writes a cell in a form that does not depend on who reads it, or when.
func (p printer) forPrograms(cell any) string {
	switch c := cell.(type) {
	case time.Time:
		if c.IsZero() {
			return ""
		}
		return c.UTC().Format(time.RFC3339)
	case mark:
		return clean(c.word)
	case both:
		return clean(c.program)
	case int:
		return strconv.Itoa(c)
	}
	return clean(fmt.Sprint(cell))
}

// forPeople writes a cell, without its colour.
func (p printer) forPeople(cell any) string {
	switch c := cell.(type) {
	case time.Time:
		return p.moment(c)
	case mark:
		return clean(strings.TrimSpace(c.shape + " " + c.word))
	case both:
		return clean(c.people)
	case int:
		return thousands(c)
	}
	return strings.ReplaceAll(clean(fmt.Sprint(cell)), "\t", " ")
}

func (p printer) formatted(s sheet) {
	w := writerOf(p, s, p.forPrograms)
	switch p.format {
	case "md":
		w.RenderMarkdown()
	case "csv":
		w.RenderCSV()
	default:
		w.RenderTSV()
	}
}

func writerOf(to io.Writer, s sheet, write func(any) string) table.Writer {
	w := table.NewWriter()
	w.SetOutputMirror(to)
	w.AppendHeader(rowOf(s.header, func(h string) string { return h }))
	for _, row := range s.rows {
		w.AppendRow(rowOf(row, write))
	}
	return w
}

func rowOf[C any](cells []C, write func(C) string) table.Row {
	row := make(table.Row, len(cells))
	for i, c := range cells {
		row[i] = write(c)
	}
	return row
}

// framed prints a table for a terminal.
func (p printer) framed(s sheet) {
	// A shape takes one column, also where people read Chinese.
	text.OverrideRuneWidthEastAsianWidth(false)
	w := writerOf(p, s, func(cell any) string {
		written := p.forPeople(cell)
		if m, ok := cell.(mark); ok {
			return p.paint(m.code, written)
		}
		return written
	})
	style := table.StyleRounded
	style.Format.Header = text.FormatDefault
	style.Title.Align = text.AlignCenter
	frame := 3*len(s.header) + 1
	if s.plain {
		style.Options = table.OptionsNoBordersAndSeparators
		style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
		frame = 2 * len(s.header)
	} else if s.title != "" {
		w.SetTitle("%s", s.title)
	}
	if c, ok := borders[p.border]; ok && p.colour {
		style.Color.Border, style.Color.Separator = text.Colors{c}, text.Colors{c}
	}
	w.SetStyle(style)
	w.SuppressTrailingSpaces()
	fit := text.WrapSoft
	if s.cut {
		fit = cut
	}
	widths := p.widths(s, p.width-frame)
	configs := make([]table.ColumnConfig, len(s.header))
	for i := range s.header {
		c := table.ColumnConfig{Number: i + 1, WidthMax: widths[i], WidthMaxEnforcer: fit}
		if toTheRight(s.rows, i) {
			c.Align, c.AlignHeader = text.AlignRight, text.AlignRight
		}
		configs[i] = c
	}
	w.SetColumnConfigs(configs)
	w.Render()
}

// borders are the colours that NATS_COLOR may name.
var borders = map[string]text.Color{
	"red": text.FgRed, "green": text.FgGreen, "yellow": text.FgYellow, "blue": text.FgBlue,
	"magenta": text.FgMagenta, "cyan": text.FgCyan, "white": text.FgWhite,
}

func cut(s string, width int) string { return text.Snip(s, width, "…") }

// toTheRight reports whether a column holds numbers.
func toTheRight(rows [][]any, column int) bool {
	if len(rows) == 0 {
		return false
	}
	switch rows[0][column].(type) {
	case int, number:
		return true
	}
	return false
}

// holdsText reports whether a column holds text, and not what has a form of its own.
func holdsText(rows [][]any, column int) bool {
	if len(rows) == 0 {
		return false
	}
	_, is := rows[0][column].(string)
	return is
}

// leastWidth is what a column of text is not narrowed below.
const leastWidth = 8

// widths returns how wide columns may be to fit together into so much: of those that
// hold text, the widest is narrowed first. What does not fit even so is left to the
// terminal.
func (p printer) widths(s sheet, room int) []int {
	out := make([]int, len(s.header))
	sum := 0
	for i, h := range s.header {
		out[i] = text.StringWidthWithoutEscSequences(h)
		for _, row := range s.rows {
			out[i] = max(out[i], text.StringWidthWithoutEscSequences(p.forPeople(row[i])))
		}
		sum += out[i]
	}
	for p.width > 0 && sum > room {
		widest := -1
		for i := range out {
			if holdsText(s.rows, i) && out[i] > leastWidth && (widest < 0 || out[i] > out[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		out[widest]--
		sum--
	}
	return out
}
