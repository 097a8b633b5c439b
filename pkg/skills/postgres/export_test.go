package postgres

// Queue is what waits of so many milliseconds amount to.
func Queue(ms []float64) map[string]any { return answer{}.queue(ms) }
