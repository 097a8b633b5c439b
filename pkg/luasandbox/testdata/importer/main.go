// Command importer runs two scripts and knows nothing of child processes. With
// an argument it then waits for the end of its standard input.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/fleetlens/fleetlens/pkg/luasandbox"
)

func main() {
	fmt.Println("main with", len(os.Args)-1, "arguments")
	box := luasandbox.New(luasandbox.DefaultLimits())
	double := luasandbox.Func{Name: "double", Call: func(_ context.Context, args []any) (any, error) {
		return args[0].(float64) * 2, nil
	}}
	for range 2 {
		result, err := box.Run(context.Background(), "return double(21)", []luasandbox.Func{double})
		fmt.Println(result.Value, err)
	}
	if len(os.Args) == 2 && os.Args[1] == "wait" {
		fmt.Println("waits")
		_, _ = io.Copy(io.Discard, os.Stdin) // it ends either way
	}
}
