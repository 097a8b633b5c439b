//go:build linux

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/bus/natsd"
)

// serverCommand is a NATS server in a process of its own, so that it can be
// killed and started again at the same place.
func serverCommand() *cobra.Command {
	var o natsd.Options
	cmd := &cobra.Command{Use: "nats-server", Short: "A NATS server of the test", Hidden: true, Args: cobra.NoArgs}
	cmd.Flags().StringVar(&o.StoreDir, "dir", "", "`folder` of JetStream's files")
	cmd.Flags().IntVar(&o.Port, "port", 0, "where it listens")
	cmd.Flags().StringVar(&o.Config, "config", "", "configuration `file`")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		o.Host = "127.0.0.1"
		s, err := natsd.Start(o)
		if err != nil {
			return err
		}
		defer s.Stop()
		if !strings.HasSuffix(s.URL(), ":"+strconv.Itoa(o.Port)) {
			return fmt.Errorf("port %d is taken", o.Port)
		}
		<-cmd.Context().Done()
		return nil
	}
	return cmd
}

// A natsServer is one server; name is what a cluster calls it.
type natsServer struct {
	*process
	name string
	port int
}

// newServers returns one server, or three that form a cluster. They do not run yet.
func newServers(dir string, cluster bool) ([]*natsServer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	n := 1
	if cluster {
		n = 3
	}
	ports, err := freePorts(2 * n)
	if err != nil {
		return nil, err
	}
	var list []*natsServer
	var routes []string
	for _, port := range ports[n:] {
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", port))
	}
	for i := range n {
		name := fmt.Sprintf("nats-%d", i+1)
		args := []string{"nats-server", "--dir", filepath.Join(dir, name), "--port", strconv.Itoa(ports[i])}
		if cluster {
			file := filepath.Join(dir, name+".conf")
			text := fmt.Sprintf("server_name: %s\ncluster { name: chaos, listen: \"127.0.0.1:%d\", routes: [%s] }\n", name, ports[n+i], strings.Join(routes, ", "))
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				return nil, err
			}
			args = append(args, "--config", file)
		}
		list = append(list, &natsServer{&process{name: name, path: self, args: args, dir: dir}, name, ports[i]})
	}
	return list, nil
}

// freePorts returns ports of loopback that nobody uses now.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }() // all are held until all are known
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// up starts the server and waits until it listens.
func (s *natsServer) up(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		if err := s.start(); err != nil { // also when it ended because the port was not free yet
			return err
		}
		var d net.Dialer
		if c, err := d.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", s.port)); err == nil {
			return c.Close()
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("%s does not listen: %w", s.process.name, err)
		}
	}
}

// urls returns the servers as processes are told them.
func urls(servers []*natsServer) string {
	var list []string
	for _, s := range servers {
		list = append(list, fmt.Sprintf("nats://127.0.0.1:%d", s.port))
	}
	return strings.Join(list, ",")
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
