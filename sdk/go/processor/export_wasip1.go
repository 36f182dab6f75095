package processor

import (
	"tailrace"
	"tailrace/internal/abi"
	"tailrace/internal/guest"
)

// outcome is kept until the host has read it.
var outcome Outcome

//go:wasmexport tailrace:plugin/processor@0.1.0#process
func process(signal, at, length uint32) uint32 {
	guest.Begin()
	defer guest.End()
	var err error
	outcome, err = exported.Process(tailrace.Signal(signal), abi.Slice[byte](abi.NewList(at, length)))
	abi.Done()
	if err != nil {
		return guest.Failed(err)
	}
	return abi.Return(append([]uint32{0, outcome.kind}, abi.Words(abi.ListOf(outcome.data))...)...)
}
