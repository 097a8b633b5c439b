package luasandbox

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
)

const chunkName = "script"

// operators are functions in place of operators, by names that no script can
// write. The VM's own .. builds texts of any length, and its # is silently wrong
// for tables that are longer than an array may be.
var operators = []struct {
	name string
	f    func(*machine) int
}{
	{"$concat", concat},
	{"$length", length},
	{"$divide", divide},
}

// compile returns the function of a script. Its error is a *ScriptError or a
// depthError. names are what a script finds as globals; the notes say where it
// uses others.
func compile(source string, names map[string]bool) (proto *lua.FunctionProto, notes map[int][]string, err error) {
	defer func() { // gopher-lua's compiler panics with its faults
		if v := recover(); v != nil {
			proto, err = nil, &ScriptError{Message: clip(fmt.Sprintf("cannot compile the script: %v", v))}
		}
	}()
	translated, err := translate(source)
	if err != nil {
		return nil, nil, err
	}
	chunk, err := parse.Parse(strings.NewReader(translated), chunkName)
	if err != nil {
		return nil, nil, scriptError(err)
	}
	r := rewriter{names: names, own: map[string]bool{}, unknown: map[int][]string{}}
	r.block(chunk)
	if r.deep != 0 {
		return nil, nil, r.deep
	}
	proto, err = lua.Compile(enclose(chunk), chunkName)
	if err != nil {
		return nil, nil, scriptError(err)
	}
	plainCalls(proto)
	return proto, r.notes(), nil
}

// enclose makes the script a function within one whose locals are the operators.
func enclose(chunk []ast.Stmt) []ast.Stmt {
	var names []string
	for _, o := range operators {
		names = append(names, o.name)
	}
	last := 1
	if len(chunk) > 0 {
		last = max(1, chunk[len(chunk)-1].LastLine())
	}
	bind := &ast.LocalAssignStmt{Names: names, Exprs: []ast.Expr{&ast.Comma3Expr{}}}
	script := &ast.FunctionExpr{ParList: &ast.ParList{HasVargs: true}, Stmts: chunk}
	script.SetLine(1)
	script.SetLastLine(last)
	call := &ast.FuncCallExpr{Func: script}
	result := &ast.ReturnStmt{Exprs: []ast.Expr{call}}
	for _, node := range []ast.PositionHolder{bind, bind.Exprs[0], call, result} {
		node.SetLine(1)
		node.SetLastLine(last)
	}
	return []ast.Stmt{bind, result}
}

// plainCalls makes tail calls plain ones, which the limit on the depth of calls
// ends: a traceback has a line for each tail call, however many there were.
func plainCalls(proto *lua.FunctionProto) {
	const shift = 26 // of the operation within an instruction; the operands are the same
	for i, inst := range proto.Code {
		if int(inst>>shift) == lua.OP_TAILCALL {
			proto.Code[i] = inst&(1<<shift-1) | uint32(lua.OP_CALL)<<shift
		}
	}
	for _, inner := range proto.FunctionPrototypes {
		plainCalls(inner)
	}
}

// start returns the script's function, to be called with the operators.
func (vm *machine) start(proto *lua.FunctionProto) (*lua.LFunction, []lua.LValue) {
	args := make([]lua.LValue, len(operators))
	for i, o := range operators {
		args[i] = vm.function(o.f)
	}
	return vm.NewFunctionFromProto(proto), args
}

// execute runs the script and returns its value: of one result itself, of
// several a list. Its error is a *ScriptError.
func (vm *machine) execute(proto *lua.FunctionProto) (any, error) {
	script, args := vm.start(proto)
	vm.Push(script)
	for _, arg := range args {
		vm.Push(arg)
	}
	if err := vm.PCall(len(args), lua.MultRet, nil); err != nil {
		return nil, scriptError(err)
	}
	switch n := vm.GetTop(); n {
	case 0:
		return lua.LNil, nil
	case 1:
		return vm.Get(1), nil
	default:
		results := make([]lua.LValue, n)
		for i := range results {
			results[i] = vm.Get(i + 1)
		}
		return results, nil
	}
}

// position matches where gopher-lua says an error was: at the start of a
// message, or in a line of a traceback.
var position = regexp.MustCompile(`(?m)^\s*` + chunkName + `:(\d+): ?`)

// scriptError returns err, from parsing, compiling or running, as a *ScriptError.
func scriptError(err error) *ScriptError {
	if syntax, ok := errors.AsType[*parse.Error](err); ok {
		return syntaxError(syntax)
	}
	if bad, ok := errors.AsType[*lua.CompileError](err); ok {
		return &ScriptError{Message: clip(bad.Message), Line: bad.Line}
	}
	raised, ok := errors.AsType[*lua.ApiError](err)
	if !ok {
		return &ScriptError{Message: clip(err.Error())}
	}
	message := clip(raised.Object.String())
	if strings.HasSuffix(message, "stack overflow") || strings.HasSuffix(message, "registry overflow") {
		message += ": calls lie too deep in each other"
	}
	if raised.Object.Type() == lua.LTTable {
		message = "error raised with a table; raise a string to have it shown here"
	}
	at := position.FindStringSubmatchIndex(message)
	if at != nil && at[0] == 0 {
		line, _ := strconv.Atoi(message[at[2]:at[3]])
		return &ScriptError{Message: message[at[1]:], Line: line}
	}
	found := &ScriptError{Message: message}
	if trace := position.FindStringSubmatch(raised.StackTrace); trace != nil {
		found.Line, _ = strconv.Atoi(trace[1])
	}
	return found
}

func syntaxError(err *parse.Error) *ScriptError {
	if err.Pos.Line == parse.EOF {
		return &ScriptError{Message: clip(err.Message + " at the end of the script")}
	}
	return &ScriptError{Message: clip(err.Message + " near '" + err.Token + "'"), Line: err.Pos.Line}
}

// currentLine returns the line of the script that is running, or 0.
func (vm *machine) currentLine() int {
	for _, level := range []int{0, 1, 2} { // in a Go function, the line that called it
		if at, ok := strings.CutPrefix(vm.Where(level), chunkName+":"); ok {
			line, _ := strconv.Atoi(strings.TrimSuffix(at, ":"))
			return line
		}
	}
	return 0
}
