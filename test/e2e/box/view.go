//go:build linux

package box

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A view makes the figures of the whole machine those of a box, as LXCFS does for
// containers: processor time, load and memory are summed up from the processes of
// the box, and what has no owner among them (disks, pressure, kernel memory, the
// kernel's log) stands still. So what other programs of this machine do is not seen.
type view struct {
	memory uint64
	cores  int
	began  time.Time
	ticks  map[int]uint64 // processor time of each process, of those that ended too
	load   [3]float64
	files  map[string]*os.File
}

// viewEvery is how often a view is brought up to date.
const viewEvery = 250 * time.Millisecond

// newView mounts a view over the files of /proc and keeps it up to date until the
// program ends.
func newView(dir string, memory uint64) error {
	v := &view{memory: memory, cores: runtime.NumCPU(), began: time.Now(), ticks: map[int]uint64{}, files: map[string]*os.File{}}
	dir = filepath.Join(dir, "view")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for name, text := range v.look() {
		if err := v.mount(dir, name, text); err != nil {
			return err
		}
	}
	for _, name := range []string{"diskstats", "vmstat", "schedstat", "buddyinfo", "slabinfo", "sys/fs/file-nr", "pressure/cpu", "pressure/memory", "pressure/io"} {
		text, err := os.ReadFile("/proc/" + name)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.EOPNOTSUPP) {
			continue
		}
		if err != nil {
			return err
		}
		if strings.HasPrefix(name, "pressure/") {
			const calm = " avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
			text = []byte("some" + calm + "full" + calm)
		}
		if err := v.mount(dir, name, string(text)); err != nil {
			return err
		}
	}
	if err := syscall.Mount("/dev/null", "/dev/kmsg", "", syscall.MS_BIND, ""); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	go func() {
		for range time.Tick(viewEvery) {
			for name, text := range v.look() {
				_, _ = v.files[name].WriteAt([]byte(text), 0)
			}
		}
	}()
	return nil
}

func (v *view) mount(dir, name, text string) error {
	path := filepath.Join(dir, strings.ReplaceAll(name, "/", "-"))
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	v.files[name] = f
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	if err := syscall.Mount(path, "/proc/"+name, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount /proc/%s: %w", name, err)
	}
	return nil
}

// look returns the files as they are now. They always have the same length, since
// they are written where others read.
func (v *view) look() map[string]string {
	resident, runnable, tasks := v.processes()
	var busy uint64
	for _, t := range v.ticks {
		busy += t
	}
	for i, minutes := range []float64{1, 5, 15} {
		keep := math.Exp(-viewEvery.Minutes() / minutes)
		v.load[i] = v.load[i]*keep + float64(runnable)*(1-keep)
	}
	all := uint64(time.Since(v.began).Seconds()*100) * uint64(v.cores)
	line := func(name string, share uint64) string {
		return fmt.Sprintf("%s %012d 0 0 %012d 0 0 0 0 0 0\n", name, 100_000+busy/share, 10_000_000+(all-min(all, busy))/share)
	}
	stat := line("cpu", 1)
	for i := range v.cores {
		stat += line("cpu"+strconv.Itoa(i), uint64(v.cores))
	}
	stat += fmt.Sprintf("ctxt 1000000\nbtime %d\nprocesses 5000\nprocs_running %06d\nprocs_blocked 0\n", v.began.Unix()-100_000, max(1, runnable))
	const kernel = 48 << 20 // bytes
	used := min(kernel+resident, v.memory)
	return map[string]string{
		"stat":    stat,
		"loadavg": fmt.Sprintf("%08.2f %08.2f %08.2f %06d/%06d 999\n", v.load[0], v.load[1], v.load[2], max(1, runnable), tasks),
		"meminfo": fmt.Sprintf("MemTotal: %12d kB\nMemFree: %12d kB\nMemAvailable: %12d kB\nBuffers: 0 kB\nCached: 0 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n",
			v.memory>>10, (v.memory-used)>>10, (v.memory-used)>>10),
	}
}

// processes reads what the processes of the box use: bytes of memory of their own,
// tasks that want a core but this program's, and all tasks.
func (v *view) processes() (resident uint64, runnable, tasks int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/task/[0-9]*/stat")
	for _, path := range stats {
		pid, _ := strconv.Atoi(strings.Split(path, "/")[2])
		tasks++
		if f := fields(path); pid != 1 && len(f) > 0 && f[0] == "R" {
			runnable++
		}
	}
	stats, _ = filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		pid, _ := strconv.Atoi(strings.Split(path, "/")[2])
		f := fields(path)
		if len(f) < 22 || pid == 1 {
			continue
		}
		user, _ := strconv.ParseUint(f[11], 10, 64)
		system, _ := strconv.ParseUint(f[12], 10, 64)
		v.ticks[pid] = max(v.ticks[pid], user+system)
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		if m := strings.Fields(string(b)); len(m) > 2 {
			all, _ := strconv.ParseUint(m[1], 10, 64)
			shared, _ := strconv.ParseUint(m[2], 10, 64)
			resident += (all - min(shared, all)) * uint64(os.Getpagesize())
		}
	}
	return resident, runnable, tasks
}

// fields returns what follows the name in a stat file, the state first.
func fields(path string) []string {
	b, _ := os.ReadFile(path)
	_, rest, _ := strings.Cut(string(b), ") ")
	return strings.Fields(rest)
}
