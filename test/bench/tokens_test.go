package main

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/internal/operator"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func TestEveryScriptPlaysAsWritten(t *testing.T) {
	scripts := operator.NewSandbox(slog.New(slog.DiscardHandler))
	for _, name := range scriptNames {
		for _, st := range styles {
			t.Run(name+", "+st.name, func(t *testing.T) {
				g, err := playScript(t.Context(), name, st, scripts)
				if err != nil {
					t.Fatal(err)
				}
				for _, n := range g.ns {
					if !n.Verified {
						t.Errorf("not verified: %s", n.Observation)
					}
				}
				if fine := g.insight.CorrelationType == protocol.None; fine != (name == "fine") || !fine && !g.insight.HypothesisGrounded {
					t.Errorf("the insight is %+v", g.insight)
				}
			})
		}
	}
}

func TestTheSameScriptCostsTheSame(t *testing.T) {
	var last investigationTokens
	for range 2 {
		g, err := playScript(t.Context(), "memory", styles[0], nil)
		if err != nil {
			t.Fatal(err)
		}
		inv, _ := g.count()
		if last.Calls != 0 && (inv.Input != last.Input || inv.Output != last.Output) {
			t.Errorf("it cost %+v, then %+v", last, inv)
		}
		last = inv
	}
}

func TestThePromptCache(t *testing.T) {
	long, short := strings.Repeat("word ", 2000), strings.Repeat("word ", 100)
	first := blockTokens(0, long)
	for _, tt := range []struct {
		name  string
		plan  cachePlan
		calls [][]string
		want  []int // read from the cache at each call
	}{
		{"none", cachePlan{}, [][]string{{long, "a"}, {long, "a", "b"}}, []int{0, 0}},
		{"a prompt that is long enough is read the second time", cachePlan{min: 1024}, [][]string{{long, "a"}, {long, "a", "b"}}, []int{0, first + blockTokens(1, "a")}},
		{"one that is too short is not", cachePlan{min: 1024}, [][]string{{short, "a"}, {short, "a", "b"}}, []int{0, 0}},
		{"it becomes long enough with the conversation", cachePlan{min: 1024}, [][]string{{short, long}, {short, long, "b"}}, []int{0, blockTokens(0, short) + blockTokens(1, long)}},
		{"another question shares tools and system", cachePlan{min: 1024}, [][]string{{long, "a"}, {long, "x"}}, []int{0, first}},
		{"other tools or system share nothing", cachePlan{min: 1024}, [][]string{{long, "a"}, {"x" + long, "a"}}, []int{0, 0}},
		{"warm: tools and system are there", cachePlan{min: 1024, warm: true}, [][]string{{long, "a"}}, []int{first}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newPromptCache(tt.plan)
			for i, blocks := range tt.calls {
				if got := c.read(blocks); got != tt.want[i] {
					t.Errorf("call %d reads %d, want %d", i+1, got, tt.want[i])
				}
			}
		})
	}
}

func TestEstimates(t *testing.T) {
	// The counts of @anthropic-ai/tokenizer 0.0.4, to be met within a quarter with
	// the margin left out.
	for _, tt := range []struct {
		text string
		want float64
	}{
		{"You are an operator of Fleetlens. You find out what is wrong with the targets of one task, within one domain.", 25},
		{`{"memory_used_pct":97.1,"memory_available_mb":463.7,"top_memory_process":"java (4711)"}`, 31},
	} {
		if got := float64(estimate(tt.text)) / margin; got < tt.want*0.75 || got > tt.want*1.25 {
			t.Errorf("%.0f tokens for %q, the tokenizer has %.0f", got, tt.text, tt.want)
		}
	}
}
