package main

import (
	"io"
	"log/slog"
	"testing"
)

func TestEveryLoopMakesTheSameTurns(t *testing.T) {
	b := &bench{errOut: io.Discard, log: slog.New(slog.DiscardHandler), dir: t.TempDir()}
	r, err := b.loop(t.Context(), 1, 3) // it fails when a model is asked more or less often
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{onDisk, inMemory, einoADK} {
		if r.Loops[name].P50.Value <= 0 {
			t.Errorf("%s was not measured: %+v", name, r.Loops)
		}
	}
}
