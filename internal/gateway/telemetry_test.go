package gateway

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/gateway/sinks"
	"github.com/fleetlens/fleetlens/pkg/signals"
	"github.com/fleetlens/fleetlens/pkg/signals/signalstest"
)

func TestWhatASinkTookAndRefusedIsCounted(t *testing.T) {
	conn, f, told := natstest.Setup(t, natstest.Run(t), "test"), newFarSide(t), signalstest.New()
	f.refuse = []func(http.ResponseWriter){
		func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) },
		func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) },
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended, ready := make(chan error, 1), make(chan struct{})
	go func() {
		ended <- Run(ctx, Config{Sinks: map[string]sinks.Config{"team": chat(f)}}, Deps{
			Log: natstest.Log(t), Bus: conn, Telemetry: told.Providers, Ready: func() { close(ready) },
		})
	}()
	<-ready
	for _, id := range []string{"c1", "c2", "c3"} {
		publish(t, conn, insight(id, id))
	}
	f.await(t, 3)
	sum := func(m signals.Metric, attrs ...string) float64 {
		return told.Sum(t, m, append(attrs, "sink=team")...)
	}
	eventually(t, "each attempt is counted by what became of it", func() bool {
		return sum(signals.SinkSent) >= 1 && sum(signals.SinkFailures, "result=given_up") == 1 && sum(signals.SinkFailures, "result=again") == 1
	})
	told.Conforms(t)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
