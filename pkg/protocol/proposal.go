package protocol

import (
	"errors"
	"fmt"
)

// MaxProposals is how many proposals a heartbeat may have.
const MaxProposals = 16

// Limits of a proposal's texts, in bytes.
const (
	MaxProposalWord = 128 // of kind, process and address
	MaxProposalText = 512 // of why and config
)

// A Proposal is something on the node that looks as if it could be a target: the
// probe found it and does not watch it. People decide.
type Proposal struct {
	Kind    string `json:"kind"`          // of the target it would be: "go", "postgres", "nats", "prometheus", "beam"
	Process string `json:"process"`       // the name of the process, or of the Go program
	PID     int    `json:"pid,omitempty"` // 0 where the probe may not see which process it is
	Address string `json:"address"`       // where it listens: "127.0.0.1:6060" or the path of a socket
	Why     string `json:"why"`           // what it was recognised by
	// Config is the YAML to put under `targets:` of the probe's configuration; empty
	// where the release has nothing to watch that kind with.
	Config string `json:"config,omitempty"`
}

func (p Proposal) validate() error {
	errs := []error{required("proposals.kind", p.Kind), required("proposals.address", p.Address)}
	for _, f := range []struct {
		name, is string
		most     int
	}{
		{"kind", p.Kind, MaxProposalWord}, {"process", p.Process, MaxProposalWord}, {"address", p.Address, MaxProposalWord},
		{"why", p.Why, MaxProposalText}, {"config", p.Config, MaxProposalText},
	} {
		if len(f.is) > f.most {
			errs = append(errs, fmt.Errorf(`"proposals.%s" has %d bytes, at most %d`, f.name, len(f.is), f.most))
		}
	}
	return errors.Join(errs...)
}

func validProposals(list []Proposal) error {
	if len(list) > MaxProposals {
		return fmt.Errorf(`"proposals" are %d, at most %d`, len(list), MaxProposals)
	}
	var errs []error
	for _, p := range list {
		errs = append(errs, p.validate())
	}
	return errors.Join(errs...)
}
