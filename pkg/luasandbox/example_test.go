package luasandbox_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/fleetlens/fleetlens/pkg/luasandbox"
)

func Example() {
	limits := luasandbox.DefaultLimits()
	limits.Instructions = 100_000
	box := luasandbox.New(limits)
	defer box.Close()
	calls := []luasandbox.Func{{
		Name: "disk_used_pct",
		Call: func(_ context.Context, args []any) (any, error) {
			used := map[string]float64{"/": 41, "/var": 93}
			if len(args) != 1 {
				return nil, errors.New("want one argument, a mount point")
			}
			mount, _ := args[0].(string)
			return used[mount], nil
		},
	}}
	result, err := box.Run(context.Background(), `
		local full = {}
		for _, mount in ipairs{"/", "/var"} do
			local used = disk_used_pct(mount)
			print(mount, used)
			if used > 90 then full[#full + 1] = mount end
		end
		return {full = full}`, calls)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(result.Output)
	fmt.Println(result.Value)

	_, err = box.Run(context.Background(), `while true do end`, nil)
	fmt.Println(err)
	// Output:
	// /	41
	// /var	93
	// map[full:[/var]]
	// line 1: the script used its 100,000 instructions
}
