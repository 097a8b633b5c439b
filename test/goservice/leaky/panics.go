package main

import "github.com/prometheus/client_golang/prometheus"

// panics counts what was recovered, as a middleware does.
var panics = prometheus.NewCounter(prometheus.CounterOpts{Name: "http_panics_recovered_total", Help: "Panics of handlers."})

func recovered(handle func()) {
	defer func() {
		if recover() != nil {
			panics.Inc()
		}
	}()
	handle()
}

type order struct{ article string }

//go:noinline
func placeOrder(o *order) string { return o.article }

// reportPanic waits for somebody who takes the report.
func reportPanic() {
	if p := recover(); p != nil {
		<-make(chan struct{})
	}
}
