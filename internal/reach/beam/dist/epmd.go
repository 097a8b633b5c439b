package dist

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// EPMDPort is where the port mapper daemon listens unless it is told otherwise.
const EPMDPort = "4369"

// Requests of EPMD.
const (
	epmdNames = 'n'
	epmdPort  = 'z'
	epmdFound = 'w'
)

// mostNames bounds what EPMD may answer.
const mostNames = 1 << 20

// ErrNotRegistered is of a node that its host's EPMD does not know.
var ErrNotRegistered = errors.New("the node is not registered")

// Lookup asks the EPMD at address for the port where a node, by its name before the @,
// listens.
func Lookup(ctx context.Context, address, name string) (port int, err error) {
	answer, err := askEPMD(ctx, address, append([]byte{epmdPort}, name...))
	switch {
	case err != nil:
		return 0, err
	case len(answer) < 2 || answer[0] != epmdFound:
		return 0, fmt.Errorf("%s answers as no EPMD does", address)
	case answer[1] != 0:
		return 0, fmt.Errorf("EPMD at %s does not know %q: %w", address, name, ErrNotRegistered)
	case len(answer) < 4:
		return 0, fmt.Errorf("%s answers as no EPMD does", address)
	}
	return int(binary.BigEndian.Uint16(answer[2:])), nil
}

// A Registration is a node that EPMD knows.
type Registration struct {
	Name string // before the @
	Port int
}

// Names asks the EPMD at address for all nodes of its host.
func Names(ctx context.Context, address string) ([]Registration, error) {
	answer, err := askEPMD(ctx, address, []byte{epmdNames})
	if err != nil {
		return nil, err
	}
	if len(answer) < 4 {
		return nil, fmt.Errorf("%s answers as no EPMD does", address)
	}
	var out []Registration
	for line := range strings.Lines(string(answer[4:])) {
		words := strings.Fields(line) // name shop at port 41875
		if len(words) != 5 || words[0] != "name" || words[3] != "port" {
			continue
		}
		if port, err := strconv.ParseUint(words[4], 10, 16); err == nil {
			out = append(out, Registration{words[1], int(port)})
		}
	}
	return out, nil
}

func askEPMD(ctx context.Context, address string, question []byte) ([]byte, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("EPMD: %w", err)
	}
	defer c.Close() //nolint:errcheck // it was read to its end
	if at, ok := ctx.Deadline(); ok {
		_ = c.SetDeadline(at)
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(question))), question...)); err != nil {
		return nil, fmt.Errorf("EPMD at %s: %w", address, err)
	}
	answer, err := io.ReadAll(io.LimitReader(c, mostNames))
	if err != nil {
		return nil, fmt.Errorf("EPMD at %s: %w", address, err)
	}
	return answer, nil
}
