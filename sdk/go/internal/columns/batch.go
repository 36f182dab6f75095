// Package columns reads the columns in which the host hands over values, and knows what belongs to what.
package columns

import (
	"iter"
	"sort"
	"strings"

	"tailrace"
)

// fieldBit marks the key of a row as that of a field.
const fieldBit = 1 << 31

// Projection is the record `projection` of the contract.
type Projection struct {
	ResourceEnds, ScopeEnds, MetricEnds []uint32
	Items                               uint32
	Owners                              []uint32
	Levels                              []uint8
	Keys                                []uint32
	Kinds                               []uint8
	Ends                                []uint32
	Data                                string
	NameEnds                            []uint32
	Names                               string
}

// Batch is a projection with what is needed to find things in it. The zero value is ready for [Batch.Reset].
type Batch struct {
	Projection
	Signal tailrace.Signal
	fields []string
	names  []string
	// The rows of each resource, scope, item and metric.
	rows [4][]span
}

// span is a range: of rows, or of what lies in something.
type span struct{ start, end uint32 }

// Node is a resource, a scope, a metric or an item of a batch.
type Node struct {
	Batch *Batch
	// Resource, Scope, Metric or Item.
	Level tailrace.Level
	Index uint32
}

// Reset takes another projection. `fields` are those of the interest, in its order.
func (b *Batch) Reset(signal tailrace.Signal, fields []string, projection Projection) {
	b.Projection, b.Signal, b.fields = projection, signal, fields
	b.names = b.names[:0]
	start := uint32(0)
	for _, end := range b.NameEnds {
		b.names = append(b.names, b.Names[start:end])
		start = end
	}
	for _, level := range []tailrace.Level{tailrace.Resource, tailrace.Scope, tailrace.Metric, tailrace.Item} {
		slot, count := slot(level), b.Count(level)
		rows := b.rows[slot]
		if cap(rows) < count {
			rows = make([]span, count)
		}
		rows = rows[:count]
		clear(rows)
		b.rows[slot] = rows
	}
	for row, owner := range b.Owners {
		slot := slot(tailrace.Level(b.Levels[row]))
		if slot < 0 || int(owner) >= len(b.rows[slot]) {
			continue
		}
		rows := &b.rows[slot][owner]
		if rows.end == 0 {
			rows.start = uint32(row)
		}
		rows.end = uint32(row) + 1
	}
}

// slot is where the rows of what owns values of this level are kept; -1 for levels that are not known.
func slot(level tailrace.Level) int {
	switch level {
	case tailrace.Resource:
		return 0
	case tailrace.Scope:
		return 1
	case tailrace.Metric:
		return 2
	case tailrace.Item, tailrace.Event, tailrace.Link, tailrace.Exemplar:
		return 3
	default:
		return -1
	}
}

// Count is how many resources, scopes, metrics or items there are.
func (b *Batch) Count(level tailrace.Level) int {
	switch level {
	case tailrace.Resource:
		return len(b.ResourceEnds)
	case tailrace.Scope:
		return len(b.ScopeEnds)
	case tailrace.Metric:
		return len(b.MetricEnds)
	default:
		return int(b.Items)
	}
}

// Nodes are all resources, scopes, metrics or items.
func (b *Batch) Nodes(level tailrace.Level) iter.Seq[Node] {
	return b.nodes(level, span{0, uint32(b.Count(level))})
}

func (b *Batch) nodes(level tailrace.Level, of span) iter.Seq[Node] {
	return func(yield func(Node) bool) {
		for index := of.start; index < of.end; index++ {
			if !yield(Node{b, level, index}) {
				return
			}
		}
	}
}

// Key is the key or the name of the field of a row.
func (b *Batch) Key(row uint32) string {
	key := b.Keys[row]
	from := b.names
	if key >= fieldBit {
		key, from = key-fieldBit, b.fields
	}
	if int(key) < len(from) {
		return from[key]
	}
	return ""
}

