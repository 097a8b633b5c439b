package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"strconv"

	"github.com/fleetlens/fleetlens/internal/reach/httpapi"
)

// A Resource is a kind of thing that the API lists.
type Resource struct {
	Group, Version, Name string
	cluster              bool // it is in no namespace
}

// Resources that are read, and no others.
var (
	PodResource         = Resource{Version: "v1", Name: "pods"}
	EventResource       = Resource{Version: "v1", Name: "events"}
	NodeResource        = Resource{Version: "v1", Name: "nodes", cluster: true}
	DeploymentResource  = Resource{Group: "apps", Version: "v1", Name: "deployments"}
	StatefulSetResource = Resource{Group: "apps", Version: "v1", Name: "statefulsets"}
	DaemonSetResource   = Resource{Group: "apps", Version: "v1", Name: "daemonsets"}
	ReplicaSetResource  = Resource{Group: "apps", Version: "v1", Name: "replicasets"}
	AutoscalerResource  = Resource{Group: "autoscaling", Version: "v2", Name: "horizontalpodautoscalers"}
)

// Resources returns those above.
func Resources() []Resource {
	return []Resource{PodResource, EventResource, NodeResource, DeploymentResource, StatefulSetResource, DaemonSetResource, ReplicaSetResource, AutoscalerResource}
}

func (r Resource) path(namespace string) string {
	path := "/apis/" + r.Group + "/" + r.Version
	if r.Group == "" {
		path = "/api/" + r.Version
	}
	if namespace != "" && !r.cluster {
		path += "/namespaces/" + namespace
	}
	return path + "/" + r.Name
}

// Bounds of one list, over all its pages.
const (
	pageOf   = 250
	mostRows = 10_000
	mostPage = 32 << 20 // bytes of each
)

// A List is what was read of a list.
type List[T any] struct {
	Items   []T
	Partial bool // there are more than are taken, or namespaces that were not come to
}

// list reads a resource in the namespaces that are looked into, or in one.
func list[T any](ctx context.Context, c *Cluster, r Resource, namespace string, query url.Values) (List[T], error) {
	in := c.cfg.Namespaces
	switch {
	case namespace != "":
		in = []string{namespace}
	case len(in) == 0 || r.cluster:
		in = []string{""}
	}
	var all List[T]
	for _, n := range in {
		if len(all.Items) >= c.most {
			all.Partial = true
			break
		}
		part, err := listIn[T](ctx, c, r, n, query, c.most-len(all.Items))
		if errors.Is(err, errExpired) { // from the beginning, once
			part, err = listIn[T](ctx, c, r, n, query, c.most-len(all.Items))
		}
		if errors.Is(err, errExpired) {
			err = fmt.Errorf("kubernetes: %s: %w twice: the cluster changes faster than it can be read; look into fewer namespaces", r.Name, err)
		}
		if err != nil {
			return List[T]{}, err
		}
		all.Items = append(all.Items, part.Items...)
		all.Partial = all.Partial || part.Partial
	}
	return all, nil
}

// listIn reads the pages of one namespace, "" for all, as far as most things.
func listIn[T any](ctx context.Context, c *Cluster, r Resource, namespace string, query url.Values, most int) (List[T], error) {
	var out List[T]
	api, err := c.client()
	if err != nil {
		return out, err
	}
	next := ""
	for {
		q := url.Values{"limit": {strconv.Itoa(min(pageOf, most-len(out.Items)))}}
		maps.Copy(q, query)
		if next != "" {
			q.Set("continue", next)
		}
		next = ""
		err := api.Get(ctx, r.path(namespace), q, mostPage, func(from io.Reader) error {
			var err error
			next, err = page(from, func(item json.RawMessage) error {
				var v T
				if err := json.Unmarshal(item, &v); err != nil {
					return err
				}
				out.Items = append(out.Items, v)
				return nil
			})
			return err
		})
		if errors.Is(err, httpapi.ErrTooLong) {
			return List[T]{}, fmt.Errorf("kubernetes: a page of %d %s has more than %d MiB", pageOf, r.Name, mostPage>>20)
		}
		if err != nil {
			return List[T]{}, refused(err, r)
		}
		if next == "" {
			return out, nil
		}
		if len(out.Items) >= most {
			out.Partial = true
			return out, nil
		}
	}
}

// page reads one page of a list item by item, so that no more than one is held as text,
// and returns where the next begins; "" when it is the last.
func page(from io.Reader, each func(json.RawMessage) error) (next string, err error) {
	d := json.NewDecoder(from)
	if err := expect(d, '{'); err != nil {
		return "", err
	}
	listed := false
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return "", malformed(err)
		}
		switch key {
		case "metadata":
			var m struct {
				Continue string `json:"continue"`
			}
			if err := d.Decode(&m); err != nil {
				return "", malformed(err)
			}
			next = m.Continue
		case "items":
			listed = true
			if err := items(d, each); err != nil {
				return "", err
			}
		default:
			var skipped json.RawMessage
			if err := d.Decode(&skipped); err != nil {
				return "", malformed(err)
			}
		}
	}
	if err := expect(d, '}'); err != nil {
		return "", err
	}
	if !listed {
		return "", malformed(errors.New("it has no items"))
	}
	return next, nil
}

// items reads the list of a page; an empty one may be null.
func items(d *json.Decoder, each func(json.RawMessage) error) error {
	t, err := d.Token()
	if err != nil {
		return malformed(err)
	}
	if t == nil {
		return nil
	}
	if t != json.Delim('[') {
		return malformed(errors.New("items is no list"))
	}
	for d.More() {
		var item json.RawMessage
		if err := d.Decode(&item); err != nil {
			return malformed(err)
		}
		if err := each(item); err != nil {
			return malformed(err)
		}
	}
	return expect(d, ']')
}

func expect(d *json.Decoder, want json.Delim) error {
	t, err := d.Token()
	if err != nil {
		return malformed(err)
	}
	if t != want {
		return malformed(fmt.Errorf("%v stands where %v should", t, want))
	}
	return nil
}

func malformed(err error) error {
	if errors.Is(err, httpapi.ErrTooLong) {
		return err
	}
	return fmt.Errorf("it does not answer with a list of the API: %w", err)
}
