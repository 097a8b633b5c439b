package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
)

// Query runs one statement that somebody wrote into the host's own configuration, in
// a transaction that can only read, and returns at most limit rows by the names of
// their columns: numbers as float64, booleans, JSON as its values, all else as text.
// Args are bound to $1, $2, … by the server, never written into the text.
func (s *Server) Query(ctx context.Context, sql string, args []any, limit int) ([]map[string]any, error) {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("another question is still being answered: %w", ctx.Err())
	}
	defer func() { <-s.turn }()
	if err := s.connected(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.StatementTimeout+grace)
	defer cancel()
	if err := s.plain(ctx, "BEGIN; "+s.cfg.within()); err != nil {
		return nil, s.queryError(ctx, err)
	}
	rows, err := s.bound(ctx, sql, args, limit)
	if end := s.plain(context.WithoutCancel(ctx), "ROLLBACK"); end != nil && err == nil {
		err = end
	}
	if err != nil {
		return nil, s.queryError(ctx, err)
	}
	return rows, nil
}

func (s *Server) plain(ctx context.Context, sql string) error {
	if s.conn.IsClosed() {
		return errors.New("the connection is gone")
	}
	return s.conn.Exec(ctx, sql).Close()
}

func (s *Server) bound(ctx context.Context, sql string, args []any, limit int) ([]map[string]any, error) {
	values := make([][]byte, len(args))
	for i, a := range args {
		switch a := a.(type) {
		case nil: // NULL
		case float64:
			values[i] = strconv.AppendFloat(nil, a, 'f', -1, 64)
		default:
			values[i] = fmt.Append(nil, a)
		}
	}
	result := s.conn.ExecParams(ctx, sql, values, nil, nil, nil)
	rows := []map[string]any{}
	size := 0
	for result.NextRow() {
		if len(rows) == limit || size > maxAnswer {
			continue // the rest is read past
		}
		row := map[string]any{}
		for i, f := range result.FieldDescriptions() {
			v := result.Values()[i]
			size += len(v)
			row[f.Name] = valueOf(f, v)
		}
		rows = append(rows, row)
	}
	_, err := result.Close()
	return rows, err
}

// valueOf reads a value in the server's text format. The numbers of types are those of
// the catalog pg_type, which never change.
func valueOf(f pgconn.FieldDescription, v []byte) any {
	if v == nil {
		return nil
	}
	switch f.DataTypeOID {
	case 20, 21, 23, 700, 701, 1700: // int8, int2, int4, float4, float8, numeric
		if n, err := strconv.ParseFloat(string(v), 64); err == nil {
			return n
		}
	case 16: // bool
		return string(v) == "t"
	case 114, 3802: // json, jsonb
		var out any
		if json.Unmarshal(v, &out) == nil {
			return out
		}
	}
	return string(v)
}