// IsField says whether a row is a field.
func (b *Batch) IsField(row uint32) bool { return b.Keys[row] >= fieldBit }

// Level is where the value of a row lives.
func (b *Batch) Level(row uint32) tailrace.Level { return tailrace.Level(b.Levels[row]) }

// Value is the value of a row.
func (b *Batch) Value(row uint32) tailrace.Value {
	start := uint32(0)
	if row > 0 {
		start = b.Ends[row-1]
	}
	return tailrace.DecodeValue(tailrace.Kind(b.Kinds[row]), b.Data[start:b.Ends[row]])
}

// Owner is what a row belongs to; false for levels that this SDK does not know.
func (b *Batch) Owner(row uint32) (Node, bool) {
	level := tailrace.Level(b.Levels[row])
	if slot(level) < 0 {
		return Node{}, false
	}
	if slot(level) == 3 {
		level = tailrace.Item
	}
	return Node{b, level, b.Owners[row]}, true
}

// names has few entries, but for plugins that ask for everything, and those rarely look for one key.
func (b *Batch) keyOf(name string) (uint32, bool) {
	for index, known := range b.names {
		if known == name {
			return uint32(index), true
		}
	}
	return 0, false
}

func (b *Batch) fieldOf(name string) (uint32, bool) {
	if !strings.Contains(name, ".") {
		return 0, false
	}
	for index, known := range b.fields {
		if known == name {
			return uint32(index) + fieldBit, true
		}
	}
	return 0, false
}

// Rows are all rows of the node; those of an item with its events, links and exemplars.
func (n Node) Rows() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		slot := slot(n.Level)
		of := n.Batch.rows[slot][n.Index]
		for row := of.start; row < of.end; row++ {
			if n.owns(row, slot) && !yield(row) {
				return
			}
		}
	}
}

func (n Node) owns(row uint32, of int) bool {
	return n.Batch.Owners[row] == n.Index && slot(tailrace.Level(n.Batch.Levels[row])) == of
}

// Attribute finds the row of the node's own attribute with this key.
func (n Node) Attribute(key string) (uint32, bool) {
	index, ok := n.Batch.keyOf(key)
	if !ok {
		return 0, false
	}
	return n.find(index)
}

// Find finds the row of the node's own attribute with this key, or its field with this name.
func (n Node) Find(name string) (uint32, bool) {
	if row, ok := n.Attribute(name); ok {
		return row, true
	}
	index, ok := n.Batch.fieldOf(name)
	if !ok {
		return 0, false
	}
	return n.find(index)
}

func (n Node) find(key uint32) (uint32, bool) {
	of := n.Batch.rows[slot(n.Level)][n.Index]
	for row := of.start; row < of.end; row++ {
		if n.Batch.Keys[row] == key && n.Batch.Levels[row] == uint8(n.Level) && n.Batch.Owners[row] == n.Index {
			return row, true
		}
	}
	return 0, false
}

// Parent is the scope of an item or a metric, and the resource of a scope; for a data point, its metric.
func (n Node) Parent() (Node, bool) {
	b := n.Batch
	up := func(level tailrace.Level, ends []uint32) (Node, bool) {
		index := sort.Search(len(ends), func(at int) bool { return ends[at] > n.Index })
		return Node{b, level, uint32(index)}, index < len(ends)
	}
	switch {
	case n.Level == tailrace.Item && b.Signal == tailrace.Metrics:
		return up(tailrace.Metric, b.MetricEnds)
	case n.Level == tailrace.Item || n.Level == tailrace.Metric:
		return up(tailrace.Scope, b.ScopeEnds)
	case n.Level == tailrace.Scope:
		return up(tailrace.Resource, b.ResourceEnds)
	default:
		return Node{}, false
	}
}

// Above is the parent, or the parent's parent, or ..., on this level; the node itself if it is on it.
func (n Node) Above(level tailrace.Level) (Node, bool) {
	for ok := true; ok; n, ok = n.Parent() {
		if n.Level == level {
			return n, true
		}
	}
	return Node{}, false
}
