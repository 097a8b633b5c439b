package postgres_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/fleetlens/fleetlens/internal/reach/postgres"
)

func TestShape(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"a number", "SELECT * FROM orders WHERE id = 4711", "SELECT * FROM orders WHERE id = ?"},
		{"a decimal, an exponent, hexadecimal", "SELECT 1.5, .5, 2e-3, 0xFF, 1_000", "SELECT ?, …"},
		{"a digit within a name stays", "SELECT c1 FROM t2_2024", "SELECT c1 FROM t2_2024"},
		{"a string", "UPDATE users SET mail = 'a@b.example' WHERE id=7", "UPDATE users SET mail = ? WHERE id = ?"},
		{"a doubled quote ends no string", "SELECT 'it''s secret', x", "SELECT ?, x"},
		{"a string with escapes", `SELECT E'it\'s secret' || x`, "SELECT ? || x"},
		{"bit, hexadecimal, national and Unicode strings", `SELECT B'101', x'FF', N'secret', U&'\0441'`, "SELECT ?, …"},
		{"a typed string without a blank", "SELECT date'2024-01-01'", "SELECT date ?"},
		{"dollar quotes", "DO $$ BEGIN PERFORM 'secret'; END $$", "DO ?"},
		{"dollar quotes with a tag", "SELECT $a$ $$ secret $b$ $a$ + 1", "SELECT ? + ?"},
		{"a parameter is as a literal", "SELECT * FROM t WHERE a = $1 AND b = 'x'", "SELECT * FROM t WHERE a = ? AND b = ?"},
		{"comments go", "SELECT a -- secret\nFROM /* secret /* nested */ secret */ t", "SELECT a FROM t"},
		{"a list is as long as any other", "SELECT * FROM t WHERE id IN (1,2, 3,'4')", "SELECT * FROM t WHERE id IN (?, …)"},
		{"many rows are as one list", "INSERT INTO t (a,b) VALUES (1,'x'),(2,'y'),(3,'z')", "INSERT INTO t(a, b) VALUES (?, …), …"},
		{"rows of one column too", "INSERT INTO t(a) VALUES (1),(2),(3)", "INSERT INTO t(a) VALUES (?), …"},
		{"casts and functions", "SELECT count(*), now()::date - interval '1 day' FROM a.b", "SELECT count(*), now()::date - interval ? FROM a.b"},
		{"COPY from a file", "COPY t FROM '/home/secret.csv' WITH (FORMAT csv)", "COPY t FROM ? WITH (FORMAT csv)"},
		{"a setting needs no quotes", "SET app.user = secret", "SET app.user = ?"},
		{"a setting among others", "BEGIN; SET LOCAL app.user TO secret, secret; SELECT 1", "BEGIN; SET LOCAL app.user TO ?; SELECT ?"},
		{"a role", "SET SESSION AUTHORIZATION secret", "SET SESSION AUTHORIZATION ?"},
		{"a quoted name", `SELECT "Order Id" FROM "Orders"`, `SELECT "Order Id" FROM "Orders"`},
		{"a quoted name that looks like data", `SELECT * FROM t WHERE a = "secret@b.example"`, `SELECT * FROM t WHERE a = "…"`},
		{"a quoted number", `SELECT * FROM t WHERE a = "4711"`, `SELECT * FROM t WHERE a = "…"`},
		{"operators", "SELECT a->>'secret' FROM t WHERE b <> 5 AND c >= 6 AND d != 'x'", "SELECT a ->> ? FROM t WHERE b <> ? AND c >= ? AND d != ?"},
		{"letters of other alphabets", "SELECT größe FROM straße", "SELECT größe FROM straße"},
		{"a backslash before a quote may or may not end the string", `SELECT 'a\'secret', 'b\'c'`, "SELECT …"},
		{"a quote within a word", "SELECT * FROM t WHERE name = O'Brien and pin = '12", "SELECT …"},
		{"a word behind a string", "SELECT 'D'Arcy' FROM t", "SELECT …"},
		{"no end of a string", "DELETE FROM t WHERE a = 'secret", "DELETE …"},
		{"no end of a comment", "SELECT 1 /* secret", "SELECT …"},
		{"no end of dollar quotes", "SELECT $x$ secret", "SELECT …"},
		{"a backslash is no SQL", `SELECT \secret`, "SELECT …"},
		{"what is no command says nothing", "secret 'x", "…"},
		{"nothing", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := postgres.Shape(tt.in, false); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestShapeOfATextThatWasCut(t *testing.T) {
	for in, want := range map[string]string{
		"SELECT a FROM t WHERE b = 'sec":       "SELECT a FROM t WHERE b = ?",
		`SELECT a FROM t WHERE b = E'sec\`:     "SELECT a FROM t WHERE b = ?",
		"SELECT a FROM t WHERE b = $x$ sec":    "SELECT a FROM t WHERE b = ?",
		"SELECT a FROM t WHERE b = $sec":       "SELECT a FROM t WHERE b = ?",
		"SELECT a FROM t /* sec":               "SELECT a FROM t",
		"SELECT a FROM t WHERE b IN (1, 2, 33": "SELECT a FROM t WHERE b IN (?, …",
		"SELECT a FROM t WHERE b = \xc3":       "SELECT a FROM t WHERE b = …",
	} {
		if got := postgres.Shape(in, true); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", in, got, want)
		}
	}
}

func TestShapeIsBounded(t *testing.T) {
	got := postgres.Shape("SELECT "+strings.Repeat("column_of_a_table, ", 100_000)+"1", false)
	if n := utf8.RuneCountInString(got); n != 500 || !strings.HasSuffix(got, "…") {
		t.Errorf("it has %d characters: …%s", n, got[len(got)-20:])
	}
}

// What stands in a literal of any kind never shows, whatever stands around it.
func FuzzShapeHidesLiterals(f *testing.F) {
	f.Add("SELECT * FROM t WHERE a = ", " AND b = 'x'", "", false)
	f.Add("INSERT INTO t VALUES (1, ", "), (2, $1)", "it is", true)
	f.Add(`SELECT 'a\', `, " -- x", `\`, false)
	f.Add("/* ", " */ SELECT $$ ", "$$", true)
	f.Add(`SELECT "`, `"`, "'", false)
	const secret = "zqsecretqz"
	f.Fuzz(func(t *testing.T, before, after, around string, cut bool) {
		if strings.Contains(before+after+around, "zq") || len(before)+len(after)+len(around) > 4000 {
			return
		}
		plain := strings.NewReplacer("'", "", `\`, "", "$", "", "\x00", "").Replace(around)
		for _, literal := range []string{"'" + plain + secret + "'", "E'" + plain + `\'` + secret + "'", "$a$" + plain + secret + "$a$"} {
			in := "SELECT 1, " + literal + " " + after
			if got := postgres.Shape(in, cut); strings.Contains(got, secret) {
				t.Errorf("%q: %s", in, got)
			}
		}
		for _, in := range []string{before + after, before + "'" + plain + "'" + after, after + before} {
			got := postgres.Shape(in, cut)
			if strings.Contains(got, "'") || !utf8.ValidString(got) || utf8.RuneCountInString(got) > 500 {
				t.Errorf("%q: %q", in, got)
			}
		}
	})
}
