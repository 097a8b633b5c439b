package gopprof

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// gauges are well-known metrics of one series.
var gauges = map[string]Key{
	"go_goroutines":                                 GoroutineCount,
	"go_threads":                                    Threads,
	"go_sched_gomaxprocs_threads":                   Processors,
	"go_gc_gogc_percent":                            GOGC,
	"go_gc_gomemlimit_bytes":                        MemoryLimit,
	"process_cpu_seconds_total":                     CPUSeconds,
	"process_start_time_seconds":                    StartTime,
	"process_resident_memory_bytes":                 RSS,
	"process_open_fds":                              OpenFDs,
	"process_max_fds":                               MaxFDs,
	"go_memstats_sys_bytes":                         Sys,
	"go_memstats_heap_alloc_bytes":                  HeapAlloc,
	"go_memstats_heap_sys_bytes":                    HeapSys,
	"go_memstats_heap_idle_bytes":                   HeapIdle,
	"go_memstats_heap_inuse_bytes":                  HeapInuse,
	"go_memstats_heap_released_bytes":               HeapReleased,
	"go_memstats_heap_objects":                      HeapObjects,
	"go_memstats_stack_inuse_bytes":                 StackInuse,
	"go_memstats_stack_sys_bytes":                   StackSys,
	"go_memstats_mspan_inuse_bytes":                 MSpanInuse,
	"go_memstats_mspan_sys_bytes":                   MSpanSys,
	"go_memstats_mcache_inuse_bytes":                MCacheInuse,
	"go_memstats_mcache_sys_bytes":                  MCacheSys,
	"go_memstats_buck_hash_sys_bytes":               BuckHashSys,
	"go_memstats_gc_sys_bytes":                      GCSys,
	"go_memstats_other_sys_bytes":                   OtherSys,
	"go_memstats_alloc_bytes_total":                 TotalAlloc,
	"go_memstats_next_gc_bytes":                     NextGC,
	"go_memstats_last_gc_time_seconds":              LastGC,
	"go_gc_cycles_forced_gc_cycles_total":           NumForcedGC,
	"go_cpu_classes_gc_total_cpu_seconds_total":     GCCPUSeconds,
	"go_cpu_classes_gc_mark_idle_cpu_seconds_total": GCIdleSeconds,
	"go_cpu_classes_total_cpu_seconds_total":        AllCPUSeconds,
}

// inFlight are the usual names of how many HTTP requests are being answered.
var inFlight = []string{"http_requests_in_flight", "http_in_flight_requests", "http_server_active_requests", "in_flight_requests", "http_server_requests_in_flight"}

// families are the first parts of the names of metrics of several lines.
var families = []string{
	"go_gc_duration_seconds", "go_gc_pauses_seconds", "go_sched_pauses_total_gc_seconds", "go_sched_latencies_seconds", "go_info", "go_build_info",
}

// wanted reports whether a metric is one of those that are read. Its lines are all
// that is kept of a page that may have a hundred thousand.
func wanted(metric string) bool {
	_, known := gauges[metric]
	return known || slices.Contains(inFlight, metric) || panicCounter.MatchString(metric) ||
		slices.ContainsFunc(families, func(f string) bool { return strings.HasPrefix(metric, f) })
}

// mostMetrics bounds what is kept of a page, in bytes.
const mostMetrics = 1 << 20

// readMetrics reads a page of Prometheus metrics.
func (r *Runtime) readMetrics(in *bufio.Reader) error {
	var kept bytes.Buffer
	err := lines(in, func(line []byte) bool {
		if wanted(metricOf(line)) {
			kept.Write(line)
		}
		return kept.Len() <= mostMetrics
	})
	switch {
	case err != nil:
		return err
	case kept.Len() > mostMetrics:
		return errors.New("its metrics of the runtime have more than 1 MiB")
	case kept.Len() == 0:
		return errors.New("it has no metrics of a Go runtime")
	}
	if b := kept.Bytes(); b[len(b)-1] != '\n' {
		kept.WriteByte('\n')
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	read, err := parser.TextToMetricFamilies(&kept)
	if err != nil {
		return fmt.Errorf("its metrics cannot be read: %w", err)
	}
	for name, f := range read {
		if len(f.GetMetric()) > 0 {
			r.family(name, f.GetMetric())
		}
	}
	return nil
}

// metricOf returns the metric that a line is about.
func metricOf(line []byte) string {
	if rest, ok := bytes.CutPrefix(line, []byte("# TYPE ")); ok {
		line = rest
	}
	i := bytes.IndexAny(line, " {\t\n")
	if i <= 0 || line[0] == '#' {
		return ""
	}
	return string(line[:i])
}

func (r *Runtime) family(name string, metrics []*dto.Metric) {
	first := metrics[0]
	if k, known := gauges[name]; known {
		if v := value(first); finite(v) && !(name == "process_max_fds" && v > 1e18) { // that is no limit
			r.set(k, v)
		}
		return
	}
	switch name {
	case "go_gc_duration_seconds":
		r.summary(first.GetSummary())
	case "go_gc_pauses_seconds", "go_sched_pauses_total_gc_seconds":
		r.GCPauses = histogram(first.GetHistogram())
	case "go_sched_latencies_seconds":
		r.SchedLatency = histogram(first.GetHistogram())
	case "go_info":
		r.GoVersion = label(first, "version")
	case "go_build_info":
		r.Module, r.ModuleVersion = label(first, "path"), label(first, "version")
	default:
		if panicCounter.MatchString(name) {
			r.countPanics(name, metrics)
			return
		}
		if !slices.Contains(inFlight, name) {
			return
		}
		sum := 0.0
		for _, m := range metrics {
			sum += value(m)
		}
		if finite(sum) {
			r.set(InFlight, sum)
		}
	}
}

func (r *Runtime) summary(s *dto.Summary) {
	if s == nil {
		return
	}
	r.set(NumGC, float64(s.GetSampleCount()))
	if finite(s.GetSampleSum()) {
		r.set(PauseTotal, s.GetSampleSum())
	}
	for _, q := range s.GetQuantile() {
		if q.GetQuantile() == 1 && finite(q.GetValue()) {
			r.set(PauseMax, q.GetValue())
		}
	}
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

func value(m *dto.Metric) float64 {
	switch {
	case m.Gauge != nil:
		return m.Gauge.GetValue()
	case m.Counter != nil:
		return m.Counter.GetValue()
	}
	return m.GetUntyped().GetValue()
}

func label(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return shortText(l.GetValue())
		}
	}
	return ""
}

func shortText(s string) string {
	s = strings.ToValidUTF8(s, "?")
	if r := []rune(s); len(r) > 200 {
		return string(r[:200])
	}
	return s
}

func histogram(h *dto.Histogram) Histogram {
	if h == nil || len(h.GetBucket()) > 2000 {
		return nil
	}
	var out Histogram
	for _, b := range h.GetBucket() {
		out = append(out, Bucket{b.GetUpperBound(), float64(b.GetCumulativeCount())})
	}
	return out
}

// program returns the name of a program without its folder.
func program(command string) string {
	return shortText(path.Base(strings.ReplaceAll(command, `\`, "/")))
}
