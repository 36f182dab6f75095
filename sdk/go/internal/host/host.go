// Package host is the interface `host` of the contract: what the host gives to every plugin. In WebAssembly these are
// calls of the host; elsewhere the same is done in Go, so that plugins can be tested.
package host

// Match is where a pattern was found: in which text, from where to where.
type Match struct{ Text, Pattern, Start, End int }

// Kinds of metrics.
const (
	Counter   = 0
	Gauge     = 1
	Histogram = 2
)
