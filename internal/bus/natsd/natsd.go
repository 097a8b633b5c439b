// Package natsd is a NATS server with JetStream inside the process, for
// `fleetlens up` and for tests.
package natsd

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Options of a server.
type Options struct {
	StoreDir string // where JetStream keeps its files
	Host     string // to listen on; empty: no port, connections from this process only
	Port     int    // 0 or taken: a free one
	Config   string // a configuration file; the other options still hold
}

// A Server runs until Stop.
type Server struct{ s *server.Server }

var _ nats.InProcessConnProvider = (*Server)(nil)

// Start returns a running server. The caller stops it.
func Start(o Options) (*Server, error) {
	opts := &server.Options{}
	if o.Config != "" {
		if err := opts.ProcessConfigFile(o.Config); err != nil {
			return nil, fmt.Errorf("NATS configuration %s: %w", o.Config, err)
		}
	}
	opts.JetStream, opts.StoreDir, opts.NoSigs, opts.NoLog = true, o.StoreDir, true, true
	if opts.ServerName == "" { // the servers of a cluster have a name each
		opts.ServerName = "fleetlens"
	}
	if o.Host == "" {
		opts.DontListen = true
	} else {
		opts.Host, opts.Port = o.Host, freePort(o.Host, o.Port)
	}
	s, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("NATS server: %w", err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		s.Shutdown()
		return nil, errors.New("NATS server: not ready after 10 s")
	}
	if !s.JetStreamEnabled() {
		s.Shutdown()
		return nil, fmt.Errorf("NATS server: JetStream did not start in %s: is the folder writable, and in no other server's use?", o.StoreDir)
	}
	return &Server{s}, nil
}

// freePort returns the wanted port when it is free, else -1: any free one.
func freePort(host string, port int) int {
	if port == 0 {
		return server.RANDOM_PORT
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return server.RANDOM_PORT
	}
	if err := l.Close(); err != nil {
		return server.RANDOM_PORT
	}
	return port
}

// URL returns the address to connect to.
func (s *Server) URL() string { return s.s.ClientURL() }

// InProcessConn implements nats.InProcessConnProvider.
func (s *Server) InProcessConn() (net.Conn, error) { return s.s.InProcessConn() }

// Stop ends the server and waits until its files are closed.
func (s *Server) Stop() {
	s.s.Shutdown()
	s.s.WaitForShutdown()
}
