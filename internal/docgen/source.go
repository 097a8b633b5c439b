package docgen

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// source is what reflection cannot tell of a package.
type source struct {
	comments map[string]string  // of "Type" and of "Type.Field", each on one line
	values   map[string][]value // the string constants of a type, in order
}

type value struct{ text, comment string }

// readSource reads the Go files of one folder, tests left out.
func readSource(dir string) (source, error) {
	src := source{comments: map[string]string{}, values: map[string][]value{}}
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err == nil && len(paths) == 0 {
		err = fmt.Errorf("no Go files in %s: run this at the root of the repository", dir)
	}
	if err != nil {
		return src, err
	}
	slices.Sort(paths)
	for _, p := range paths {
		if strings.HasSuffix(p, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.ParseComments)
		if err != nil {
			return src, err
		}
		for _, d := range f.Decls {
			if g, ok := d.(*ast.GenDecl); ok {
				src.add(g)
			}
		}
	}
	return src, nil
}

func (src source) add(g *ast.GenDecl) {
	for _, spec := range g.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			src.comments[s.Name.Name] = oneLine(g.Doc, s.Doc)
			if t, ok := s.Type.(*ast.StructType); ok {
				for _, f := range t.Fields.List {
					for _, n := range f.Names {
						src.comments[s.Name.Name+"."+n.Name] = oneLine(f.Doc, f.Comment)
					}
				}
			}
		case *ast.ValueSpec:
			t, ok := s.Type.(*ast.Ident)
			if !ok || g.Tok != token.CONST || len(s.Values) != 1 {
				continue
			}
			if lit, ok := s.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if text, err := strconv.Unquote(lit.Value); err == nil {
					src.values[t.Name] = append(src.values[t.Name], value{text, oneLine(s.Doc, s.Comment)})
				}
			}
		}
	}
}

func oneLine(groups ...*ast.CommentGroup) string {
	var words []string
	for _, g := range groups {
		words = append(words, strings.Fields(g.Text())...)
	}
	return strings.Join(words, " ")
}
