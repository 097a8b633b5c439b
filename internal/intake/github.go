package intake

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// gitHubDeployment is the part of the event deployment_status that is read (docs.github.com,
// "Webhook events and payloads").
type gitHubDeployment struct {
	Status struct {
		ID          int64     `json:"id"`
		State       string    `json:"state"`
		Description string    `json:"description"`
		Environment string    `json:"environment"`
		CreatedAt   time.Time `json:"created_at"`
	} `json:"deployment_status"`
	Deployment struct {
		SHA         string `json:"sha"`
		Ref         string `json:"ref"`
		Environment string `json:"environment"`
	} `json:"deployment"`
	Repository struct {
		Name string `json:"full_name"`
	} `json:"repository"`
}

// readGitHub reads that a deployment ended, well or not: either may have changed nodes.
func readGitHub(r request) (Report, error) {
	switch event := r.header.Get("X-GitHub-Event"); event {
	case "deployment_status":
	case "ping", "deployment": // what comes first; the status follows
		return Report{}, nil
	default:
		return Report{}, fmt.Errorf("the event %q is not read: of the webhook's events choose Deployment statuses", cut(event))
	}
	var g gitHubDeployment
	if err := decode(r.body, &g, "a deployment_status of GitHub"); err != nil {
		return Report{}, err
	}
	if g.Status.ID == 0 || g.Repository.Name == "" {
		return Report{}, errors.New(`not a deployment_status of GitHub: "deployment_status" has no "id", or "repository" no "full_name"`)
	}
	verb, ok := map[string]string{"success": "deployed to", "failure": "failed to deploy to", "error": "failed to deploy to"}[g.Status.State]
	if !ok {
		return Report{}, nil
	}
	environment := cmp.Or(g.Status.Environment, g.Deployment.Environment)
	text := fmt.Sprintf("%s %s %s %s", g.Repository.Name, g.Deployment.Ref, verb, environment)
	if g.Status.Description != "" {
		text += ": " + g.Status.Description
	}
	return deployed(r, environment, protocol.Change{
		ID: strconv.FormatInt(g.Status.ID, 10), Source: gitHub, Target: g.Repository.Name, What: "deploy", Text: text, To: g.Deployment.SHA, At: g.Status.CreatedAt,
	})
}
