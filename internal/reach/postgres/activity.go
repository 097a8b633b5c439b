package postgres

import (
	"context"
	"fmt"
)

// A Session is one connection to the server, and what it does.
type Session struct {
	Name               string   `json:"name"` // of the application, or else of the role
	PID                int      `json:"pid"`
	User               string   `json:"user,omitempty"`
	Database           string   `json:"database,omitempty"`
	Client             string   `json:"client,omitempty"` // the address it comes from
	State              string   `json:"state,omitempty"`
	StateSeconds       *float64 `json:"state_seconds,omitempty"`
	QuerySeconds       *float64 `json:"query_seconds,omitempty"` // since its query began, while it runs
	TransactionSeconds *float64 `json:"transaction_seconds,omitempty"`
	Wait               string   `json:"wait,omitempty"` // type:event
	// Query is the shape of what it runs, or of what it ran last when it is idle.
	Query string `json:"query,omitempty"`
	Cut   bool   `json:"cut,omitempty"` // the server has not all of the query; never set once Query is a shape
}

// seconds is how long ago a time was, rounded to a tenth.
func seconds(since string) string {
	return "round(extract(epoch FROM clock_timestamp() - " + since + ")::numeric, 1)::float8"
}

// hiddenQuery is what the server shows in place of a query to whom it is hidden.
const hiddenQuery = "<insufficient privilege>"

// sessionName is how a session of pg_stat_activity a is called.
const sessionName = "coalesce(nullif(a.application_name, ''), a.usename, a.backend_type, 'unknown')"

// sessionColumns selects the fields of a Session from pg_stat_activity a.
func (f *Facts) sessionColumns() string {
	return sessionName + ` AS name, a.pid, a.usename AS "user", a.datname AS database,
		coalesce(host(a.client_addr), '') AS client, a.state, ` + seconds("a.state_change") + ` AS state_seconds,
		CASE WHEN a.state = 'active' THEN ` + seconds("a.query_start") + ` END AS query_seconds, ` + seconds("a.xact_start") + ` AS transaction_seconds,
		a.wait_event_type || ':' || a.wait_event AS wait, nullif(a.query, '` + hiddenQuery + `') AS query,
		octet_length(a.query) >= ` + fmt.Sprint(f.QuerySize-4) + ` AS cut`
}

// clients are the sessions that applications have. Of those whose type may not be
// seen, they are what has a role and a database.
const clients = "(a.backend_type = 'client backend' OR a.backend_type IS NULL AND a.usename IS NOT NULL AND a.datname IS NOT NULL)"

func (s *Session) shape() {
	s.Query, s.Cut = Shape(s.Query, s.Cut), false
}

func (s *Server) sessions(ctx context.Context, where, order string, limit int) ([]Session, error) {
	list, err := rows[Session](ctx, s, func(f *Facts) string {
		return fmt.Sprintf("SELECT %s FROM pg_stat_activity a WHERE %s AND a.pid <> pg_backend_pid() AND (%s) ORDER BY %s LIMIT %d", f.sessionColumns(), clients, where, order, limit)
	})
	for i := range list {
		list[i].shape()
	}
	return list, err
}

// LongRunning returns the sessions within a transaction for at least so many
// seconds, the longest first; those whose state is idle in transaction do nothing.
func (s *Server) LongRunning(ctx context.Context, atLeast float64, limit int) ([]Session, error) {
	return s.sessions(ctx, fmt.Sprintf("a.xact_start <= clock_timestamp() - %f * interval '1 s'", atLeast), "a.xact_start", limit)
}

// IdleInTransaction returns the sessions that keep a transaction open and do
// nothing, the longest idle first.
func (s *Server) IdleInTransaction(ctx context.Context, limit int) ([]Session, error) {
	return s.sessions(ctx, "a.state LIKE 'idle in transaction%'", "a.state_change", limit)
}

// Active returns the sessions that run a query, the longest running first.
func (s *Server) Active(ctx context.Context, limit int) ([]Session, error) {
	return s.sessions(ctx, "a.state = 'active'", "a.query_start", limit)
}

// Connections are how many connections there are, and may be.
type Connections struct {
	Used     int `json:"used"` // of all databases, background workers left out
	Max      int `json:"max"`  // max_connections
	Reserved int `json:"reserved"`
	Active   int `json:"active"`
	Idle     int `json:"idle"`
	// IdleInTransaction keep a transaction open and do nothing.
	IdleInTransaction int `json:"idle_in_transaction"`
	Hidden            int `json:"hidden"` // their state may not be seen
}

// UsedPct is the use of the connections that ordinary roles may have.
func (c Connections) UsedPct() float64 {
	return 100 * float64(c.Used) / float64(max(1, c.Max-c.Reserved))
}

// Connections counts the connections.
func (s *Server) Connections(ctx context.Context) (Connections, error) {
	return row[Connections](ctx, s, func(f *Facts) string {
		return `SELECT count(*) AS used, current_setting('max_connections')::int AS max, ` + f.reserved() + ` AS reserved,
			count(*) FILTER (WHERE a.state = 'active' AND a.pid <> pg_backend_pid()) AS active, count(*) FILTER (WHERE a.state = 'idle') AS idle,
			count(*) FILTER (WHERE a.state LIKE 'idle in transaction%') AS idle_in_transaction, count(*) FILTER (WHERE a.query = '` + hiddenQuery + `') AS hidden
			FROM pg_stat_activity a WHERE ` + clients
	})
}

// A Group are the connections of one application, role, database and address.
type Group struct {
	Name              string   `json:"name"` // of the application, or else of the role
	PID               int      `json:"pid"`  // of the one that connected first
	User              string   `json:"user,omitempty"`
	Database          string   `json:"database,omitempty"`
	Client            string   `json:"client,omitempty"`
	Connections       int      `json:"connections"`
	Active            int      `json:"active"`
	Idle              int      `json:"idle"`
	IdleInTransaction int      `json:"idle_in_transaction"`
	LongestIdle       *float64 `json:"longest_idle_seconds,omitempty"`
}

// Groups returns who has the connections, most first.
func (s *Server) Groups(ctx context.Context, limit int) ([]Group, error) {
	return rows[Group](ctx, s, fixed(fmt.Sprintf(`SELECT %s AS name, a.usename AS "user", a.datname AS database,
		coalesce(host(a.client_addr), '') AS client, count(*) AS connections, count(*) FILTER (WHERE a.state = 'active') AS active,
		count(*) FILTER (WHERE a.state = 'idle') AS idle, count(*) FILTER (WHERE a.state LIKE 'idle in transaction%%') AS idle_in_transaction,
		max(CASE WHEN a.state = 'idle' THEN %s END) AS longest_idle_seconds, (array_agg(a.pid ORDER BY a.backend_start, a.pid))[1] AS pid
		FROM pg_stat_activity a WHERE %s AND a.pid <> pg_backend_pid()
		GROUP BY 1, 2, 3, 4 ORDER BY connections DESC, name LIMIT %d`, sessionName, seconds("a.state_change"), clients, limit)))
}
