// Package processor is for plugins that transform, filter or enrich whole batches.
//
// A batch is an encoded OTLP request. Read and write it with go.opentelemetry.io/proto/otlp and
// google.golang.org/protobuf/proto: the bytes are those of a TracesData, a MetricsData or a LogsData, or of the Export
// requests, which are the same. To decode a batch in WebAssembly costs far more than package attributes does: use that if
// it can do what you want.
//
//	func (e *Enrich) Process(signal tailrace.Signal, batch []byte) (processor.Outcome, error) {
//		var data tracepb.TracesData
//		if err := proto.Unmarshal(batch, &data); err != nil {
//			return processor.Unchanged, err
//		}
//		...
//		changed, err := proto.Marshal(&data)
//		return processor.Replace(changed), err
//	}
//
//	func init() { processor.Export(&Enrich{}, tailrace.Info{Name: "enrich", Version: "0.1.0"}) }
//	func main() {}
package processor

import (
	"tailrace"
	"tailrace/internal/guest"
)

// Plugin is what [Export] takes.
type Plugin interface {
	tailrace.Plugin
	// Process takes one batch. The bytes must not be changed. An error refuses the batch, for good unless it is
	// [tailrace.Retryable].
	Process(signal tailrace.Signal, batch []byte) (Outcome, error)
}

// Outcome is what became of a batch.
type Outcome struct {
	kind uint32
	data []byte
}

// Unchanged passes the batch on as it is. Costs nothing.
var Unchanged = Outcome{}

// Replace puts another batch of the same signal in its place, with at most as many items. The host checks it as if it
// had come from outside. A batch without items drops all of them.
func Replace(batch []byte) Outcome { return Outcome{1, batch} }

// Drop drops the batch, and counts it under this reason: a few words in lower case, few different ones.
func Drop(reason string) Outcome { return Outcome{2, []byte(reason)} }

// IsUnchanged says whether the batch is passed on as it is.
func (o Outcome) IsUnchanged() bool { return o.kind == 0 }

// Replaced gives the batch that takes the place, if there is one.
func (o Outcome) Replaced() ([]byte, bool) { return o.data, o.kind == 1 }

// Dropped gives the reason for which the batch is dropped, if it is.
func (o Outcome) Dropped() (string, bool) {
	if o.kind != 2 {
		return "", false
	}
	return string(o.data), true
}

var exported Plugin

// Export makes the plugin the one of this component. Its fields have their defaults; the configuration is filled in later.
// Call it in init.
func Export(plugin Plugin, info tailrace.Info) {
	exported = plugin
	guest.Export(plugin, info)
}
