package proc

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fleetlens/fleetlens/internal/keys"
)

// flagError says what is wrong with the flags of a command; of one that does not
// exist it names the nearest that does.
func flagError(cmd *cobra.Command, err error) error {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok || len(unknown.GetSpecifiedName()) < 2 {
		return UsageError{fmt.Errorf("%w (see %s --help)", err, cmd.CommandPath())}
	}
	var known []string
	add := func(f *pflag.Flag) { known = append(known, f.Name) }
	cmd.Flags().VisitAll(add)
	cmd.InheritedFlags().VisitAll(add)
	return UsageError{fmt.Errorf("unknown flag --%s; the nearest is --%s (see %s --help)",
		unknown.GetSpecifiedName(), keys.Nearest(unknown.GetSpecifiedName(), known), cmd.CommandPath())}
}
