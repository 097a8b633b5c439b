package llm

import (
	"strings"
	"testing"
	"time"
)

func TestCallsInText(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		said       string
		calls      []string // name and arguments
	}{
		{"a call alone", `{"tool":"think","args":{"thought":"a"}}`, "", []string{`think {"thought":"a"}`}},
		{"words and a call", "I think.\n{\"tool\":\"done\",\"args\":{}} and so on", "I think.", []string{"done {}"}},
		{"a call in a fence", "Well:\n```json\n{\"tool\": \"done\", \"args\": {}}\n```\n", "Well:", []string{"done {}"}},
		{"a fence without a language", "```\n{\"tool\":\"done\"}\n```", "", []string{"done {}"}},
		{"a list of calls", `[{"tool":"think","args":{}},{"tool":"done"}]`, "", []string{"think {}", "done {}"}},
		{"the first of two", `{"tool":"think","args":{}} {"tool":"done"}`, "", []string{"think {}"}},
		{"arguments as a string", `{"tool":"think","args":"{\"thought\":\"a\"}"}`, "", []string{`think {"thought":"a"}`}},
		{"arguments of null", `{"tool":"done","args":null}`, "", []string{"done {}"}},
		{"braces of other kinds before", `In {curly} and [square] brackets: {"tool":"done"}`, "In {curly} and [square] brackets:", []string{"done {}"}},
		{"an unknown tool is the loop's business", `{"tool":"rm","args":{"-rf":"/"}}`, "", []string{`rm {"-rf":"/"}`}},
		{"no call", "I am done.", "I am done.", nil},
		{"nothing", "", "", nil},
		{"JSON that is none", `{"answer": 42}`, `{"answer": 42}`, nil},
		{"a call that other JSON quotes", `{"log": {"tool":"done","args":{}}}`, `{"log": {"tool":"done","args":{}}}`, nil},
		{"a call that is cut", `{"tool":"done","args":{"a"`, `{"tool":"done","args":{"a"`, nil},
		{"a list in which something is no call", `[{"tool":"done"}, 7]`, `[{"tool":"done"}, 7]`, nil},
		{"a tool that is no name", `{"tool":7}`, `{"tool":7}`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			said, calls := callsIn(tt.text)
			var got []string
			for _, c := range calls {
				got = append(got, c.Function.Name+" "+c.Function.Arguments)
			}
			if said != tt.said || strings.Join(got, ", ") != strings.Join(tt.calls, ", ") {
				t.Errorf("said %q, calls %q; want %q, %q", said, got, tt.said, tt.calls)
			}
		})
	}
}

func TestLookingForCallsIsBounded(t *testing.T) {
	call := `{"tool":"done"}`
	for name, text := range map[string]string{
		"many brackets":      strings.Repeat("{", 1<<20) + call,
		"deep lists":         strings.Repeat("[", 1<<20) + call,
		"many lists":         strings.Repeat("[]", 1<<20) + call,
		"a call far behind":  strings.Repeat("x", 1<<20) + call,
		"a very long list":   "[" + strings.Repeat(call+",", 1000) + call + "]",
		"a text without end": strings.Repeat(`{"tool":"`, 1<<17),
	} {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			if _, calls := callsIn(text); calls != nil {
				t.Errorf("%d calls", len(calls))
			}
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}
