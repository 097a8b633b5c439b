package main

import (
	"crypto/sha256"
	"strings"
)

// A cachePlan is how a provider caches prompts: what begins with the same bytes as
// a prompt of the last minutes is read from the cache as far as it is the same, if
// that is long enough. The marks that fillClaude of internal/llm sets (after tools
// and system, and after the last message) are where entries end; a later call finds
// an entry at the end of any earlier message.
// https://platform.claude.com/docs/en/build-with-claude/prompt-caching
type cachePlan struct {
	name string
	min  int  // tokens from which a prompt is cached; 0: never
	warm bool // tools and system of every agent were sent minutes before
}

// The minimum is the model's: 4,096 tokens for Claude Haiku 4.5, the default of
// Fleetlens; 1,024 for Claude Sonnet 4.5 and for OpenAI's models. A shorter prompt
// is not cached, and nothing says so.
var cachePlans = []cachePlan{
	{"no cache", 0, false},
	{"haiku", 4096, false}, {"haiku, warm", 4096, true},
	{"1,024", 1024, false}, {"1,024, warm", 1024, true},
}

// A promptCache is what a provider remembers of the prompts of an investigation.
type promptCache struct {
	plan    cachePlan
	entries map[[32]byte]bool
}

func newPromptCache(p cachePlan) *promptCache { return &promptCache{p, map[[32]byte]bool{}} }

// read returns how many tokens of a prompt come from the cache, and remembers it.
// blocks are its parts: tools with system first, then each message.
func (c *promptCache) read(blocks []string) int {
	if c.plan.min == 0 {
		return 0
	}
	var hit, sofar int
	var prefix strings.Builder
	for i, b := range blocks {
		prefix.WriteString(b + "\x00")
		sofar += blockTokens(i, b)
		key := sha256.Sum256([]byte(prefix.String()))
		known := c.entries[key] || c.plan.warm && i == 0
		if known && sofar >= c.plan.min {
			hit = sofar
		}
		if (i == 0 || i == len(blocks)-1) && sofar >= c.plan.min {
			c.entries[key] = true
		}
	}
	return hit
}

// Tokens that stand in no text. Anthropic adds a prompt of its own for tools that
// must be called (tool_choice any): 313 tokens for the models of the fourth
// generation. Four frame a message.
const (
	toolUsePrompt = 313
	frame         = 4
)

func blockTokens(i int, block string) int {
	if i == 0 {
		return toolUsePrompt + estimate(block)
	}
	return frame + estimate(block)
}
