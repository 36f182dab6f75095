package tailrace

import (
	"fmt"

	"tailrace/internal/host"
)

// LogLevel says how important a line is.
type LogLevel uint32

const (
	TraceLevel LogLevel = iota
	DebugLevel
	InfoLevel
	WarnLevel
	ErrorLevel
)

// Logf writes a line to the log of the host, with the name of the plugin. Lines are cut at 4 KiB, and those that exceed
// the plugin's rate are dropped and counted. Never put values of telemetry into a log.
func Logf(level LogLevel, format string, arguments ...any) {
	host.Log(uint32(level), fmt.Sprintf(format, arguments...))
}

// Counter is a sum that only grows, in the host's metrics as plugin_<name>. The zero value counts nothing.
type Counter struct{ series }

// Gauge is a value that may go up and down. The zero value keeps nothing.
type Gauge struct{ series }

// Histogram is a distribution of values. The zero value keeps nothing.
type Histogram struct{ series }

type series struct {
	number uint32
	open   bool
}

// NewCounter opens a counter; labels are names and values in turn. Names are lower-case letters, digits and "_".
// The error says what the host has against it; the counter can be used all the same, and counts nothing.
func NewCounter(name string, labels ...string) (Counter, error) {
	series, err := open(host.Counter, name, labels)
	return Counter{series}, err
}

// NewGauge opens a gauge, see [NewCounter].
func NewGauge(name string, labels ...string) (Gauge, error) {
	series, err := open(host.Gauge, name, labels)
	return Gauge{series}, err
}

// NewHistogram opens a histogram, see [NewCounter].
func NewHistogram(name string, labels ...string) (Histogram, error) {
	series, err := open(host.Histogram, name, labels)
	return Histogram{series}, err
}

func open(kind uint32, name string, labels []string) (series, error) {
	if len(labels)%2 != 0 {
		return series{}, fmt.Errorf("metric %s: the label %q has no value", name, labels[len(labels)-1])
	}
	number, err := host.OpenMetric(kind, name, labels)
	return series{number, err == nil}, err
}

func (s series) record(value float64) {
	if s.open {
		host.RecordMetric(s.number, value)
	}
}

// Add adds to the counter.
func (c Counter) Add(value float64) { c.record(value) }

// Set sets the gauge.
func (g Gauge) Set(value float64) { g.record(value) }

// Record records a value.
func (h Histogram) Record(value float64) { h.record(value) }

// Patterns is a set of regular expressions that the host has compiled. They are faster than Go's package regexp in
// WebAssembly, if many texts are asked for at once, and have the same syntax.
type Patterns struct {
	set   uint32
	count int
}

// Match is where a pattern of a set was found: in which of the texts, and from where to where in it, in bytes.
type Match = host.Match

// CompilePatterns compiles regular expressions. Do it in Configure.
func CompilePatterns(patterns ...string) (Patterns, error) {
	set, err := host.CompilePatterns(patterns)
	return Patterns{set, len(patterns)}, err
}

// Match says which patterns match in which texts; Start and End of the answers are 0.
func (p Patterns) Match(texts ...string) []Match {
	if p.count == 0 {
		return nil
	}
	return host.MatchPatterns(p.set, texts)
}

// Find says where patterns match in texts.
func (p Patterns) Find(texts ...string) []Match {
	if p.count == 0 {
		return nil
	}
	return host.FindPatterns(p.set, texts)
}

// Names are the names of the groups of a pattern; group 0 is the whole match, and "" a group without a name.
func (p Patterns) Names(pattern int) []string {
	if pattern < 0 || pattern >= p.count {
		return nil
	}
	return host.PatternGroups(p.set, pattern)
}

// Groups says from where to where each group of the first match is, -1 for a group that took no part in it; nil if the
// pattern does not match.
func (p Patterns) Groups(pattern int, text string) [][2]int {
	if pattern < 0 || pattern >= p.count {
		return nil
	}
	return host.CaptureGroups(p.set, pattern, text)
}

// Hash gives the hash of each text. Algorithms: "md5", "sha1", "sha256", "sha512", "sha3-256", "hmac-sha256",
// "hmac-sha512"; the last two need a key. Values that can be guessed are only safe with a secret key and "hmac-".
func Hash(algorithm string, key []byte, texts ...string) ([][]byte, error) {
	all, err := host.HashTexts(algorithm, key, texts)
	if err != nil {
		return nil, err
	}
	hashes := make([][]byte, len(texts))
	for index := range hashes {
		length := len(all) / len(texts)
		hashes[index] = all[index*length : (index+1)*length]
	}
	return hashes, nil
}
