package beam

import "context"

// Vitals are the scalars of a node. Counters are since it began.
type Vitals struct {
	Processes    int              `erl:"process_count"`
	ProcessLimit int              `erl:"process_limit"`
	Ports        int              `erl:"port_count"`
	PortLimit    int              `erl:"port_limit"`
	Atoms        int              `erl:"atom_count"`
	AtomLimit    int              `erl:"atom_limit"`
	RunQueue     int              `erl:"run_queue"` // of all schedulers, those of input and output too
	Schedulers   int              `erl:"schedulers"`
	Online       int              `erl:"schedulers_online"`
	DirtyCPU     int              `erl:"dirty_cpu_schedulers_online"`
	DirtyIO      int              `erl:"dirty_io_schedulers"`
	Release      string           `erl:"otp_release"`
	Elixir       *string          `erl:"elixir_version"` // nil where it is not
	UptimeMS     int64            `erl:"uptime_ms"`
	Reductions   float64          `erl:"reductions"`
	GCs          int64            `erl:"gcs"`
	Reclaimed    float64          `erl:"words_reclaimed"` // by collections, in words
	WordBytes    int64            `erl:"word_bytes"`
	Input        float64          `erl:"input_bytes"` // through ports
	Output       float64          `erl:"output_bytes"`
	Memory       map[string]int64 `erl:"memory"` // bytes: total, processes, processes_used, system, atom, atom_used, binary, code, ets
	OSPID        string           `erl:"os_pid"`
	Persistent   struct {
		Count  int   `erl:"count"`
		Memory int64 `erl:"memory"`
	} `erl:"persistent_term"`
}

// Vitals asks for the scalars, or returns those of a moment ago.
func (n *Node) Vitals(ctx context.Context) (*Vitals, error) { return once[Vitals](ctx, n, "vitals") }
