package stacktrace_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/internal/missing"
	"github.com/fleetlens/fleetlens/internal/reach/stacktrace"
)

const (
	goProgram = `package main

import "fmt"

type shop struct{ prices []int }

func (s *shop) price(i int) int { return s.prices[i] }

func main() {
	defer fmt.Println("leaving")
	s := &shop{prices: []int{1, 2, 3}}
	done := make(chan bool)
	go func() { <-done }()
	fmt.Println(s.price(5))
}
`
	javaProgram = `public class Shop {
    static int price(String id) {
        try {
            return Integer.parseInt(id);
        } catch (NumberFormatException e) {
            throw new IllegalStateException("no price for " + id, e);
        }
    }
    public static void main(String[] args) {
        price("seventeen");
    }
}
`
	pythonProgram = `prices = {}

def price(item):
    try:
        return prices[item]
    except KeyError as e:
        raise ValueError("no price") from e

price(17)
`
	nodeProgram = `function price(item) {
  throw new TypeError('no price', { cause: new Error('no shop') });
}
price(17);
`
)

// output runs a program that fails and returns what it says of that.
func output(t *testing.T, language, file, program string, command ...string) (string, bool) {
	t.Helper()
	path, err := exec.LookPath(command[0])
	if err != nil {
		missing.Component(t, language, command[0]+" is not installed")
		return "", false
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, file), []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, append(command[1:], file)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOTRACEBACK=all", "GOFLAGS=-mod=mod", "GO111MODULE=off", "JAVA_TOOL_OPTIONS=")
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatalf("the program of %s did not fail: %s", language, out)
	}
	return string(out), true
}

func TestTracesOfRealPrograms(t *testing.T) {
	for _, tt := range []struct {
		language, file, program string
		command                 []string
		name, message           string
		functions               []string // on top of the stack
		causes                  []string
	}{
		{
			stacktrace.Go, "main.go", goProgram, []string{"go", "run"},
			"runtime error: index out of range", "runtime error: index out of range [5] with length 3", []string{"main.(*shop).price", "main.main"}, nil,
		},
		{
			stacktrace.Java, "Shop.java", javaProgram, []string{"java"},
			"java.lang.IllegalStateException", "no price for seventeen", []string{"Shop.price", "Shop.main"}, []string{`java.lang.NumberFormatException: For input string: "seventeen"`},
		},
		{
			stacktrace.Python, "shop.py", pythonProgram, []string{"python3"},
			"ValueError", "no price", []string{"price", "<module>"}, []string{"KeyError: 17"},
		},
		{
			stacktrace.Node, "shop.js", nodeProgram, []string{"node"},
			"TypeError", "no price", []string{"price", "Object.<anonymous>"}, []string{"Error: no shop"},
		},
	} {
		t.Run(tt.language, func(t *testing.T) {
			out, ok := output(t, tt.language, tt.file, tt.program, tt.command...)
			if !ok {
				return
			}
			list, _ := find("INFO begins\n" + out + "INFO ends\n")
			if len(list) != 1 {
				t.Fatalf("%d traces %+v in\n%s", len(list), list, out)
			}
			got := list[0]
			if got.Language != tt.language || got.Type != tt.name || got.Message != tt.message || !slices.Equal(got.Causes, tt.causes) {
				t.Errorf("trace of %s: %q %q caused by %q in\n%s", got.Language, got.Type, got.Message, got.Causes, out)
			}
			if f := functions(got); !slices.Equal(f[:min(len(f), len(tt.functions))], tt.functions) {
				t.Errorf("functions %q in\n%s", f, out)
			}
			if f := got.Frames[0]; !strings.HasSuffix(f.File, tt.file) || f.Line == 0 {
				t.Errorf("the first frame is %+v", f)
			}
		})
	}
}
