// Package programs says how each program is configured: its settings, made of
// those of its parts, and what its help says. The mains and the page of all
// options are made from it. The probe's stand in the package watch: it links no models.
package programs

import (
	"errors"
	"maps"

	"github.com/spf13/pflag"

	"github.com/fleetlens/fleetlens/internal/budget"
	"github.com/fleetlens/fleetlens/internal/coordinator"
	"github.com/fleetlens/fleetlens/internal/llm"
	"github.com/fleetlens/fleetlens/internal/operator"
	"github.com/fleetlens/fleetlens/internal/probe"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/internal/programs/watch"
)

// A Program is one of the programs with its defaults.
type Program struct {
	Name     string
	Doc      string
	Settings proc.Settings
}

// All returns the programs in the order in which they are documented.
func All() []Program {
	return []Program{
		{"probe", probe.Doc, watch.New()},
		{"operator", OperatorDoc, NewOperator()},
		{"coordinator", CoordinatorDoc, NewCoordinator()},
	}
}

// OperatorDoc is what the operator's help says.
const OperatorDoc = `Take tasks from the work queue and find out what is wrong with their targets.

Start as many operators as there is work; they share it, and what one leaves
unfinished another goes on with:

  operator --server nats://nats.example:4222 --concurrency 8`

// Operator is an operator's settings, and those of its models.
type Operator struct {
	operator.Config
	LLM    llm.Config
	Budget budget.Config
}

// NewOperator returns the defaults.
func NewOperator() *Operator {
	return &Operator{operator.DefaultConfig(), llm.DefaultConfig(), budget.Config{}}
}

// Flags implements proc.Settings.
func (s *Operator) Flags(fs *pflag.FlagSet) { s.Config.Flags(fs); s.LLM.Flags(fs); s.Budget.Flags(fs) }

// Sections implements proc.Settings.
func (s *Operator) Sections() map[string]any { return s.LLM.Sections() }

// Validate implements proc.Settings.
func (s *Operator) Validate() error {
	return errors.Join(s.Config.Validate(), s.LLM.Validate(), s.Budget.Validate())
}

// CoordinatorDoc is what the coordinator's help says.
const CoordinatorDoc = `Take requests, have operators look into them, and publish insights.

It makes the streams it needs. Several coordinators share the work:

  coordinator --server nats://nats.example:4222`

// Coordinator is a coordinator's settings, and those of its models.
type Coordinator struct {
	coordinator.Config
	LLM    llm.Config
	Budget budget.Config
}

// NewCoordinator returns the defaults.
func NewCoordinator() *Coordinator {
	return &Coordinator{coordinator.DefaultConfig(), llm.DefaultConfig(), budget.Config{}}
}

// Flags implements proc.Settings.
func (s *Coordinator) Flags(fs *pflag.FlagSet) {
	s.Config.Flags(fs)
	s.LLM.Flags(fs)
	s.Budget.Flags(fs)
}

// Sections implements proc.Settings.
func (s *Coordinator) Sections() map[string]any {
	sections := s.LLM.Sections()
	sections["recurring"] = &s.Recurring
	maps.Copy(sections, s.Alerts.Sections())
	return sections
}

// Validate implements proc.Settings.
func (s *Coordinator) Validate() error {
	return errors.Join(s.Config.Validate(), s.LLM.Validate(), s.Budget.Validate())
}
