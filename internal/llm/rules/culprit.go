package rules

import (
	"fmt"
	"strconv"
)

// parts are the keys by which rows name what of a server they are about: the first whose
// keys are all there. What is not told is only needed to know the row by.
var parts = []struct {
	says string
	told []string
	has  string
}{
	{"pod %s (%s)", []string{"pod", "container"}, "restarts"},
	{"pod %s", []string{"pod"}, "restarts"},
	{"%s", []string{"workload"}, "desired"},
	{"node %s", []string{"node"}, "ready"},
	{"autoscaler %s", []string{"autoscaler"}, "max"},
	{"consumer %s/%s", []string{"stream", "consumer"}, "lag"},
	{"stream %s", []string{"stream"}, "messages"},
	{"client %s (cid %s)", []string{"name", "cid"}, "pending_mb"},
	{"client cid %s", []string{"cid"}, "pending_mb"},
	{"account %s", []string{"account"}, "api_requests"},
	{"target %s %s", []string{"job", "instance"}, "health"},
	{"alert %s", []string{"alert"}, "state"},
	{"series %s", []string{"series"}, "value"},
}

// partOf names what of a server a row is about; "" when it is none of those.
func partOf(row object) string {
	for _, p := range parts {
		if _, ok := row[p.has]; !ok {
			continue
		}
		var told []any
		for _, key := range p.told {
			switch v := row[key].(type) {
			case string:
				if v != "" {
					told = append(told, v)
				}
			case float64:
				told = append(told, strconv.FormatFloat(v, 'f', -1, 64))
			}
		}
		if len(told) == len(p.told) {
			return fmt.Sprintf(p.says, told...)
		}
	}
	return ""
}

// reason is what a row says of why it is as it is; "" when it does not.
func reason(row object) string {
	for _, key := range []string{"why", "stuck", "error"} {
		if s, ok := row[key].(string); ok && s != "" {
			return s
		}
	}
	return ""
}
