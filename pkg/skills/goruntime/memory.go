package goruntime

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

type class struct {
	Name string  `json:"name"`
	MB   float64 `json:"mb"`
	Pct  float64 `json:"pct"`
}

func (w *watch) memory(ctx context.Context) (any, error) {
	r, err := w.service.Runtime(ctx)
	if err != nil {
		return nil, err
	}
	sys, ok := r.Get(gopprof.Sys)
	if !ok || sys <= 0 {
		return nil, errors.New("the service does not tell its memory: net/http/pprof, expvar or Prometheus metrics (collectors.NewGoCollector) would")
	}
	get := func(k gopprof.Key) float64 { v, _ := r.Get(k); return v }
	a := struct {
		Classes []class  `json:"classes"`
		Sys     float64  `json:"sys_mb"`
		RSS     *float64 `json:"rss_mb,omitempty"`
	}{Classes: []class{}, Sys: skills.Round(sys/(1<<20), 1)}
	for _, c := range []struct {
		name  string
		bytes float64
	}{
		{"heap_objects", get(gopprof.HeapAlloc)},
		{"heap_unused_in_spans", max(0, get(gopprof.HeapInuse)-get(gopprof.HeapAlloc))},
		{"heap_idle", max(0, get(gopprof.HeapIdle)-get(gopprof.HeapReleased))},
		{"heap_released", get(gopprof.HeapReleased)},
		{"stacks", get(gopprof.StackSys)},
		{"spans", get(gopprof.MSpanSys)},
		{"caches", get(gopprof.MCacheSys)},
		{"profiling", get(gopprof.BuckHashSys)},
		{"gc", get(gopprof.GCSys)},
		{"other", get(gopprof.OtherSys)},
	} {
		if c.bytes > 0 {
			a.Classes = append(a.Classes, class{c.name, skills.Round(c.bytes/(1<<20), 2), skills.Round(100*c.bytes/sys, 1)})
		}
	}
	slices.SortStableFunc(a.Classes, func(x, y class) int { return cmp.Compare(y.MB, x.MB) })
	if v, ok := r.Get(gopprof.RSS); ok {
		v = skills.Round(v/(1<<20), 1)
		a.RSS = &v
	}
	return a, nil
}
