package fleet

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
	hostos "github.com/fleetlens/fleetlens/pkg/skills/os"
)

// Words returns the skills that simulated hosts have: os, with the words of the real
// one, and shop, which tells of requests and has no checks.
func Words() []skills.Skill {
	none := func(context.Context) (skills.Data, error) { return nil, errNotSimulated }
	return []skills.Skill{osSkill(none), shopSkill(none)}
}

// snapshot is how a source reads a simulated host.
type snapshot = func(context.Context) (skills.Data, error)

var errNotSimulated = errors.New("a simulated host has snapshots only, it answers no questions")

func osSkill(read snapshot) skills.Skill {
	s := hostos.Skill(host.New(host.Config{}))
	src := s.Sources[0]
	src.Snapshot = read
	src.Calls = slices.Clone(src.Calls)
	for i := range src.Calls {
		src.Calls[i].Run = func(context.Context, skills.Args) (any, error) { return nil, errNotSimulated }
	}
	s.Sources = []skills.Source{src}
	return s
}

func shopSkill(read snapshot) skills.Skill {
	return skills.Skill{
		Name: "shop", Title: "Requests", Summary: "Requests that the service on a host serves.", Prefix: "shop_",
		Sources: []skills.Source{{
			Kind:   skills.Host,
			Prompt: "Requests of the service on this host, over the time since the snapshot before.",
			Metrics: []skills.Metric{
				skills.Gauge("requests_per_s", protocol.PerSecond, "Requests served."),
				skills.Gauge("latency_ms", protocol.Milliseconds, "Mean time to answer."),
				skills.Gauge("errors_pct", protocol.Percent, "Requests that failed."),
			},
			Snapshot: read,
		}},
	}
}

// drawn are the metrics of the os skill that are made up; others follow from them.
var drawn = []string{
	"os.cpu_used_pct", "os.cpu_load_per_core_1m", "os.cpu_iowait_pct", "os.cpu_steal_pct", "os.memory_used_pct", "os.disk_max_used_pct",
	"os.disk_read_bytes_per_sec", "os.disk_write_bytes_per_sec", "os.disk_busiest_util_pct", "os.net_rx_bytes_per_sec", "os.net_tx_bytes_per_sec",
	"os.processes", "os.swap_in_pages_per_sec", "shop.requests_per_s", "shop.latency_ms", "shop.errors_pct",
}

// Metrics returns the metrics that a scenario may move, as skill.metric, in order.
func Metrics() []string { return slices.Sorted(slices.Values(drawn)) }

// A machine is one simulated host: it draws its metrics and keeps count of samples.
type machine struct {
	courses map[string]*course
	effects map[string][]effect
	// moment returns where in the scenario a time is, in intervals, and what time of
	// the simulated day it is.
	moment func(time.Time) (at float64, day time.Time)

	mu sync.Mutex
	n  map[string]int64 // samples taken of each skill
}

func (p *Plan) machine(i int) *machine {
	node := p.Nodes[i]
	m := &machine{courses: map[string]*course{}, n: map[string]int64{"os": historySamples, "shop": historySamples}}
	for _, name := range drawn {
		c, ok := p.on.Roles[node.Role].Metrics[name]
		if !ok {
			c, ok = p.on.Metrics[name]
		}
		if ok {
			o := newCourse(c, p.seed, node.Name, name)
			m.courses[name] = &o
		}
	}
	return m
}

// read is the snapshot of a skill now.
func (m *machine) read(skill string) snapshot {
	return func(context.Context) (skills.Data, error) {
		at, day := m.moment(time.Now())
		m.mu.Lock()
		n := m.n[skill]
		m.n[skill]++
		m.mu.Unlock()
		return m.data(skill, n, at, day), nil
	}
}

// data is the snapshot of a number, at a moment of the scenario and the day.
func (m *machine) data(skill string, n int64, at float64, day time.Time) skills.Data {
	d := skills.Data{}
	for name, o := range m.courses {
		if metric, ok := of(name, skill); ok {
			d.Set(metric, o.bound(apply(o.value(n, day), m.effects[name], at)), 2)
		}
	}
	if skill == "os" {
		derive(d)
	}
	return d
}

func of(name, skill string) (metric string, ok bool) {
	if len(name) > len(skill) && name[:len(skill)] == skill && name[len(skill)] == '.' {
		return name[len(skill)+1:], true
	}
	return "", false
}

// What every simulated machine has.
const (
	cores    = 8
	memoryMB = 32 << 10
	diskMB   = 200 << 10
)

// derive adds what follows from what was drawn.
func derive(d skills.Data) {
	get := func(name string) float64 { v, _ := d[name].(float64); return v }
	maps.Copy(d, skills.Data{
		"cpu_count": cores, "memory_total_mb": memoryMB, "disk_max_mount": "/", "top_cpu_process": "shop (4711)",
		"top_memory_process": "shop (4711)", "disk_busiest_device": "sda", "oom_kills": 0.0,
	})
	d.Set("cpu_load_1m", get("cpu_load_per_core_1m")*cores, 2)
	d.Set("memory_available_mb", (1-get("memory_used_pct")/100)*memoryMB, 0)
	d.Set("top_memory_mb", get("memory_used_pct")/200*memoryMB, 0)
	d.Set("top_cpu_pct", get("cpu_used_pct")/2*cores, 0)
	d.Set("disk_max_free_mb", (1-get("disk_max_used_pct")/100)*diskMB, 0)
}
