package mcp

import (
	"context"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// rulesOfFacts are before every prompt that is about an insight.
const rulesOfFacts = `
Call a fact only what is in the summary with found figures, or in facts with verified true; cite its evidence address.
Call the root_cause_hypothesis a hypothesis, and say whether it is grounded and why (grounding).
Say what was ruled out, and what was not looked at (not_checked). Add nothing that is not in the data, unless you looked it up and say where.
`

// prompts are the questions that people ask again and again, by name.
var prompts = []struct{ name, title, doc, text string }{
	{
		"postmortem", "Write a postmortem", "A postmortem of an incident from one insight, with facts apart from guesses.",
		"Write a postmortem of the incident below: what happened, its impact, the timeline (times in UTC), the cause, how it was found, what went well, and what to do about it.\n" + rulesOfFacts,
	},
	{
		"explain", "Explain an insight", "What an insight means, for somebody on call, in a few sentences.",
		"Explain the conclusion below to somebody on call who has one minute: what is wrong, where, how sure that is, and what to look at first.\n" + rulesOfFacts,
	},
}

// addPrompts adds them.
func (s *Server) addPrompts(server *sdk.Server) {
	for _, p := range prompts {
		prompt := &sdk.Prompt{Name: p.name, Title: p.title, Description: p.doc, Arguments: []*sdk.PromptArgument{
			{Name: "insight", Description: "Id of the insight, or a beginning that no other has", Required: true},
		}}
		server.AddPrompt(prompt, func(ctx context.Context, r *sdk.GetPromptRequest) (*sdk.GetPromptResult, error) {
			ctx, cancel := context.WithTimeout(ctx, answerWithin)
			defer cancel()
			v, err := s.answered(ctx, func() (any, error) { return s.insight(ctx, InsightQuery{r.Params.Arguments["insight"]}) })
			if err != nil {
				return nil, err
			}
			var text []byte
			if _, err := fit(v, func(_ any, json []byte) (int, error) { text = json; return len(json)*5/4 + 4096, nil }); err != nil {
				return nil, err
			}
			return &sdk.GetPromptResult{Description: p.doc, Messages: []*sdk.PromptMessage{
				{Role: "user", Content: &sdk.TextContent{Text: p.text + "\n" + fence(text)}},
			}}, nil
		})
	}
}
