// Package sampler is for plugins that decide which traces are kept. A policy of tail sampling calls them.
//
//	type KeepOrders struct {
//		MinAmount float64 `json:"min_amount"`
//	}
//
//	func (k *KeepOrders) Configure() (tailrace.Interest, error) {
//		return tailrace.Interest{Attributes: []string{"order.amount"}}, nil
//	}
//
//	func (k *KeepOrders) Decide(trace *sampler.Trace) (sampler.Decision, error) {
//		for span := range trace.Spans() {
//			if amount, ok := span.Get("order.amount").AsNumber(); ok && amount >= k.MinAmount {
//				return sampler.Sample, nil
//			}
//		}
//		return sampler.NotSampled, nil
//	}
//
//	func init() { sampler.Export(&KeepOrders{}, tailrace.Info{Name: "keep-orders", Version: "0.1.0"}) }
//	func main() {}
package sampler

import (
	"iter"
	"time"

	"tailrace"
	"tailrace/internal/columns"
	"tailrace/internal/guest"
)

// Plugin is what [Export] takes. It may also have a method WantsSpans() bool: if it says true, [Trace.Encoded] holds
// whole spans.
type Plugin interface {
	tailrace.Plugin
	// Decide says what is to become of a trace. An error means that the plugin has no opinion on any of the traces that
	// are shown at this time.
	Decide(trace *Trace) (Decision, error)
}

// Decision is what is to become of a trace.
type Decision struct {
	kind         uint8
	hasThreshold bool
	threshold    uint64
}

var (
	// Sample keeps it.
	Sample = Decision{}
	// NotSampled does not keep it because of this plugin; another policy may.
	NotSampled = Decision{kind: 1}
	// Drop does not keep it, whatever other policies say.
	Drop = Decision{kind: 2}
	// Undecided asks again, with the spans that will have come by then.
	Undecided = Decision{kind: 3}
)

// SampleAt keeps it with the threshold of OpenTelemetry's consistent probability sampling (56 bits): traces whose
// randomness is below were rejected.
func SampleAt(threshold uint64) Decision { return Decision{0, true, threshold} }

// String is the decision as in the expected.json of a case.
func (d Decision) String() string {
	return [...]string{"sample", "not-sampled", "drop", "undecided"}[d.kind]
}

// Trace is a trace that waits for a decision. It is good for one call.
type Trace struct {
	// ID of the trace.
	ID [16]byte
	// SpanCount is how many spans arrived, ErrorCount how many of them have status error.
	SpanCount, ErrorCount uint32
	// Start is the earliest start.
	Start time.Time
	// Duration is the time from the earliest start to the latest end.
	Duration time.Duration
	// Size is how many bytes its spans have.
	Size uint64
	// LastCall says that the trace is shown for the last time: Undecided then counts as NotSampled.
	LastCall bool
	// Encoded is an encoded TracesData of its spans; empty unless the plugin wants spans.
	Encoded []byte

	batch *columns.Batch
	// Its spans among the items of the batch.
	start, end uint32
}

// Spans are its spans with the values that the plugin asked for. Of a trace with very many spans, the first ones.
func (t *Trace) Spans() iter.Seq[Node] {
	return func(yield func(Node) bool) {
		for index := t.start; index < t.end; index++ {
			if !yield(Node{columns.Node{Batch: t.batch, Level: tailrace.Item, Index: index}}) {
				return
			}
		}
	}
}

// Node is a span, or the resource or the scope of one.
type Node struct{ node columns.Node }

// Get is the value of its attribute with this key, or of its field with this name; no value if there is none, or if the
// plugin did not ask for it.
func (n Node) Get(key string) tailrace.Value {
	if row, ok := n.node.Find(key); ok {
		return n.node.Batch.Value(row)
	}
	return tailrace.Value{}
}

// Attributes are all values of it that the plugin asked for; those of a span with those of its events and links.
func (n Node) Attributes() iter.Seq2[string, tailrace.Value] {
	return func(yield func(string, tailrace.Value) bool) {
		for row := range n.node.Rows() {
			if !yield(n.node.Batch.Key(row), n.node.Batch.Value(row)) {
				return
			}
		}
	}
}

// Resource is the resource that a span comes from.
func (n Node) Resource() Node { return n.above(tailrace.Resource) }

// Scope is the instrumentation scope that a span comes from.
func (n Node) Scope() Node { return n.above(tailrace.Scope) }

func (n Node) above(level tailrace.Level) Node {
	node, ok := n.node.Above(level)
	if !ok {
		panic("tailrace: a resource has no scope")
	}
	return Node{node}
}

var exported Plugin

// Export makes the plugin the one of this component. Its fields have their defaults; the configuration is filled in later.
// Call it in init.
func Export(plugin Plugin, info tailrace.Info) {
	exported = plugin
	guest.Export(plugin, info)
}

func wantsSpans(plugin Plugin) bool {
	wants, ok := plugin.(interface{ WantsSpans() bool })
	return ok && wants.WantsSpans()
}

// Traces is the record `traces` of the contract.
type Traces struct {
	IDs                      []byte
	SpanCounts, ErrorCounts  []uint32
	Starts, Durations, Sizes []uint64
	LastCalls                []uint8
	ItemEnds, SpanEnds       []uint32
	Spans                    []byte
	Values                   columns.Projection
}

// Decide asks a plugin about traces. For this SDK itself.
func Decide(plugin Plugin, batch *columns.Batch, fields []string, traces Traces) ([]Decision, error) {
	batch.Reset(tailrace.Traces, fields, traces.Values)
	decisions := make([]Decision, 0, len(traces.SpanCounts))
	start, encoded := uint32(0), uint32(0)
	for index, end := range traces.ItemEnds {
		trace := Trace{
			ID:         [16]byte(traces.IDs[16*index:]),
			SpanCount:  traces.SpanCounts[index],
			ErrorCount: traces.ErrorCounts[index],
			Start:      time.Unix(0, int64(traces.Starts[index])),
			Duration:   time.Duration(traces.Durations[index]),
			Size:       traces.Sizes[index],
			LastCall:   traces.LastCalls[index] != 0,
			batch:      batch,
			start:      start,
			end:        end,
		}
		if index < len(traces.SpanEnds) {
			trace.Encoded = traces.Spans[encoded:traces.SpanEnds[index]]
			encoded = traces.SpanEnds[index]
		}
		decision, err := plugin.Decide(&trace)
		if err != nil {
			return nil, err
		}
		decisions = append(decisions, decision)
		start = end
	}
	return decisions, nil
}
