// Package plugintest tests plugins with `go test`: it shows them batches that the test makes up, as the host would, and
// makes their changes.
//
//	func TestMask(t *testing.T) {
//		plugin := plugintest.Attributes(t, &Plugin{}, `{"mask": ["user.email"]}`)
//		spans := plugin.Traces(plugintest.Item{"user.email": "ann@example.com", "span.name": "GET /"})
//		if spans[0]["user.email"] != "****" {
//			t.Error(spans)
//		}
//	}
//
// A batch has one resource and one scope here. The cases under cases/ test the rest, in the real host.
package plugintest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"tailrace"
	"tailrace/attributes"
	"tailrace/internal/columns"
	"tailrace/internal/guest"
	"tailrace/internal/host"
	"tailrace/sampler"
)

// Item is a span, a log record or a data point, or a resource: its attributes and fields ("span.name"). Values are
// strings, bools, ints, int64s, float64s and []bytes; whole numbers come back as int64.
type Item map[string]any

// Configure fills a plugin from its configuration, as the host does it.
func Configure(plugin tailrace.Plugin, config string) (tailrace.Interest, error) {
	return guest.Configure(plugin, config)
}

// Counted is what a metric of the plugin has: the sum of a counter, the value of a gauge, the number of values of a
// histogram. Metrics live as long as the test process.
func Counted(name string, labels ...string) float64 { return host.Recorded(name, labels) }

// AttributesPlugin is a plugin under test.
type AttributesPlugin struct {
	// Resource that the items come from; the plugin's changes are made in it.
	Resource Item

	t        testing.TB
	plugin   attributes.Plugin
	interest tailrace.Interest
	batch    attributes.Batch
}

// Attributes configures a plugin of that kind. The test ends if the plugin refuses its configuration.
func Attributes(t testing.TB, plugin attributes.Plugin, config string) *AttributesPlugin {
	t.Helper()
	interest, err := Configure(plugin, config)
	if err != nil {
		t.Fatalf("the plugin refuses its configuration: %v", err)
	}
	return &AttributesPlugin{Resource: Item{}, t: t, plugin: plugin, interest: interest}
}

// Traces shows the plugin a batch of spans, and gives those that are left.
func (p *AttributesPlugin) Traces(spans ...Item) []Item {
	p.t.Helper()
	return p.run(tailrace.Traces, spans)
}

// Logs shows the plugin a batch of log records, and gives those that are left.
func (p *AttributesPlugin) Logs(records ...Item) []Item {
	p.t.Helper()
	return p.run(tailrace.Logs, records)
}

// Metrics shows the plugin a batch of data points of one metric, and gives those that are left.
func (p *AttributesPlugin) Metrics(points ...Item) []Item {
	p.t.Helper()
	return p.run(tailrace.Metrics, points)
}

// Try is as [AttributesPlugin.Traces] and the others, for tests of a plugin's own errors.
func (p *AttributesPlugin) Try(signal tailrace.Signal, items ...Item) ([]Item, error) {
	shown := projection{interest: p.interest}
	shown.add(tailrace.Resource, 0, p.Resource)
	left := make([]Item, len(items))
	for index, item := range items {
		left[index] = maps.Clone(item)
		shown.add(tailrace.Item, uint32(index), left[index])
	}
	edits, err := attributes.Run(p.plugin, &p.batch, signal, p.interest.Fields, shown.finish(signal, uint32(len(items))))
	if err != nil {
		return nil, err
	}
	return p.change(edits, &shown, left), nil
}

func (p *AttributesPlugin) run(signal tailrace.Signal, items []Item) []Item {
	p.t.Helper()
	left, err := p.Try(signal, items...)
	if err != nil {
		p.t.Fatalf("the plugin refuses the batch: %v", err)
	}
	return left
}

// change makes the changes, as the host does: first those of rows, then the additions.
func (p *AttributesPlugin) change(edits *columns.Edits, shown *projection, items []Item) []Item {
	start := uint32(0)
	for index, row := range edits.Rows {
		at := shown.places[row]
		if edits.Actions[index] == 1 {
			delete(at.item, at.key)
		} else {
			at.item[at.key] = decode(edits.Kinds[index], edits.Data[start:edits.Ends[index]])
		}
		start = edits.Ends[index]
	}
	added := &edits.Additions
	start = 0
	dropped := make([]bool, len(items))
	for index, owner := range added.Owners {
		data := added.Data[start:added.Ends[index]]
		start = added.Ends[index]
		level := tailrace.Level(added.Levels[index])
		if added.Actions[index] == 2 {
			for item := range dropped {
				dropped[item] = dropped[item] || level != tailrace.Item || item == int(owner)
			}
			continue
		}
		var to Item
		switch level {
		case tailrace.Resource:
			to = p.Resource
		case tailrace.Item:
			to = items[owner]
		default:
			continue
		}
		from := uint32(0)
		if added.Keys[index] > 0 {
			from = added.NameEnds[added.Keys[index]-1]
		}
		key := string(added.Names[from:added.NameEnds[added.Keys[index]]])
		if _, there := to[key]; !there || added.Actions[index] == 0 {
			to[key] = decode(added.Kinds[index], data)
		}
	}
	left := items[:0]
	for index, item := range items {
		if !dropped[index] {
			left = append(left, item)
		}
	}
	return left
}

// SamplerPlugin is a plugin under test.
type SamplerPlugin struct {
	t        testing.TB
	plugin   sampler.Plugin
	interest tailrace.Interest
	batch    columns.Batch
}

