package docgen

import (
	"fmt"
	"strings"
	"time"
)

// row writes one row of a table.
func row(b *strings.Builder, cells ...string) {
	for _, c := range cells {
		c = strings.Join(strings.Fields(strings.ReplaceAll(c, "|", `\|`)), " ")
		b.WriteString("| " + strings.TrimSpace(c) + " ")
	}
	b.WriteString("|\n")
}

func code(s string) string { return "`" + s + "`" }

// prose keeps Markdown from taking what stands in angle brackets for HTML.
func prose(s string) string { return strings.ReplaceAll(s, "<", "&lt;") }

// link links a heading of the same page.
func link(heading string) string { return "[" + heading + "](#" + strings.ToLower(heading) + ")" }

// size writes a number of bytes in the largest unit that divides it.
func size(n int64) string {
	for _, u := range []struct {
		name  string
		bytes int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= u.bytes && n%u.bytes == 0 {
			return fmt.Sprintf("%d %s", n/u.bytes, u.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}

// span writes a duration in the largest unit that divides it.
func span(d time.Duration) string {
	for _, u := range []struct {
		name string
		long time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"min", time.Minute}} {
		if d >= u.long && d%u.long == 0 {
			return fmt.Sprintf("%d %s", d/u.long, u.name)
		}
	}
	return d.String()
}
