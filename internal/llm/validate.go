package llm

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// faults names every wrong setting of a model.
func (m Model) faults(name string) error {
	var errs []error
	fault := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("models.%s: "+format, append([]any{name}, args...)...))
	}
	p, ok := providers[m.Provider]
	if !ok {
		have := slices.Sorted(maps.Keys(providers))
		fault("unknown provider %q; the nearest is %q (have %s)", m.Provider, nearest(m.Provider, have), strings.Join(have, ", "))
	}
	if m.Model == "" {
		fault("it needs a model: the name that the provider gives it")
	}
	if ok {
		m = m.settled()
		noURL := m.BaseURL == "" && p.ownURL
		if !noURL && !strings.HasPrefix(m.BaseURL, "http://") && !strings.HasPrefix(m.BaseURL, "https://") {
			fault("base_url %q is no address; write one such as %s", m.BaseURL, first(p.like, p.baseURL))
		}
		for setting, value := range m.own() {
			switch {
			case value == "" && slices.Contains(p.needs, setting):
				fault("the provider %s needs %s", m.Provider, setting)
			case value != "" && !slices.Contains(p.needs, setting):
				fault("the provider %s has no %s; remove it", m.Provider, setting)
			}
		}
	}
	if m.APIKeyEnv != "" && os.Getenv(m.APIKeyEnv) == "" {
		fault("the environment variable %s, which should hold its key, is empty", m.APIKeyEnv)
	}
	if m.Tools != "" && m.Tools != inText {
		fault("tools is %q; it may be %q, for a model that cannot call tools, or left out", m.Tools, inText)
	}
	if err := m.Retry.faults(); err != nil {
		fault("%w", err)
	}
	if m.Price != nil {
		if err := m.Price.faults(); err != nil {
			fault("%w", err)
		}
	}
	for setting, negative := range map[string]bool{"timeout": m.Timeout < 0, "stall_timeout": m.StallTimeout < 0, "max_tokens": m.MaxTokens < 0} {
		if negative {
			fault("%s is below 0", setting)
		}
	}
	return errors.Join(errs...)
}

// own returns the settings that only some providers have.
func (m Model) own() map[string]string {
	return map[string]string{"api_version": m.APIVersion, "region": m.Region, "project": m.Project, "location": m.Location}
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// nearest returns the candidate with the fewest edits to s.
func nearest(s string, candidates []string) string {
	return slices.MinFunc(candidates, func(a, b string) int { return edits(s, a) - edits(s, b) })
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
