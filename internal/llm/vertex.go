package llm

import (
	"context"
	"fmt"
	"strings"

	"cloud.google.com/go/auth"
	"github.com/anthropics/anthropic-sdk-go/vertex"
	"github.com/cloudwego/eino/components/model"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	"google.golang.org/genai"
)

// openVertex makes a client of Claude or Gemini at Google Cloud, whichever the
// model's name says, with the credentials that Google's own tools would find:
// https://cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude and
// https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference.
func openVertex(ctx context.Context, m Model) (model.ToolCallingChatModel, error) {
	creds, err := google.FindDefaultCredentials(ctx, "https://www.googleapis.com/auth/cloud-platform")
	if err != nil {
		return nil, fmt.Errorf("credentials of Google Cloud: %w", err)
	}
	if strings.HasPrefix(m.Model, "claude") {
		return newClaude(m, vertex.WithCredentials(ctx, m.Location, m.Project, creds)), nil
	}
	c := client(m.Timeout, m.StallTimeout)
	c.Transport = &oauth2.Transport{Source: creds.TokenSource, Base: c.Transport}
	return newGemini(ctx, m, &genai.ClientConfig{
		Backend: genai.BackendVertexAI, Project: m.Project, Location: m.Location, HTTPClient: c,
		Credentials: &auth.Credentials{}, // none of its own: the transport has them
	})
}
