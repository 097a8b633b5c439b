package telemetry

import (
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
)

// wanted reports whether a signal (TRACES, METRICS, LOGS) is to be sent to a
// collector: when the environment names an endpoint for it or for all, and does not
// say none. The exporters read the rest of the environment themselves.
func wanted(signal string, log *slog.Logger) bool {
	on := first("OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT") != ""
	name := "OTEL_" + signal + "_EXPORTER"
	if list := os.Getenv(name); list != "" {
		named := false
		for exporter := range strings.SplitSeq(list, ",") {
			switch exporter = strings.TrimSpace(exporter); exporter {
			case "otlp":
				named = true
			case "none", "prometheus": // /metrics is there by --http
			default:
				log.Warn("there is no such exporter, only otlp and none", "variable", name, "value", exporter)
			}
		}
		on = named
	}
	if !on {
		return false
	}
	switch p := first("OTEL_EXPORTER_OTLP_"+signal+"_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"); p {
	case "", "http/json":
	case "http/protobuf": // the same address of a collector takes both
		log.Info("a signal is sent in JSON, not in protobuf, to the same address", "signal", strings.ToLower(signal))
	default:
		log.Warn("a signal is not sent: only the protocol http/json is spoken", "signal", strings.ToLower(signal), "protocol", p)
		return false
	}
	return true
}

// first returns the first variable that is set.
func first(names ...string) string {
	for _, n := range names {
		if v := os.Getenv(n); v != "" {
			return v
		}
	}
	return ""
}

// complainEvery is how often at most failed exports are told.
const complainEvery = 5 * time.Minute

// complaints tells errors of OpenTelemetry, one in a while: a collector that is
// down fails every few seconds.
type complaints struct {
	log *slog.Logger

	mu    sync.Mutex
	last  time.Time
	quiet int
}

// Handle implements otel.ErrorHandler.
func (c *complaints) Handle(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.last.IsZero() && time.Since(c.last) < complainEvery {
		c.quiet++
		return
	}
	c.log.Warn("telemetry is not sent; the work goes on", "err", err, "more_since_last", c.quiet)
	c.last, c.quiet = time.Now(), 0
}
