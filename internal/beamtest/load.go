package beamtest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

var moduleName = regexp.MustCompile(`-module\((\w+)\)`)

// Load has the node compile and load a module, as text in its own language. Of an
// Erlang module what crashes stands in functions with names, as in a real program.
func (n *Node) Load(source string) error {
	name, code := "module.exs", "Code.compile_file(%q); :ok"
	if !n.elixir {
		m := moduleName.FindStringSubmatch(source)
		if m == nil {
			return fmt.Errorf("there is no -module in %q", source)
		}
		name = m[1] + ".erl"
		code = `(fun(File) -> {ok, M, B} = compile:file(File, [binary, return_errors]), {module, M} = code:load_binary(M, File, B), ok end)(%q)`
	}
	file := filepath.Join(n.cmd.Dir, name)
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		return err
	}
	_, err := n.Try(fmt.Sprintf(code, file))
	return err
}
