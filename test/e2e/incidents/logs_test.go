//go:build linux

package incidents

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/test/e2e/box"
)

// logged plants lines in the log of a machine made of files, once its probe reads it.
func logged(file string, cause []string, until func(*fleet, string) bool, write func(say func(format string, args ...any))) func(*testing.T) *scene {
	return func(t *testing.T) *scene {
		args, dir := machine(t, map[string]string{"var/log/" + file: ""})
		return &scene{
			args: args, cause: cause, until: until,
			begin: func(f *fleet, node string) {
				box.Eventually(t, "the log is read", func() bool { return f.count(node, "host/logger") > 0 && f.count(node, "host/exception") > 0 })
				var text strings.Builder
				write(func(format string, args ...any) { _, _ = fmt.Fprintf(&text, format+"\n", args...) })
				out, err := os.OpenFile(filepath.Join(dir, "var/log", file), os.O_WRONLY|os.O_APPEND, 0)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := out.WriteString(text.String()); err != nil {
					t.Fatal(err)
				}
				if err := out.Close(); err != nil {
					t.Fatal(err)
				}
			},
		}
	}
}

// now is the time as logs write it.
func now() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000Z") }

var fromLogs = []string{"logger", "exception", "os", "ports"}

// logFiles are incidents that a log tells.
var logFiles = []incident{
	{
		name: "a storm of one error", reason: "orders fail", skills: fromLogs,
		plant: logged("billing.log", []string{"billing", "connection to ledger-db refused"}, reaches("host/logger", "error_count_1m", 400),
			func(say func(string, ...any)) {
				for i := range 400 {
					say("%s INFO billing: invoice %d was asked for", now(), 1000+i)
					say("%s ERROR billing: connection to ledger-db refused, attempt %d", now(), i)
				}
				say("%s ERROR mailer: a letter bounced", now())
			}),
	},
	{
		name: "a storm of exceptions of Java", reason: "carts cannot be opened", skills: fromLogs,
		plant: logged("shop.log", []string{"java.lang.NullPointerException", "com.example.shop.CartService.total"}, reaches("host/exception", "total_exceptions_5m", 60),
			func(say func(string, ...any)) {
				for i := range 60 {
					say("%s ERROR [http-%d] com.example.shop.CartController - request failed", now(), i%8)
					say("java.lang.NullPointerException: Cannot invoke \"Price.amount()\" because \"price\" is null")
					say("\tat com.example.shop.CartService.total(CartService.java:88)")
					say("\tat com.example.shop.CartController.show(CartController.java:41)")
					say("\tat java.base/java.lang.Thread.run(Thread.java:1583)")
					say("%s INFO [http-%d] com.example.shop.CartController - cart %d was closed", now(), i%8, i)
				}
			}),
	},
	{
		name: "exceptions of Python while Java is only mentioned", reason: "imports fail", skills: fromLogs,
		plant: logged("import.log", []string{"KeyError", "parse_row", "rows.py:17"}, reaches("host/exception", "total_exceptions_5m", 60),
			func(say func(string, ...any)) {
				for i := range 60 {
					say("%s INFO launcher: starting java -Xmx2g -XX:+HeapDumpOnOutOfMemoryError export.jar %d", now(), i)
					say("%s ERROR importer: row %d was not read", now(), i)
					say("Traceback (most recent call last):")
					say("  File \"/srv/importer/main.py\", line 40, in run")
					say("    parse_row(row)")
					say("  File \"/srv/importer/rows.py\", line 17, in parse_row")
					say("    return row[\"price\"]")
					say("KeyError: 'price'")
				}
			}),
	},
	{
		name: "a panic of a Go program", reason: "the gateway restarted", skills: fromLogs,
		plant: logged("gateway.log", []string{"panic", "main.(*router).forward"}, reaches("host/exception", "panics_5m", 1),
			func(say func(string, ...any)) {
				say("%s INFO gateway: serving", now())
				say("panic: runtime error: index out of range [3] with length 3\n")
				say("goroutine 41 [running]:")
				say("main.(*router).forward(0xc000112000, {0x8a1f40, 0xc00009e000})")
				say("\t/src/gateway/router.go:57 +0x1f4")
				say("main.main()")
				say("\t/src/gateway/main.go:23 +0x85")
				say("exit status 2")
			}),
	},
	{
		name: "a log of normal lines with two warnings", reason: "is the shop well?", skills: fromLogs, control: true,
		plant: logged("shop.log", nil, reaches("host/logger", "total_logs_1m", 5000),
			func(say func(string, ...any)) {
				for i := range 5000 {
					say("%s INFO shop: order %d was paid in %d ms, 0 errors", now(), i, i%90)
				}
				say("%s WARN shop: the cache answered after 120 ms", now())
				say("%s WARN shop: the cache answered after 131 ms", now())
			}),
	},
	{
		name: "lines that only speak of exceptions and errors", reason: "did java fail?", skills: fromLogs, control: true,
		plant: logged("java.log", nil, reaches("host/logger", "total_logs_1m", 500),
			func(say func(string, ...any)) {
				for i := range 500 {
					say("%s INFO java: the handler of java.lang.OutOfMemoryError is registered for worker %d", now(), i)
					say("%s INFO tests: %d passed, 0 failed: panic is recovered, error is returned, Traceback is hidden", now(), i)
				}
				say("%s ERROR java: one request was refused", now())
			}),
	},
}