// Trace is what a sampler is asked about.
type Trace struct {
	// Spans with their attributes and fields.
	Spans []Item
	// ErrorCount is how many of them have status error.
	ErrorCount uint32
	// Duration of the trace.
	Duration time.Duration
	// LastCall says that it is shown for the last time.
	LastCall bool
}

// Sampler configures a plugin of that kind. The test ends if the plugin refuses its configuration.
func Sampler(t testing.TB, plugin sampler.Plugin, config string) *SamplerPlugin {
	t.Helper()
	interest, err := Configure(plugin, config)
	if err != nil {
		t.Fatalf("the plugin refuses its configuration: %v", err)
	}
	return &SamplerPlugin{t: t, plugin: plugin, interest: interest}
}

// Spans asks about a trace that has these spans.
func (p *SamplerPlugin) Spans(spans ...Item) sampler.Decision {
	p.t.Helper()
	return p.Decide(Trace{Spans: spans})[0]
}

// Decide asks about traces, all at once.
func (p *SamplerPlugin) Decide(traces ...Trace) []sampler.Decision {
	p.t.Helper()
	shown := projection{interest: p.interest}
	var in sampler.Traces
	item := uint32(0)
	for index, trace := range traces {
		for _, span := range trace.Spans {
			shown.add(tailrace.Item, item, span)
			item++
		}
		in.IDs = append(append(in.IDs, make([]byte, 15)...), byte(index+1))
		in.SpanCounts = append(in.SpanCounts, uint32(len(trace.Spans)))
		in.ErrorCounts = append(in.ErrorCounts, trace.ErrorCount)
		in.Starts = append(in.Starts, 1700000000000000000)
		in.Durations = append(in.Durations, uint64(trace.Duration))
		in.Sizes = append(in.Sizes, uint64(100*len(trace.Spans)))
		last := uint8(0)
		if trace.LastCall {
			last = 1
		}
		in.LastCalls = append(in.LastCalls, last)
		in.ItemEnds = append(in.ItemEnds, item)
	}
	in.Values = shown.finish(tailrace.Traces, item)
	decisions, err := sampler.Decide(p.plugin, &p.batch, p.interest.Fields, in)
	if err != nil {
		p.t.Fatalf("the plugin has no opinion: %v", err)
	}
	return decisions
}

// projection collects what a plugin asked for.
type projection struct {
	columns.Projection
	interest tailrace.Interest
	data     []byte
	names    []string
	places   []place
}

// place is where the value of a row comes from.
type place struct {
	item Item
	key  string
}

func (p *projection) add(level tailrace.Level, owner uint32, item Item) {
	for _, key := range slices.Sorted(maps.Keys(item)) {
		field := slices.Index(p.interest.Fields, key)
		number := uint32(field) + 1<<31
		if level != tailrace.Item || field < 0 {
			if !p.wants(level, key) {
				continue
			}
			number = p.name(key)
		}
		value := encode(item[key])
		p.Owners = append(p.Owners, owner)
		p.Levels = append(p.Levels, uint8(level))
		p.Keys = append(p.Keys, number)
		p.Kinds = append(p.Kinds, uint8(value.Kind()))
		p.data = tailrace.AppendValue(p.data, value)
		p.Ends = append(p.Ends, uint32(len(p.data)))
		p.places = append(p.places, place{item, key})
	}
}

func (p *projection) wants(level tailrace.Level, key string) bool {
	if len(p.interest.Levels) > 0 && !slices.Contains(p.interest.Levels, level) {
		return false
	}
	return slices.ContainsFunc(p.interest.Attributes, func(wanted string) bool {
		start, isPrefix := strings.CutSuffix(wanted, "*")
		return wanted == key || isPrefix && strings.HasPrefix(key, start)
	})
}

func (p *projection) name(key string) uint32 {
	index := slices.Index(p.names, key)
	if index < 0 {
		index = len(p.names)
		p.names = append(p.names, key)
	}
	return uint32(index)
}

func (p *projection) finish(signal tailrace.Signal, items uint32) columns.Projection {
	p.ResourceEnds, p.ScopeEnds, p.Items = []uint32{1}, []uint32{items}, items
	if signal == tailrace.Metrics {
		p.ScopeEnds, p.MetricEnds = []uint32{1}, []uint32{items}
	}
	p.Data = string(p.data)
	for _, name := range p.names {
		p.Names += name
		p.NameEnds = append(p.NameEnds, uint32(len(p.Names)))
	}
	return p.Projection
}

func encode(value any) tailrace.Value {
	switch value := value.(type) {
	case string:
		return tailrace.String(value)
	case bool:
		return tailrace.Bool(value)
	case int:
		return tailrace.Int(int64(value))
	case int64:
		return tailrace.Int(value)
	case float64:
		return tailrace.Float(value)
	case []byte:
		return tailrace.Bytes(value)
	default:
		panic(fmt.Sprintf("plugintest: a value cannot be a %T", value))
	}
}

func decode(kind uint8, data []byte) any {
	value := tailrace.DecodeValue(tailrace.Kind(kind), string(data))
	if text, ok := value.AsString(); ok {
		return text
	}
	if truth, ok := value.AsBool(); ok {
		return truth
	}
	if number, ok := value.AsInt(); ok {
		return number
	}
	if number, ok := value.AsFloat(); ok {
		return number
	}
	bytes, _ := value.AsBytes()
	return bytes
}
