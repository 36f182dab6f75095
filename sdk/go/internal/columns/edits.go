package columns

import "tailrace"

// What `actions` of rows and of additions mean.
const (
	keep   = 255
	set    = 0
	remove = 1
	insert = 1
	drop   = 2
)

// Edits is the record `edits` of the contract: built row by row in any order, read in columns.
type Edits struct {
	Rows      []uint32
	Actions   []uint8
	Kinds     []uint8
	Ends      []uint32
	Data      []byte
	Additions Additions

	// Per row of the batch what was decided last; empty until the first decision.
	decided []decision
}

type decision struct {
	action uint8
	value  tailrace.Value
}

// Additions is the record `additions` of the contract.
type Additions struct {
	Owners   []uint32
	Levels   []uint8
	Actions  []uint8
	Keys     []uint32
	Kinds    []uint8
	Ends     []uint32
	Data     []byte
	NameEnds []uint32
	Names    []byte

	keys []string
}

// Reset forgets everything but the memory.
func (e *Edits) Reset() {
	clear(e.decided)
	*e = Edits{e.Rows[:0], e.Actions[:0], e.Kinds[:0], e.Ends[:0], e.Data[:0], e.Additions, e.decided[:0]}
	a := &e.Additions
	clear(a.keys)
	*a = Additions{
		a.Owners[:0], a.Levels[:0], a.Actions[:0], a.Keys[:0], a.Kinds[:0], a.Ends[:0], a.Data[:0],
		a.NameEnds[:0], a.Names[:0], a.keys[:0],
	}
}

// Set gives a row another value.
func (e *Edits) Set(b *Batch, row uint32, value tailrace.Value) {
	e.decide(b, row, decision{set, value})
}

// Remove removes a row.
func (e *Edits) Remove(b *Batch, row uint32) { e.decide(b, row, decision{action: remove}) }

func (e *Edits) decide(b *Batch, row uint32, what decision) {
	for len(e.decided) < len(b.Owners) {
		e.decided = append(e.decided, decision{action: keep})
	}
	e.decided[row] = what
}

// Finish writes down what was decided about rows.
func (e *Edits) Finish() {
	for row, what := range e.decided {
		if what.action == keep {
			continue
		}
		e.Rows = append(e.Rows, uint32(row))
		e.Actions = append(e.Actions, what.action)
		e.Kinds = append(e.Kinds, uint8(what.value.Kind()))
		e.Data = tailrace.AppendValue(e.Data, what.value)
		e.Ends = append(e.Ends, uint32(len(e.Data)))
	}
}

// Set gives a node an attribute.
func (a *Additions) Set(n Node, key string, value tailrace.Value) { a.add(n, set, key, value) }

// Insert gives a node an attribute, if it has none with this key.
func (a *Additions) Insert(n Node, key string, value tailrace.Value) { a.add(n, insert, key, value) }

// Drop drops an item or everything in a resource, scope or metric.
func (a *Additions) Drop(n Node) { a.add(n, drop, "", tailrace.Value{}) }

func (a *Additions) add(n Node, action uint8, key string, value tailrace.Value) {
	a.Owners = append(a.Owners, n.Index)
	a.Levels = append(a.Levels, uint8(n.Level))
	a.Actions = append(a.Actions, action)
	a.Keys = append(a.Keys, a.key(action, key))
	a.Kinds = append(a.Kinds, uint8(value.Kind()))
	a.Data = tailrace.AppendValue(a.Data, value)
	a.Ends = append(a.Ends, uint32(len(a.Data)))
}

// key is the index of a name. There are few, so that a search is cheaper than a map.
func (a *Additions) key(action uint8, key string) uint32 {
	if action == drop {
		return 0
	}
	for index, known := range a.keys {
		if known == key {
			return uint32(index)
		}
	}
	a.keys = append(a.keys, key)
	a.Names = append(a.Names, key...)
	a.NameEnds = append(a.NameEnds, uint32(len(a.Names)))
	return uint32(len(a.keys) - 1)
}
