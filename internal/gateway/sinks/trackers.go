package sinks

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/fleetlens/fleetlens/internal/gateway/message"
)

// grafana makes an annotation (grafana.com/docs, "Annotations API"): dashboards show it
// beside their graphs.
type grafana struct{ settings }

func openGrafana(s settings) (Sink, error) { return grafana{s}, nil }

var grafanaLimits = message.Limits{Title: 300, More: 1000, Hypothesis: 1000, Facts: 1500, Lines: 5, Context: 500}

// Send implements Sink.
func (g grafana) Send(ctx context.Context, n Note) (Ref, error) {
	m, i := n.said().Cut(grafanaLimits), n.Insight
	from, to := i.CreatedAt, i.CreatedAt
	for _, link := range i.Chain {
		if !link.At.IsZero() && link.At.Before(from) {
			from = link.At
		}
	}
	if n.Turn != nil {
		from, to = n.Turn.Since, n.Turn.At
	}
	text := html.EscapeString(m.Title() + "\n\n" + paragraphs(m)) // it is shown as HTML
	_, err := g.client.postJSON(ctx, g.url+"/api/annotations", bearer(g.token), map[string]any{
		"time": from.UnixMilli(), "timeEnd": to.UnixMilli(), "text": text,
		"tags": []string{"fleetlens", string(i.Severity), "insight:" + i.ID},
	})
	return nil, err
}

// github opens an issue for what belongs together (docs.github.com/rest/issues); further
// insights, and what becomes of them, are comments.
type github struct{ settings }

var repository = regexp.MustCompile(`^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$`)

func openGitHub(s settings) (Sink, error) {
	if !repository.MatchString(s.channel) {
		return nil, fmt.Errorf("channel %q: it is owner/repository", s.channel)
	}
	if s.url == "" {
		s.url = "https://api.github.com"
	}
	return github{s}, nil
}

// A title has 256 characters, a body 65,536.
var githubLimits = message.Limits{Title: 256, More: 8000, Hypothesis: 8000, Facts: 16000, Lines: 100, Context: 2000, Rest: 4000, Width: markdownWidth}

// Send implements Sink.
func (g github) Send(ctx context.Context, n Note) (Ref, error) {
	m := n.said().Cut(githubLimits)
	header := bearer(g.token)
	header.Set("Accept", "application/vnd.github+json")
	header.Set("X-GitHub-Api-Version", "2022-11-28")
	issues := g.url + "/repos/" + g.channel + "/issues"
	if n.Thread != nil {
		return g.comment(ctx, n, m, issues+"/"+url.PathEscape(n.Thread["number"]), header)
	}
	if n.Turn != nil {
		return nil, nil // what it could follow is gone
	}
	raw, err := g.client.postJSON(ctx, issues, header, map[string]any{"title": m.Title(), "body": markdown(m)})
	if err != nil {
		return nil, err
	}
	var answer struct {
		Number int `json:"number"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil || answer.Number == 0 {
		return nil, fmt.Errorf("POST issues: the answer has no number")
	}
	return Ref{"number": strconv.Itoa(answer.Number)}, nil
}

// githubComment is the key of a github's Ref that says that the comment is there.
const githubComment = "comment"

// comment comments on an issue, and closes it or opens it again where that is wanted.
func (g github) comment(ctx context.Context, n Note, m message.Message, issue string, header http.Header) (Ref, error) {
	ref := Ref{}
	maps.Copy(ref, n.Ref)
	if ref[githubComment] == "" {
		if _, err := g.client.postJSON(ctx, issue+"/comments", header, map[string]any{"body": "**" + markdownEscape(m.Title()) + "**\n\n" + markdown(m)}); err != nil {
			return nil, err
		}
		ref[githubComment] = "made"
	}
	if n.Turn == nil || !g.close {
		return ref, nil
	}
	state := map[string]string{"state": "open", "state_reason": "reopened"}
	if n.over() {
		state = map[string]string{"state": "closed", "state_reason": "completed"}
	}
	body, err := encode(state)
	if err != nil {
		return ref, err
	}
	_, err = g.client.send(ctx, http.MethodPatch, issue, header, body)
	return ref, err
}

// jira opens an issue for what belongs together by the REST API, version 2
// (developer.atlassian.com, "Create issue"); further insights, and what
// becomes of them, are comments.
type jira struct {
	settings
	header http.Header
}

func openJira(s settings) (Sink, error) {
	if !strings.Contains(s.token, ":") {
		return nil, fmt.Errorf("token_env: of jira it is `user:token`, such as an e-mail address and an API token")
	}
	return jira{s, http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(s.token))}}}, nil
}

// A summary has 255 characters, a description 32,767.
var jiraLimits = message.Limits{Title: 255, More: 4000, Hypothesis: 4000, Facts: 8000, Lines: 100, Context: 2000, Rest: 2500, Width: wikiWidth}

func wikiWidth(r rune) int {
	if r == ':' {
		return 2
	}
	return len([]rune(wikiEscape(string(r))))
}

// wikiEscapes keeps Jira from reading text as its wiki markup.
var wikiEscapes = func() *strings.Replacer {
	pairs := []string{"://", ":\u200b//"} // of an address it would make a link
	for _, c := range `\*_-+^~{}[]|!?@#` {
		pairs = append(pairs, string(c), `\`+string(c))
	}
	return strings.NewReplacer(pairs...)
}()

func wikiEscape(s string) string { return wikiEscapes.Replace(s) }

// Send implements Sink.
func (j jira) Send(ctx context.Context, n Note) (Ref, error) {
	m := n.said().Cut(jiraLimits)
	var links strings.Builder
	for _, l := range m.Links {
		links.WriteString("\n[" + l.Text + "|" + l.URL + "]")
	}
	m.Links = nil
	text := wikiEscape(paragraphs(m)) + links.String()
	issues := j.url + "/rest/api/2/issue"
	if n.Thread != nil {
		_, err := j.client.postJSON(ctx, issues+"/"+url.PathEscape(n.Thread["key"])+"/comment", j.header,
			map[string]any{"body": "*" + wikiEscape(m.Title()) + "*\n\n" + text})
		return nil, err
	}
	if n.Turn != nil {
		return nil, nil // what it could follow is gone
	}
	raw, err := j.client.postJSON(ctx, issues, j.header, map[string]any{"fields": map[string]any{
		"project": map[string]string{"key": j.channel}, "issuetype": map[string]string{"name": "Task"},
		"summary": m.Title(), "description": text, "labels": []string{"fleetlens", string(n.Insight.Severity)},
	}})
	if err != nil {
		return nil, err
	}
	var answer struct {
		Key string `json:"key"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil || answer.Key == "" {
		return nil, fmt.Errorf("POST issue: the answer has no key")
	}
	return Ref{"key": answer.Key}, nil
}
