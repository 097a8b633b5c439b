package bus

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A SinkState is how gateways keep up with one sink.
type SinkState struct {
	Name string // of the sink
	ConsumerState
	// Settled is the sequence up to which everything is done with.
	Settled uint64
}

// Sinks returns the sinks that have a durable, by name.
func (c *Conn) Sinks(ctx context.Context) ([]SinkState, error) {
	var out []SinkState
	seen := 0
	for {
		var reply struct {
			Error     *jetstream.APIError `json:"error"`
			Total     int                 `json:"total"`
			Consumers []struct {
				Name     string `json:"name"`
				AckFloor struct {
					Stream uint64 `json:"stream_seq"`
				} `json:"ack_floor"`
				ConsumerState
			} `json:"consumers"`
		}
		if err := c.apiRequest(ctx, "CONSUMER.LIST."+Insights, map[string]any{"offset": seen}, &reply); err != nil {
			return nil, fmt.Errorf("consumers of %s: %w", Insights, err)
		}
		if reply.Error != nil {
			return nil, fmt.Errorf("consumers of %s: %w", Insights, reply.Error)
		}
		for _, con := range reply.Consumers {
			if name, ok := strings.CutPrefix(con.Name, sinkPrefix); ok {
				out = append(out, SinkState{protocol.Name(name), con.ConsumerState, con.AckFloor.Stream})
			}
		}
		if seen += len(reply.Consumers); len(reply.Consumers) == 0 || seen >= reply.Total {
			break
		}
	}
	slices.SortFunc(out, func(a, b SinkState) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}
