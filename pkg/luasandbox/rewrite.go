package luasandbox

import (
	"slices"
	"strings"

	"github.com/yuin/gopher-lua/ast"
)

// concatAtOnce is how many values one call of $concat joins: a function has 200
// registers, also for its arguments.
const concatAtOnce = 50

// A rewriter goes over a parsed script: it puts functions in place of operators,
// measures how deep the script is nested, since gopher-lua's compiler recurses
// as deep, and notes names that will be nil.
type rewriter struct {
	names map[string]bool
	own   map[string]bool // names that the script gives a value anywhere

	depth   int
	deep    depthError // the line that is nested too deep, or 0
	unknown map[int][]string
}

// enter goes one level down, to a node of that line, and reports whether there is one.
func (r *rewriter) enter(node ast.PositionHolder) bool {
	if r.depth >= maxSyntax && r.deep == 0 {
		r.deep = depthError(max(node.Line(), 1))
	}
	if r.deep != 0 {
		return false
	}
	r.depth++
	return true
}

func (r *rewriter) leave() { r.depth-- }

func (r *rewriter) block(stmts []ast.Stmt) {
	for _, s := range stmts {
		if !r.enter(s) {
			return
		}
		r.statement(s)
		r.leave()
	}
}

func (r *rewriter) statement(s ast.Stmt) {
	switch s := s.(type) {
	case *ast.AssignStmt:
		for i, e := range s.Lhs {
			if name, ok := e.(*ast.IdentExpr); ok {
				r.own[name.Value] = true
			}
			r.within(s.Lhs[i])
		}
		r.list(s.Rhs)
	case *ast.LocalAssignStmt:
		r.define(s.Names)
		r.list(s.Exprs)
	case *ast.FuncCallStmt:
		s.Expr = r.expr(s.Expr)
	case *ast.DoBlockStmt:
		r.block(s.Stmts)
	case *ast.WhileStmt:
		s.Condition = r.expr(s.Condition)
		r.block(s.Stmts)
	case *ast.RepeatStmt:
		r.block(s.Stmts)
		s.Condition = r.expr(s.Condition)
	case *ast.IfStmt:
		s.Condition = r.expr(s.Condition)
		r.block(s.Then)
		r.block(s.Else)
	case *ast.NumberForStmt:
		r.define([]string{s.Name})
		s.Init, s.Limit = r.expr(s.Init), r.expr(s.Limit)
		if s.Step != nil {
			s.Step = r.expr(s.Step)
		}
		r.block(s.Stmts)
	case *ast.GenericForStmt:
		r.define(s.Names)
		r.list(s.Exprs)
		r.block(s.Stmts)
	case *ast.FuncDefStmt:
		if name, ok := s.Name.Func.(*ast.IdentExpr); ok {
			r.own[name.Value] = true
		}
		r.expr(s.Func)
	case *ast.ReturnStmt:
		r.list(s.Exprs)
	}
}

func (r *rewriter) define(names []string) {
	for _, name := range names {
		r.own[name] = true
	}
}

func (r *rewriter) list(exprs []ast.Expr) {
	for i, e := range exprs {
		exprs[i] = r.expr(e)
	}
}

// within rewrites the parts of what is assigned to.
func (r *rewriter) within(e ast.Expr) {
	if a, ok := e.(*ast.AttrGetExpr); ok {
		a.Object, a.Key = r.expr(a.Object), r.expr(a.Key)
	}
}

