package kubernetes

import (
	"errors"
	"net"
	"os"
	"path/filepath"

	"github.com/fleetlens/fleetlens/internal/reach/httpapi"
)

// serviceAccount is where a pod finds who it is:
// https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/.
const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount"

// inCluster returns how a pod reaches the API of its own cluster. The token's file is
// read for each question: the kubelet replaces it every hour.
func inCluster(dir string) (way, error) {
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return way{}, errors.New("kubernetes: the probe does not run in a pod (KUBERNETES_SERVICE_HOST is not set): name a kubeconfig")
	}
	if _, err := os.Stat(filepath.Join(dir, "token")); err != nil {
		return way{}, errors.New("kubernetes: the pod has no token of a service account: set automountServiceAccountToken: true in it")
	}
	return way{Config: httpapi.Config{
		URL: "https://" + net.JoinHostPort(host, port), TokenFile: filepath.Join(dir, "token"),
		TLS: httpapi.TLS{CAFile: filepath.Join(dir, "ca.crt")},
	}}, nil
}
