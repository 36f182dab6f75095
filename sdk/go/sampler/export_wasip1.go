package sampler

import (
	"tailrace/internal/abi"
	"tailrace/internal/columns"
	"tailrace/internal/guest"
)

// arguments of sample, as they lie in memory.
type arguments struct {
	ids, spanCounts, errorCounts, starts, durations, sizes, lastCalls abi.List
	values                                                            columns.Arguments
	itemEnds, spanEnds, spans                                         abi.List
}

var (
	batch columns.Batch
	// answers are kept until the host has read them; words of 8 bytes for their alignment.
	answers []uint64
)

//go:wasmexport tailrace:plugin/sampler@0.1.0#wants-spans
func wants() uint32 {
	guest.Begin()
	defer guest.End()
	if wantsSpans(exported) {
		return 1
	}
	return 0
}

//go:wasmexport tailrace:plugin/sampler@0.1.0#sample
func sample(at uint32) uint32 {
	guest.Begin()
	defer guest.End()
	a := abi.At[arguments](at)
	decisions, err := Decide(exported, &batch, guest.Fields(), Traces{
		IDs:         abi.Slice[byte](a.ids),
		SpanCounts:  abi.Slice[uint32](a.spanCounts),
		ErrorCounts: abi.Slice[uint32](a.errorCounts),
		Starts:      abi.Slice[uint64](a.starts),
		Durations:   abi.Slice[uint64](a.durations),
		Sizes:       abi.Slice[uint64](a.sizes),
		LastCalls:   abi.Slice[uint8](a.lastCalls),
		ItemEnds:    abi.Slice[uint32](a.itemEnds),
		SpanEnds:    abi.Slice[uint32](a.spanEnds),
		Spans:       abi.Slice[byte](a.spans),
		Values:      a.values.Read(),
	})
	abi.Done()
	if err != nil {
		return guest.Failed(err)
	}
	answers = answers[:0]
	for _, decision := range decisions {
		has := uint64(0)
		if decision.hasThreshold {
			has = 1
		}
		answers = append(answers, uint64(decision.kind), has, decision.threshold)
	}
	return abi.Return(0, abi.Address(answers), uint32(len(decisions)))
}
