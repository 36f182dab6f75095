package attributes

import (
	"tailrace"
	"tailrace/internal/abi"
	"tailrace/internal/columns"
	"tailrace/internal/guest"
)

// arguments of apply, as they lie in memory.
type arguments struct {
	signal uint8
	values columns.Arguments
}

// batch is kept for its memory, and so that the answer lives until the host has read it.
var batch Batch

//go:wasmexport tailrace:plugin/attributes@0.1.0#apply
func apply(at uint32) uint32 {
	guest.Begin()
	defer guest.End()
	arguments := abi.At[arguments](at)
	e, err := Run(exported, &batch, tailrace.Signal(arguments.signal), guest.Fields(), arguments.values.Read())
	abi.Done()
	if err != nil {
		return guest.Failed(err)
	}
	a := &e.Additions
	return abi.ReturnLists(
		abi.ListOf(e.Rows), abi.ListOf(e.Actions), abi.ListOf(e.Kinds), abi.ListOf(e.Ends), abi.ListOf(e.Data),
		abi.ListOf(a.Owners), abi.ListOf(a.Levels), abi.ListOf(a.Actions), abi.ListOf(a.Keys), abi.ListOf(a.Kinds),
		abi.ListOf(a.Ends), abi.ListOf(a.Data), abi.ListOf(a.NameEnds), abi.ListOf(a.Names),
	)
}
