//go:build linux

// Package natsserver is the nats-server program, with its own flags, within a test
// program: the machine of a test need not have it installed.
package natsserver

import (
	"flag"
	"os"
	"path/filepath"

	"github.com/nats-io/nats-server/v2/server"
)

// Main runs a server until it is told to stop. Without a folder in its configuration it
// keeps JetStream's files in the folder for temporary ones.
func Main(args []string) error {
	fs := flag.NewFlagSet("nats-server", flag.ContinueOnError)
	opts, err := server.ConfigureOptions(fs, args, server.PrintServerAndExit, fs.Usage, server.PrintTLSHelpAndDie)
	if err != nil {
		return err
	}
	if opts.StoreDir == "" {
		opts.StoreDir = filepath.Join(os.TempDir(), "jetstream")
	}
	s, err := server.NewServer(opts)
	if err != nil {
		return err
	}
	s.ConfigureLogger()
	if err := server.Run(s); err != nil {
		return err
	}
	s.WaitForShutdown()
	return nil
}
