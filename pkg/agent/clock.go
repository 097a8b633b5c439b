package agent

import "time"

// A Clock tells the time. Nil is the system's clock.
type Clock func() time.Time

func (c Clock) now() time.Time {
	if c == nil {
		return time.Now().UTC()
	}
	return c()
}
