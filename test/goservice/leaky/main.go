// Command leaky is a small Go service for tests: it exposes what Go services
// expose, does ordinary work, and makes one fault after the other when it is told to.
package main

import (
	"expvar"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"runtime"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

func main() {
	metrics := flag.Bool("metrics", true, "serve Prometheus metrics")
	vars := flag.Bool("vars", true, "serve expvar")
	count := flag.Bool("panics", true, "count panics among the metrics")
	procs := flag.Int("procs", 1, "how many processors to use (GOMAXPROCS)")
	flag.Parse()
	runtime.GOMAXPROCS(*procs)

	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	if *vars {
		mux.Handle("/debug/vars", expvar.Handler())
	}
	registry := prometheus.NewRegistry()
	inFlight := prometheus.NewGauge(prometheus.GaugeOpts{Name: "http_requests_in_flight", Help: "Requests being answered."})
	registry.MustRegister(
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.MetricsAll)),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewBuildInfoCollector(), inFlight,
	)
	if *count {
		registry.MustRegister(panics)
	}
	if *metrics {
		mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	}
	shop := newShop()
	mux.Handle("/order", promhttp.InstrumentHandlerInFlight(inFlight, http.HandlerFunc(shop.order)))

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println("cannot:", err)
		os.Exit(1)
	}
	base := "http://" + l.Addr().String()
	mux.HandleFunc("/fault/", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.FormValue("n"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := fault(r.URL.Path[len("/fault/"):], n, base, shop); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
	fmt.Println(base)
	fmt.Fprintln(os.Stderr, runtime.Version(), http.Serve(l, mux))
	os.Exit(1)
}
