package docgen

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// behaviourMark begins the line of a comment that says which cases a test holds:
//
//	// Behaviour: 40, defect 7.
//
// It stands above a test function, or within one above an entry of a table or a
// t.Run whose first text is the name of the subtest.
const behaviourMark = "Behaviour:"

// A markedTest is a test that holds a case.
type markedTest struct{ file, name string }

// behaviourPage lists the cases of the reference behaviour with the tests that
// hold them. It fails when a case has no test and no reason, or both, and when a
// test names a case that there is not.
func behaviourPage(root string, groups []behaviourGroup) (string, error) {
	tests, err := markedTests(root)
	if err != nil {
		return "", err
	}
	if err := checkBehaviour(groups, tests); err != nil {
		return "", err
	}
	held, without, awaited := 0, 0, 0
	for _, g := range groups {
		for _, c := range g.cases {
			switch {
			case len(tests[c.id]) > 0:
				held++
			case c.none != "":
				without++
			default:
				awaited++
			}
		}
	}
	var b strings.Builder
	b.WriteString(head("Behaviour", "the comments of the tests"))
	fmt.Fprintf(&b, `Fleetlens is the fleet-wide counterpart of Beamlens. These are the cases of the
reference behaviour (Beamlens v0.4.0) about agents, detectors and databases, and the defects of its
agents and its detector, which must not come back. Each stands in the words of what Fleetlens does, with the tests
that fail when it no longer does. A test says so itself: `+"`// Behaviour: 40, defect 7.`"+`
above it.

%d cases have a test, %d have no counterpart, %d wait for what is not built yet.
`, held, without, awaited)
	for _, g := range groups {
		fmt.Fprintf(&b, "\n## %s\n\n| case | what Fleetlens does | tests |\n|---|---|---|\n", g.title)
		for _, c := range g.cases {
			cell := "not yet: " + prose(c.awaits)
			if c.none != "" {
				cell = "no counterpart: " + prose(c.none)
			}
			if list := tests[c.id]; len(list) > 0 {
				var links []string
				for _, t := range list {
					links = append(links, fmt.Sprintf("[%s](../../%s)", code(t.name), t.file))
				}
				cell = strings.Join(links, "<br>")
			}
			row(&b, c.id, prose(c.does), cell)
		}
	}
	return b.String(), nil
}

// checkBehaviour names every case whose tests and words do not fit together.
func checkBehaviour(groups []behaviourGroup, tests map[string][]markedTest) error {
	var errs []error
	known := map[string]bool{}
	for _, g := range groups {
		for _, c := range g.cases {
			marked := len(tests[c.id]) > 0
			switch {
			case known[c.id]:
				errs = append(errs, fmt.Errorf("case %s is listed twice", c.id))
			case c.does == "":
				errs = append(errs, fmt.Errorf("case %s does not say what Fleetlens does", c.id))
			case marked && c.none != "":
				errs = append(errs, fmt.Errorf("case %s has no counterpart (%s), and yet %s holds it", c.id, c.none, tests[c.id][0].name))
			case marked && c.awaits != "":
				errs = append(errs, fmt.Errorf("case %s is held by %s: it awaits %s no longer", c.id, tests[c.id][0].name, c.awaits))
			case !marked && c.none == "" && c.awaits == "":
				errs = append(errs, fmt.Errorf("case %s has no test: write `// %s %s.` above one, or say why it has no counterpart", c.id, behaviourMark, c.id))
			}
			known[c.id] = true
		}
	}
	for id, list := range tests {
		if !known[id] {
			errs = append(errs, fmt.Errorf("%s in %s names case %s, which there is not", list[0].name, list[0].file, id))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

// markedTests reads the marks of all tests below root: the tests of each case, in
// the order of their files.
func markedTests(root string) (map[string][]markedTest, error) {
	tests := map[string][]markedTest{}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(p, "_test.go") {
			return nil
		}
		return readMarks(root, p, tests)
	})
	return tests, err
}

// readMarks adds the marks of one file.
func readMarks(root, file string, tests map[string][]markedTest) error {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, file, nil, parser.ParseComments)
	if err != nil {
		return err
	}
	rel, err := filepath.Rel(root, file)
	if err != nil {
		return err
	}
	rel = filepath.ToSlash(rel)
	for _, group := range f.Comments {
		ids, err := casesOf(group.Text())
		if err != nil {
			return fmt.Errorf("%s: %w", fset.Position(group.Pos()), err)
		}
		if len(ids) == 0 {
			continue
		}
		name := markedName(fset, f, group)
		if name == "" {
			return fmt.Errorf("%s: %q stands above no test", fset.Position(group.Pos()), behaviourMark)
		}
		for _, id := range ids {
			t := markedTest{rel, path.Dir(rel) + "." + name}
			if !slices.Contains(tests[id], t) {
				tests[id] = append(tests[id], t)
			}
		}
	}
	return nil
}

// casesOf returns the cases that a comment names.
func casesOf(comment string) ([]string, error) {
	var ids []string
	for line := range strings.Lines(comment) {
		list, ok := strings.CutPrefix(strings.TrimSpace(line), behaviourMark)
		if !ok {
			continue
		}
		for id := range strings.SplitSeq(strings.TrimSuffix(strings.TrimSpace(list), "."), ",") {
			id = strings.TrimSpace(id)
			if _, err := strconv.Atoi(strings.TrimPrefix(id, "defect ")); err != nil {
				return nil, fmt.Errorf("%q is no case: write a number, or defect and a number", id)
			}
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// markedName returns the test that a comment stands above, or "".
func markedName(fset *token.FileSet, f *ast.File, mark *ast.CommentGroup) string {
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || !strings.HasPrefix(fn.Name.Name, "Test") && !strings.HasPrefix(fn.Name.Name, "Example") {
			continue
		}
		if fn.Doc == mark {
			return fn.Name.Name
		}
		if mark.Pos() < fn.Pos() || mark.End() > fn.End() {
			continue
		}
		if sub := subtest(fset, fn.Body, mark); sub != "" {
			return fn.Name.Name + "/" + strings.ReplaceAll(sub, " ", "_")
		}
	}
	return ""
}

// subtest returns the first text of the entry or call that begins below a comment.
func subtest(fset *token.FileSet, body *ast.BlockStmt, mark *ast.CommentGroup) string {
	line, name := fset.Position(mark.End()).Line+1, ""
	ast.Inspect(body, func(n ast.Node) bool {
		if n == nil || name != "" {
			return false
		}
		switch n.(type) {
		case *ast.CompositeLit, *ast.CallExpr:
			if fset.Position(n.Pos()).Line == line {
				name = firstText(n)
			}
		}
		return true
	})
	return name
}

func firstText(n ast.Node) string {
	text := ""
	ast.Inspect(n, func(n ast.Node) bool {
		lit, ok := n.(*ast.BasicLit)
		if ok && lit.Kind == token.STRING && text == "" {
			if s, err := strconv.Unquote(lit.Value); err == nil {
				text = s
			}
		}
		return text == ""
	})
	return text
}
