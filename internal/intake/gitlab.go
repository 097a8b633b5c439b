package intake

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// gitLabDeployment is the part of a deployment event that is read (docs.gitlab.com,
// "Webhook events").
type gitLabDeployment struct {
	Kind        string `json:"object_kind"`
	Status      string `json:"status"`
	ChangedAt   string `json:"status_changed_at"`
	ID          int64  `json:"deployment_id"`
	Environment string `json:"environment"`
	SHA         string `json:"short_sha"`
	Ref         string `json:"ref"`
	Title       string `json:"commit_title"`
	Project     struct {
		Path string `json:"path_with_namespace"`
	} `json:"project"`
}

// readGitLab reads that a deployment ended, well or not: either may have changed nodes.
func readGitLab(r request) (Report, error) {
	var g gitLabDeployment
	if err := decode(r.body, &g, "a deployment event of GitLab"); err != nil {
		return Report{}, err
	}
	switch {
	case g.Kind != "deployment":
		return Report{}, fmt.Errorf("object_kind %q is not read: of the webhook's triggers choose Deployment events", cut(g.Kind))
	case g.ID == 0 || g.Project.Path == "":
		return Report{}, errors.New(`not a deployment event of GitLab: it has no "deployment_id", or "project" no "path_with_namespace"`)
	}
	verb, ok := map[string]string{"success": "deployed to", "failed": "failed to deploy to"}[g.Status]
	if !ok {
		return Report{}, nil
	}
	at, err := time.Parse("2006-01-02 15:04:05 -0700", g.ChangedAt)
	if err != nil {
		at, _ = time.Parse(time.RFC3339, g.ChangedAt) // else it was now
	}
	text := strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s", g.Project.Path, g.Ref, verb, g.Environment)), " ") // not all versions say ref
	if g.Title != "" {
		text += ": " + g.Title
	}
	return deployed(r, g.Environment, protocol.Change{
		ID: strconv.FormatInt(g.ID, 10) + " " + g.Status, Source: gitLab, Target: g.Project.Path, What: "deploy", Text: text, To: g.SHA, At: at,
	})
}