// expr rewrites an expression and returns what takes its place.
func (r *rewriter) expr(e ast.Expr) ast.Expr {
	if e == nil || !r.enter(e) {
		return e
	}
	defer r.leave()
	switch e := e.(type) {
	case *ast.AttrGetExpr:
		r.note(e)
		r.within(e)
	case *ast.TableExpr:
		for _, f := range e.Fields {
			if f.Key != nil {
				f.Key = r.expr(f.Key)
			}
			f.Value = r.expr(f.Value)
		}
	case *ast.FuncCallExpr:
		if e.Func != nil {
			if name, ok := e.Func.(*ast.IdentExpr); ok {
				r.note(name)
			}
			e.Func = r.expr(e.Func)
		}
		if e.Receiver != nil {
			e.Receiver = r.expr(e.Receiver)
		}
		r.list(e.Args)
	case *ast.LogicalOpExpr:
		e.Lhs, e.Rhs = r.expr(e.Lhs), r.expr(e.Rhs)
	case *ast.RelationalOpExpr:
		e.Lhs, e.Rhs = r.expr(e.Lhs), r.expr(e.Rhs)
	case *ast.StringConcatOpExpr:
		return r.concat(e)
	case *ast.ArithmeticOpExpr:
		if divisor := floored(e); divisor != nil {
			return operator("$divide", e, r.expr(e.Lhs), r.expr(divisor))
		}
		e.Lhs, e.Rhs = r.expr(e.Lhs), r.expr(e.Rhs)
	case *ast.UnaryMinusOpExpr:
		e.Expr = r.expr(e.Expr)
	case *ast.UnaryNotOpExpr:
		e.Expr = r.expr(e.Expr)
	case *ast.UnaryLenOpExpr:
		return operator("$length", e, r.expr(e.Expr))
	case *ast.FunctionExpr:
		r.define(e.ParList.Names)
		r.block(e.Stmts)
	}
	return e
}

// concat makes calls of a chain of .., which the parser nests to the right. A
// long chain is joined in groups: only a __concat in one could tell.
func (r *rewriter) concat(e *ast.StringConcatOpExpr) ast.Expr {
	var parts []ast.Expr
	rest := ast.Expr(e)
	for {
		pair, ok := rest.(*ast.StringConcatOpExpr)
		if !ok {
			break
		}
		parts = append(parts, r.expr(pair.Lhs))
		rest = pair.Rhs
	}
	parts = append(parts, r.expr(rest))
	for len(parts) > concatAtOnce {
		var groups []ast.Expr
		for group := range slices.Chunk(parts, concatAtOnce) {
			groups = append(groups, operator("$concat", e, group...))
		}
		parts = groups
	}
	return operator("$concat", e, parts...)
}

// operator returns the call of an operator's function, which gives one value.
func operator(name string, in ast.Expr, args ...ast.Expr) ast.Expr {
	f := &ast.IdentExpr{Value: name}
	call := &ast.FuncCallExpr{Func: f, Args: args, AdjustRet: true}
	for _, node := range []ast.PositionHolder{f, call} {
		node.SetLine(in.Line())
		node.SetLastLine(in.LastLine())
	}
	// An argument that gives several values gives one here, as an operand does.
	switch last := args[len(args)-1].(type) {
	case *ast.FuncCallExpr:
		last.AdjustRet = true
	case *ast.Comma3Expr:
		last.AdjustRet = true
	}
	return call
}

// floored returns the divisor of a // as the translator wrote it, or nil.
func floored(e *ast.ArithmeticOpExpr) ast.Expr {
	if e.Operator != "/" {
		return nil
	}
	divisor := e.Rhs
	for range 3 {
		not, ok := divisor.(*ast.UnaryNotOpExpr)
		if !ok {
			return nil
		}
		divisor = not.Expr
	}
	return divisor
}

// note remembers a use of a global, or of a library's function.
func (r *rewriter) note(e ast.Expr) {
	path, line := "", e.Line()
	switch e := e.(type) {
	case *ast.IdentExpr:
		path = e.Value
	case *ast.AttrGetExpr:
		library, okL := e.Object.(*ast.IdentExpr)
		key, okK := e.Key.(*ast.StringExpr)
		if !okL || !okK {
			return
		}
		path = library.Value + "." + key.Value
	}
	if !r.names[path] && !strings.HasPrefix(path, "$") && len(path) < 80 {
		r.unknown[line] = append(r.unknown[line], path)
	}
}

// notes returns by line the names that neither the libraries nor the script have.
func (r *rewriter) notes() map[int][]string {
	found := map[int][]string{}
	for line, paths := range r.unknown {
		for _, path := range paths {
			base, field, dotted := strings.Cut(path, ".")
			if r.own[base] || dotted && r.own[base+"."+field] {
				continue
			}
			found[line] = append(found[line], path)
		}
	}
	return found
}
