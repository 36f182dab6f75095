package state

import (
	"tailrace/internal/abi"
	"tailrace/internal/guest"
)

// saved is kept until the host has read it.
var saved []byte

//go:wasmexport tailrace:plugin/state@0.1.0#save
func save() uint32 {
	guest.Begin()
	defer guest.End()
	saved = exported.Save()
	return abi.Return(abi.Words(abi.ListOf(saved))...)
}

//go:wasmexport tailrace:plugin/state@0.1.0#restore
func restore(at, length uint32) uint32 {
	guest.Begin()
	defer guest.End()
	err := exported.Restore(append([]byte(nil), abi.Slice[byte](abi.NewList(at, length))...))
	abi.Done()
	if err != nil {
		return guest.Refused(err)
	}
	return abi.Return(0)
}
