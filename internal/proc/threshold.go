package proc

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/fleetlens/fleetlens/pkg/skills"
)

// ThresholdFlag declares --threshold, which changes the levels of checks.
func ThresholdFlag(fs *pflag.FlagSet, into *map[string]skills.Threshold) {
	fs.Var(thresholdFlag{into}, "threshold", "levels of a check, as often as needed: os.memory_used_pct=85:95 (warning:critical)")
}

// thresholdFlag reads os.memory_used_pct=85:95, several separated by commas.
type thresholdFlag struct{ into *map[string]skills.Threshold }

// String implements pflag.Value.
func (f thresholdFlag) String() string {
	if f.into == nil {
		return ""
	}
	var out []string
	for name, t := range *f.into {
		if t.Off {
			out = append(out, name+"=off")
			continue
		}
		out = append(out, name+"="+level(t.Warn)+":"+level(t.Critical))
	}
	sort.Strings(out)
	return strings.Join(out, ",")
}

// Set implements pflag.Value.
func (f thresholdFlag) Set(s string) error {
	for one := range strings.SplitSeq(s, ",") {
		name, levels, ok := strings.Cut(strings.TrimSpace(one), "=")
		if *f.into == nil {
			*f.into = map[string]skills.Threshold{}
		}
		if levels == "off" {
			(*f.into)[name] = skills.Threshold{Off: true}
			continue
		}
		warn, critical, both := strings.Cut(levels, ":")
		if !ok || !both {
			return fmt.Errorf("%q: write skill.metric=warning:critical, e.g. os.memory_used_pct=85:95; leave one out to keep it, or write skill.metric=off", one)
		}
		w, err := parseLevel(warn)
		if err != nil {
			return fmt.Errorf("%q: %w", one, err)
		}
		c, err := parseLevel(critical)
		if err != nil {
			return fmt.Errorf("%q: %w", one, err)
		}
		(*f.into)[name] = skills.Threshold{Warn: w, Critical: c}
	}
	return nil
}

// Type implements pflag.Value.
func (thresholdFlag) Type() string { return "skill.metric=warning:critical" }

func parseLevel(s string) (*float64, error) {
	if s == "" {
		return nil, nil
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return nil, fmt.Errorf("%q is not a number", s)
	}
	return &v, nil
}

func level(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'g', -1, 64)
}
