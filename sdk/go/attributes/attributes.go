// Package attributes is for plugins that read, change, add or remove single attributes, or drop items because of them.
//
//	type Tidy struct {
//		Mask []string `json:"mask"`
//	}
//
//	func (t *Tidy) Configure() (tailrace.Interest, error) {
//		return tailrace.Interest{Attributes: t.Mask}, nil
//	}
//
//	func (t *Tidy) Apply(batch *attributes.Batch) error {
//		for attribute := range batch.Attributes() {
//			attribute.Set(tailrace.String("****"))
//		}
//		return nil
//	}
//
//	func init() { attributes.Export(&Tidy{}, tailrace.Info{Name: "tidy", Version: "0.1.0"}) }
//	func main() {}
//
// A batch shows what came in, to the end of the call: changes are made afterwards by the host, so that they can be
// wrong, but never malformed. Strings of a batch may be kept for as long as one likes, but each holds on to the memory
// of its batch; [strings.Clone] those that are kept for long.
package attributes

import (
	"iter"

	"tailrace"
	"tailrace/internal/columns"
	"tailrace/internal/guest"
)

// Plugin is what [Export] takes.
type Plugin interface {
	tailrace.Plugin
	// Apply looks at the values of one batch and says what to change. An error refuses the batch, for good unless it is
	// [tailrace.Retryable].
	Apply(batch *Batch) error
}

var exported Plugin

// Export makes the plugin the one of this component. Its fields have their defaults; the configuration is filled in later.
// Call it in init.
func Export(plugin Plugin, info tailrace.Info) {
	exported = plugin
	guest.Export(plugin, info)
}

// Batch is the values that a plugin asked for, from one batch. It is good for one call.
type Batch struct {
	columns columns.Batch
	edits   columns.Edits
}

// Signal is the kind of telemetry.
func (b *Batch) Signal() tailrace.Signal { return b.columns.Signal }

// Attributes are all values: attributes and fields, of resources, scopes, metrics, items, events, links and exemplars.
func (b *Batch) Attributes() iter.Seq[Attribute] {
	return func(yield func(Attribute) bool) {
		for row := range b.columns.Owners {
			if !yield(Attribute{b, uint32(row)}) {
				return
			}
		}
	}
}

// Items are all spans, log records or data points, also those that have no value that the plugin asked for.
func (b *Batch) Items() iter.Seq[Node] { return b.nodes(tailrace.Item) }

// Resources are all resources.
func (b *Batch) Resources() iter.Seq[Node] { return b.nodes(tailrace.Resource) }

// Scopes are all instrumentation scopes.
func (b *Batch) Scopes() iter.Seq[Node] { return b.nodes(tailrace.Scope) }

// Metrics are all metrics; none unless the signal is metrics.
func (b *Batch) Metrics() iter.Seq[Node] { return b.nodes(tailrace.Metric) }

func (b *Batch) nodes(level tailrace.Level) iter.Seq[Node] {
	return func(yield func(Node) bool) {
		for node := range b.columns.Nodes(level) {
			if !yield(Node{b, node}) {
				return
			}
		}
	}
}

// Attribute is one value that the plugin asked for: an attribute or a field.
type Attribute struct {
	batch *Batch
	row   uint32
}

// Key is its key, or the name of the field.
func (a Attribute) Key() string { return a.batch.columns.Key(a.row) }

// IsField says whether it is a field, such as "span.name", and no attribute.
func (a Attribute) IsField() bool { return a.batch.columns.IsField(a.row) }

// Level says where it lives.
func (a Attribute) Level() tailrace.Level { return a.batch.columns.Level(a.row) }

// Value is what came in.
func (a Attribute) Value() tailrace.Value { return a.batch.columns.Value(a.row) }

// Owner is the resource, the scope, the metric or the item that it belongs to; the item for what belongs to an event, a
// link or an exemplar.
func (a Attribute) Owner() Node {
	node, _ := a.batch.columns.Owner(a.row)
	return Node{a.batch, node}
}

// Set gives it another value. Nested values and no value cannot be set: then it stays, and the answer is false.
func (a Attribute) Set(value tailrace.Value) bool {
	if !settable(value) {
		return false
	}
	a.batch.edits.Set(&a.batch.columns, a.row, value)
	return true
}

// Remove removes it. A field stays.
func (a Attribute) Remove() {
	if !a.IsField() {
		a.batch.edits.Remove(&a.batch.columns, a.row)
	}
}

// Node is a resource, a scope, a metric, or an item: a span, a log record or a data point.
type Node struct {
	batch *Batch
	node  columns.Node
}

// Level is Resource, Scope, Metric or Item.
func (n Node) Level() tailrace.Level { return n.node.Level }

// Get is the value of its own attribute with this key, or of its field with this name; no value if there is none, or if
// the plugin did not ask for it.
func (n Node) Get(key string) tailrace.Value {
	if row, ok := n.node.Find(key); ok {
		return n.batch.columns.Value(row)
	}
	return tailrace.Value{}
}

// Attributes are all values of it that the plugin asked for; those of an item with those of its events, links and
// exemplars.
func (n Node) Attributes() iter.Seq[Attribute] {
	return func(yield func(Attribute) bool) {
		for row := range n.node.Rows() {
			if !yield(Attribute{n.batch, row}) {
				return
			}
		}
	}
}

// Set gives it an attribute, whether it is there or not, or sets its field with this name. Nested values and no value
// cannot be set: then nothing happens, and the answer is false.
func (n Node) Set(key string, value tailrace.Value) bool {
	if !settable(value) {
		return false
	}
	if row, ok := n.node.Find(key); ok {
		return Attribute{n.batch, row}.Set(value)
	}
	n.batch.edits.Additions.Set(n.node, key, value)
	return true
}

// Insert gives it an attribute, if it has none with this key; also attributes that the plugin did not ask for count.
func (n Node) Insert(key string, value tailrace.Value) bool {
	if !settable(value) {
		return false
	}
	if _, ok := n.node.Attribute(key); !ok {
		n.batch.edits.Additions.Insert(n.node, key, value)
	}
	return true
}

// Remove removes its own attribute with this key, if the plugin asked for it.
func (n Node) Remove(key string) {
	if row, ok := n.node.Attribute(key); ok {
		n.batch.edits.Remove(&n.batch.columns, row)
	}
}

// Drop drops the item; for a resource, a scope or a metric, every item in it.
func (n Node) Drop() { n.batch.edits.Additions.Drop(n.node) }

// Resource is the resource that it comes from, or it itself.
func (n Node) Resource() Node { return n.above(tailrace.Resource) }

// Scope is the instrumentation scope that it comes from, or it itself.
func (n Node) Scope() Node { return n.above(tailrace.Scope) }

// Metric is the metric that a data point belongs to, or it itself.
func (n Node) Metric() Node { return n.above(tailrace.Metric) }

func (n Node) above(level tailrace.Level) Node {
	node, ok := n.node.Above(level)
	if !ok {
		panic("tailrace: there is no such thing above this one")
	}
	return Node{n.batch, node}
}

func settable(value tailrace.Value) bool {
	return value.Kind() != tailrace.NoValue && value.Kind() != tailrace.NestedKind
}