// A machine that is short of memory, and one that is merely busy.
var (
	shortOfMemory = map[string]string{
		"proc/meminfo": `
MemTotal:       16777216 kB
MemFree:          204800 kB
MemAvailable:     503316 kB
Buffers:           10240 kB
Cached:           307200 kB
SwapCached:            0 kB
Shmem:            102400 kB
SUnreclaim:        51200 kB
SwapTotal:       2097152 kB
SwapFree:        2097152 kB
`,
		"proc/4711/stat": "4711 (java) S 1 4711 4711 0 -1 4194560 100 0 0 0 2000 1000 0 0 20 0 80 0 3000 100000000 3670016 18446744073709551615 1 1 0 0 0\n",
	}
	busy = map[string]string{
		"proc/loadavg": "3.10 2.90 2.70 3/900 9000\n",
		"proc/meminfo": `
MemTotal:       16777216 kB
MemFree:          304800 kB
MemAvailable:    4194304 kB
Buffers:          210240 kB
Cached:          3807200 kB
SwapCached:        40000 kB
Shmem:            102400 kB
SUnreclaim:       351200 kB
SwapTotal:       2097152 kB
SwapFree:        1097152 kB
`,
		"proc/4711/stat": "4711 (java) R 1 4711 4711 0 -1 4194560 100 0 0 0 2000 1000 0 0 20 0 80 0 3000 100000000 2670016 18446744073709551615 1 1 0 0 0\n",
		"proc/fleetlens-filesystems": `[
  {"mount": "/", "device": "/dev/sda1", "fstype": "ext4", "total_bytes": 107374182400, "free_bytes": 24424509440, "available_bytes": 18982400000, "inodes": 1000000, "inodes_free": 300000}
]`,
	}
)

func filed(replaced map[string]string, cause ...string) func(*testing.T) *scene {
	return func(t *testing.T) *scene {
		args, _ := machine(t, replaced)
		return &scene{args: args, cause: cause, until: snapshots("host/os", 3)}
	}
}

var ofAMachine = []string{"os", "overload", "ports", "supervisor", "allocator"}

// files are incidents of machines made of files: their figures cannot be had here
// without harm to others.
var files = []incident{
	{name: "a process that takes the memory", reason: "the machine is slow", skills: ofAMachine, plant: filed(shortOfMemory, "java (4711)", "memory is 97 % used")},
	{name: "a machine that is busy and well", reason: "is this machine well?", skills: ofAMachine, control: true, plant: filed(busy)},
}
