package luasandbox_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/fleetlens/fleetlens/pkg/luasandbox"
)

func Example() {
	box := luasandbox.New(luasandbox.DefaultLimits())
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
	// Output:
	// /	41
	// /var	93
	// map[full:[/var]]
}

// What ends a run says so in words for whoever wrote the script, and in fields
// for the program.
func ExampleLimitError() {
	box := luasandbox.New(luasandbox.Limits{Instructions: 100_000})
	defer box.Close()
	_, err := box.Run(context.Background(), "local n = 0\nwhile true do n = n + 1 end", nil)
	fmt.Println(err)
	if reached, ok := errors.AsType[*luasandbox.LimitError](err); ok {
		fmt.Println(reached.Limit, reached.Bound, reached.Line)
	}
	// Output:
	// line 2: the script used its 100,000 instructions
	// instructions 100,000 2
}

func ExampleScriptError() {
	box := luasandbox.New(luasandbox.DefaultLimits())
	defer box.Close()
	_, err := box.Run(context.Background(), "local mask = 6 & 3", nil)
	fmt.Println(err)
	_, err = box.Run(context.Background(), "\nerror('no such host')", nil)
	fmt.Println(err)
	// Output:
	// line 1: this Lua has no '&': write bit32.band(a, b)
	// line 2: no such host
}

// Ahead is the number of children that wait: with none each run starts its own.
func ExampleAhead() {
	box := luasandbox.New(luasandbox.DefaultLimits(), luasandbox.Ahead(0))
	defer box.Close()
	result, err := box.Run(context.Background(), "return 7 // 2, 'text', {}", nil)
	fmt.Println(result.Value, err)
	// Output: [3 text []] <nil>
}

func ExampleCheck() {
	if err := luasandbox.Check(); errors.Is(err, luasandbox.ErrNoResourceLimits) {
		fmt.Println("scripts run, and the inner wall alone bounds their memory")
	} else if err != nil {
		fmt.Println("scripts cannot run here:", err)
	}
}
