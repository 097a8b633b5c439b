package correlate

import "math"

// leastOwn returns the excess of its own that a node must have to be a cause: so many
// sigmas of what it had in the baseline, as a moving mean over as many rows as the
// symptom effectively has. One high row among low ones is as noisy as one row.
//
// And it must be more than it was most of the time in windows of the baseline that are
// judged in the same way: the rows that weigh are chosen by their height, so that the
// mean of many noisy rows is above its own noise.
func (a *account) leastOwn(v, at int) float64 {
	var sum, squares float64
	for _, w := range a.weight {
		sum, squares = sum+w, squares+w*w
	}
	width := int(sum * sum / squares)
	sigmas := ownSigmas
	if width < 2 && len(a.weight) > 2 {
		sigmas *= blip
	}
	own := a.quietExcess(v, width)
	for _, c := range a.callees[v] {
		for i, e := range a.quietExcess(c, width) {
			own[i] -= max(0, e)
		}
	}
	_, sigma := robust(own)
	floor := floorLatency * a.med[a.target]
	if a.class == Errors {
		floor = floorErrors
	}
	return max(sigmas*max(sigma, floor), a.quietOwn(v, at))
}

// quietExcess returns the moving mean of a node's excess in the baseline.
func (a *account) quietExcess(v, width int) []float64 {
	n := len(a.base[v].bad)
	width = max(1, min(width, n))
	each := make([]float64, n)
	for i, x := range a.base[v].bad {
		if !math.IsNaN(x) {
			each[i] = load(a.base[v], a.base[a.target], i, a.counted) * (x - a.med[v])
		}
	}
	out := make([]float64, max(0, n-width+1))
	for i := range out {
		for _, e := range each[i : i+width] {
			out[i] += e / float64(width)
		}
	}
	return out
}

// quietOwn returns the own excess that a node stays below in windows of the baseline,
// by as many sigmas of theirs.
func (a *account) quietOwn(v, at int) float64 {
	base, now := len(a.base[v].bad), len(a.weight)
	if width := min(now, max(1, base/4)); width < now {
		at, now = at*width/now, width
	}
	var owns []float64
	windows := min(accountWindows, base-now+1)
	for k := range windows {
		from := k * (base - now) / max(windows-1, 1)
		quiet := *a
		quiet.now = make([]flow, len(a.base))
		for i, f := range a.base {
			quiet.now[i] = flow{f.bad[from : from+now], f.requests[from : from+now]}
		}
		own := 0.0
		if quiet.settle(at) {
			own = quiet.own[v]
		}
		owns = append(owns, own)
	}
	med, sigma := robust(owns)
	return med + ownSigmas*sigma
}
