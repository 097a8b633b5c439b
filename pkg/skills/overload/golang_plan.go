package overload

// A goAction is what somebody may do about an overload.
type goAction struct {
	name, says, priority, impact string
	steps                        [3]string
}

var (
	goMonitor = goAction{"monitor", "Nothing piles up.", "low", "None.", [3]string{
		"Leave it as it is.", "Compare with the next snapshots.", "Look at other skills if the service is slow all the same."}}
	goShed = goAction{"shed_load", "Refuse work at the door until the pile is gone.", "critical", "Some requests fail at once instead of all of them late.", [3]string{
		"Bound how many requests are taken in, and answer 503 beyond it.", "Take the service out of the load balancer, or restart it, if its memory runs short.", "Then mend what holds the place up."}}
	goPressure = goAction{"apply_backpressure", "Bound how many may wait for the slow call, and for how long.", "high", "Callers hear of it early; memory stays bounded.", [3]string{
		"Give the call a deadline (context.WithTimeout).", "Bound how many may wait, and refuse the rest.", "Find out why the service behind it does not answer."}}
	goContend = goAction{"reduce_contention", "Hold the lock for less, or share it among fewer.", "high", "Goroutines run in parallel again.", [3]string{
		"See who holds the lock, and take calls, I/O and waiting out of it.", "Split the lock, or use sync.RWMutex or atomic values for reads.", "Have contention recorded (runtime.SetMutexProfileFraction) and compare."}}
	goLeak = goAction{"fix_leak", "End the goroutines that nobody waits for.", "high", "Memory and the work of the garbage collector stop growing.", [3]string{
		"Look at the line and at who should close the channel or cancel the context.", "Set deadlines, close response bodies, select on ctx.Done().", "Restart the service when its memory runs short before that."}}
	goBuffer = goAction{"add_buffering", "Let the queue take the burst.", "medium", "A short burst is worked off.", [3]string{
		"See whether the pile goes away within a minute.", "Give the queue room, or start more workers for it.", "Bound it, so that it cannot grow for ever."}}
)

// goActionOf chooses the action for an overload.
func goActionOf(s goState) goAction {
	switch severity, kind := s.severity(), s.kind(); {
	case kind == "none":
		return goMonitor
	case severity == "critical":
		return goShed
	case kind == "goroutine_leak":
		return goLeak
	case kind == "lock_contention":
		return goContend
	case severity == "sustained", kind == "downstream_blocking":
		return goPressure
	}
	return goBuffer
}

func goRemedy(s goState) any {
	a := goActionOf(s)
	out := map[string]any{
		"overload_severity": s.severity(), "recommended_action": a.name, "action_description": a.says, "priority": a.priority,
		"estimated_impact": a.impact, "implementation_steps": a.steps[:],
	}
	if s.kind() != "none" {
		out["location"] = s.culprit().String()
	}
	return out
}
