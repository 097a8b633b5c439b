package skills

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

var callRE = regexp.MustCompile(`^([a-z][a-z0-9_]*)\((.*)\)$`)

// ParseCall reads a call as it is written in examples and by people:
// system_top_processes(5, "memory"). Arguments are JSON values.
func ParseCall(s string) (name string, args []any, err error) {
	m := callRE.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return "", nil, fmt.Errorf(`%q is not a call: write name(arg, "arg"), e.g. system_top_processes(5, "memory")`, s)
	}
	if strings.TrimSpace(m[2]) == "" {
		return m[1], nil, nil
	}
	if err := json.Unmarshal([]byte("["+m[2]+"]"), &args); err != nil {
		return "", nil, fmt.Errorf("arguments of %q: numbers, true, false, null or \"strings\" separated by commas: %w", s, err)
	}
	return m[1], args, nil
}
