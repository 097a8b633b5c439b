package main

import (
	"encoding/json"
	"os"
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[len(hundred)-1-i] = time.Duration(i + 1)
	}
	for _, tt := range []struct {
		name   string
		values []time.Duration
		p      float64
		want   time.Duration
	}{
		{"of nothing there is none", nil, 50, 0},
		{"one value is every percentile", []time.Duration{7}, 99, 7},
		{"the lower of two is the middle", []time.Duration{9, 3}, 50, 3},
		{"the middle of three", []time.Duration{9, 3, 5}, 50, 5},
		{"order does not matter", hundred, 50, 50},
		{"one in a hundred is above the 99th", hundred, 99, 99},
		{"the 100th is the largest", hundred, 100, 100},
		{"the 0th is the smallest", hundred, 0, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := percentile(tt.values, tt.p); got != tt.want {
				t.Errorf("percentile(%v) = %d, want %d", tt.p, got, tt.want)
			}
		})
	}
}

func TestRoundKeepsFourDigits(t *testing.T) {
	for in, want := range map[float64]float64{0: 0, 1.23456: 1.235, -1.23456: -1.235, 123456: 123500, 0.000123456: 0.0001235, 25: 25} {
		if got := round(in); got != want {
			t.Errorf("round(%v) = %v, want %v", in, got, want)
		}
	}
}

func TestBudgets(t *testing.T) {
	for _, tt := range []struct {
		name string
		got  figure
		want bool
	}{
		{"at most: the budget itself keeps it", atMost(25, 25), true},
		{"at most: rounding hides no miss", atMost(25.0001, 25), false},
		{"at least: the goal itself reaches it", atLeast(3.5, 3.5), true},
		{"at least: rounding hides no miss", atLeast(3.49999, 3.5), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if *tt.got.Met != tt.want {
				t.Errorf("%v against %v: met is %v", tt.got.Value, *tt.got.Budget, *tt.got.Met)
			}
		})
	}
}

func TestFigureWithoutBudgetSaysNothingOfOne(t *testing.T) {
	if raw, err := json.Marshal(measured(1.5)); err != nil || string(raw) != `{"value":1.5}` {
		t.Errorf("%s, %v", raw, err)
	}
}

func TestPer(t *testing.T) {
	if got := per(time.Second, 4); got != 250*time.Millisecond {
		t.Errorf("per(1s, 4) = %s", got)
	}
	if got := per(time.Second, 0); got != 0 {
		t.Errorf("per(1s, 0) = %s", got)
	}
}

func TestKilobytes(t *testing.T) {
	text := []byte("Name:\tprobe\nVmHWM:\t   21504 kB\nVmRSS:\t   20480 kB\n")
	if got, err := kilobytes(text, "VmRSS"); err != nil || got != 20480 {
		t.Errorf("VmRSS: %d, %v", got, err)
	}
	for _, key := range []string{"Name", "Vm", "Rss"} {
		if got, err := kilobytes(text, key); err == nil {
			t.Errorf("%s: %d, want an error", key, got)
		}
	}
}

func TestCPUTimeGrowsWithWork(t *testing.T) {
	before, err := cpuTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	x := 1.0
	for i := range 20_000_000 {
		x += float64(i) / x
	}
	after, err := cpuTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if after-before < time.Millisecond || x == 0 {
		t.Errorf("%s of CPU for twenty million divisions", after-before)
	}
}

func TestMemoryOfThisProcess(t *testing.T) {
	m, err := readMemory(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if m.rss < 1 || m.peak < 1 || m.anon > m.rss {
		t.Errorf("%+v", m)
	}
}
