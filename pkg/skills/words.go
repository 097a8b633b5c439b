package skills

import "github.com/fleetlens/fleetlens/pkg/protocol"

// Gauge returns a metric that goes up and down.
func Gauge(name string, unit Unit, doc string) Metric {
	return Metric{Name: name, Unit: unit, Kind: protocol.Gauge, Doc: doc}
}

// Counter returns a metric that only grows, until what it counts starts again.
func Counter(name string, unit Unit, doc string) Metric {
	return Metric{Name: name, Unit: unit, Kind: protocol.Counter, Doc: doc}
}

// Info returns a field that describes and is compared with nothing: a name, a limit.
func Info(name string, unit Unit, doc string) Metric {
	return Metric{Name: name, Unit: unit, Kind: protocol.Info, Doc: doc}
}

// Above returns a check that a metric at or above one of two levels crosses.
func Above(metric string, warn, critical float64, resource, says, ask, advice string) Check {
	return Check{
		Metric: metric, Op: protocol.Above, Warn: Level(warn), Critical: Level(critical),
		Resource: resource, Says: says, Ask: ask, Advice: advice,
	}
}

// Below returns a check that a metric at or below one of two levels crosses.
func Below(metric string, warn, critical float64, resource, says, ask, advice string) Check {
	c := Above(metric, warn, critical, resource, says, ask, advice)
	c.Op = protocol.Below
	return c
}

// Limit returns the parameter "limit", which bounds a list.
func Limit(def, most float64, doc string) Param {
	return Param{Name: "limit", Type: "integer", Doc: doc, Default: def, Min: Level(1), Max: Level(most)}
}
