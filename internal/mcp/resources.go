package mcp

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/reading"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// scheme is before every resource: fleetlens://insight/ID.
const scheme = "fleetlens://"

// SnapshotView is a snapshot.
type SnapshotView struct {
	Snapshot protocol.Snapshot `json:"snapshot"`
	Bounded
}

// addResources adds what can be read by its address.
func (s *Server) addResources(server *sdk.Server) {
	for _, kind := range []struct {
		name, doc string
		read      func(ctx context.Context, id string) (any, error)
	}{
		{"insight", "A conclusion with what stands behind it", func(ctx context.Context, id string) (any, error) { return s.insight(ctx, InsightQuery{id}) }},
		{"run", "The journal of an agent's run; get_run has the later parts of a long one", func(ctx context.Context, id string) (any, error) { return s.run(ctx, RunQuery{Run: id}) }},
		{"snapshot", "The metrics of a skill on a target at a moment", func(ctx context.Context, id string) (any, error) {
			snap, err := reading.SnapshotOf(ctx, s.bus, id)
			return SnapshotView{Snapshot: snap}, err
		}},
	} {
		template := &sdk.ResourceTemplate{Name: kind.name, Description: kind.doc, MIMEType: "application/json", URITemplate: scheme + kind.name + "/{id}"}
		server.AddResourceTemplate(template, func(ctx context.Context, r *sdk.ReadResourceRequest) (*sdk.ReadResourceResult, error) {
			ctx, cancel := context.WithTimeout(ctx, answerWithin)
			defer cancel()
			id, err := url.PathUnescape(strings.TrimPrefix(r.Params.URI, scheme+kind.name+"/"))
			if err != nil {
				return nil, fmt.Errorf("%.80q: %w", r.Params.URI, err)
			}
			if err := checkID("id", id); err != nil {
				return nil, err
			}
			var missing bool
			v, err := s.answered(ctx, func() (any, error) {
				v, err := kind.read(ctx, id)
				missing = errors.Is(err, bus.ErrNotFound)
				return v, err
			})
			if missing {
				return nil, sdk.ResourceNotFoundError(r.Params.URI)
			}
			if err != nil {
				return nil, err
			}
			var text []byte
			_, err = fit(v, func(_ any, json []byte) (int, error) { text = json; return len(json) + 1024, nil })
			return &sdk.ReadResourceResult{Contents: []*sdk.ResourceContents{{URI: r.Params.URI, MIMEType: "application/json", Text: string(text)}}}, err
		})
	}
}
