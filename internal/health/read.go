package health

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/budget"
	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A State is what there is to judge.
type State struct {
	Streams []Stream
	Queues  []Queue // those that hold work
	Sinks   []Sink
	Dead    int // letters there are
	Letters []protocol.DeadLetter
	Nodes   int
	Silent  []string // nodes that missed their beats, by name
	Budget  []budget.Line
	Unread  []Unread
}

// A Stream is a row of the table with what it holds.
type Stream struct {
	Row   bus.Stream
	Holds bus.StreamState
	Err   error // why it cannot be read
}

// A Queue is work for one kind of worker.
type Queue struct {
	Name  string // of the check
	Start string // the command that starts a worker
	Held  int    // messages: those that wait and those that are worked on
	bus.ConsumerState
	Err error // why only Held is known
}

// A Sink is how gateways keep up with one sink.
type Sink struct {
	bus.SinkState
	Oldest time.Time // when the oldest of what is still to be sent was stored; zero: nothing is
}

// An Unread is what could not be read.
type Unread struct {
	Name string // of the check
	Err  error
}

// MostLetters is how many dead letters a State has at most.
const MostLetters = 20

// Read reads the state. What cannot be read it says, and goes on.
func Read(ctx context.Context, conn *bus.Conn) State {
	var s State
	for _, row := range bus.Streams() {
		state, err := conn.StreamState(ctx, row.Name)
		s.Streams = append(s.Streams, Stream{row, state, err})
	}
	s.note(work, s.readQueues(ctx, conn))
	s.note(sinks, s.readSinks(ctx, conn))
	s.note(letters, s.readLetters(ctx, conn))
	s.note(nodes, s.readNodes(ctx, conn))
	var err error
	s.Budget, err = budget.Read(ctx, conn)
	s.note("budget", err)
	return s
}

func (s *State) note(name string, err error) {
	if err != nil {
		s.Unread = append(s.Unread, Unread{name, err})
	}
}

func (s *State) readQueues(ctx context.Context, conn *bus.Conn) error {
	for _, q := range []struct{ stream, filter string }{{bus.Intake, protocol.RequestSubject}, {bus.Work, protocol.TaskSubject(protocol.Any)}} {
		held, err := conn.CountBySubject(ctx, q.stream, q.filter)
		if err != nil {
			return err
		}
		for _, subject := range slices.Sorted(maps.Keys(held)) {
			queue, durable := Queue{Name: "requests", Start: "coordinator", Held: held[subject]}, bus.Requests
			if q.stream == bus.Work {
				skill := subject[strings.LastIndex(subject, ".")+1:]
				queue.Name, queue.Start, durable = "skill "+skill, "operator --skills "+skill, bus.Tasks(skill)
			}
			queue.ConsumerState, queue.Err = conn.ConsumerState(ctx, durable)
			if errors.Is(queue.Err, bus.ErrNotFound) { // no worker ever was there
				queue.Waiting, queue.Err = queue.Held, nil
			}
			s.Queues = append(s.Queues, queue)
		}
	}
	return nil
}

func (s *State) readSinks(ctx context.Context, conn *bus.Conn) error {
	list, err := conn.Sinks(ctx)
	if err != nil {
		return err
	}
	for _, state := range list {
		sink := Sink{SinkState: state}
		if state.Waiting+state.Working > 0 {
			for m, err := range conn.Range(ctx, bus.Insights, ">", state.Settled+1) {
				if err != nil {
					return err
				}
				sink.Oldest = m.Time
				break
			}
		}
		s.Sinks = append(s.Sinks, sink)
	}
	return nil
}

func (s *State) readLetters(ctx context.Context, conn *bus.Conn) error {
	for m, err := range conn.Range(ctx, bus.DeadLetters, protocol.DeadLetterSubject(protocol.Any), 0) {
		if err != nil {
			return err
		}
		l, err := protocol.Decode[protocol.DeadLetter](m.Data)
		if err != nil {
			continue
		}
		l.Body = nil
		s.Dead, s.Letters = s.Dead+1, append(s.Letters, l)
		if len(s.Letters) > MostLetters {
			s.Letters = slices.Delete(s.Letters, 0, 1)
		}
	}
	return nil
}

func (s *State) readNodes(ctx context.Context, conn *bus.Conn) error {
	for m, err := range conn.Range(ctx, bus.Nodes, protocol.NodeSubject(protocol.Any), 0) {
		if err != nil {
			return err
		}
		h, err := protocol.Decode[protocol.Heartbeat](m.Data)
		if err != nil {
			continue
		}
		s.Nodes++
		if h.Silent(time.Since(m.Time)) {
			s.Silent = append(s.Silent, h.Node)
		}
	}
	slices.Sort(s.Silent)
	return nil
}
