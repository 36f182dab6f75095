// Package abi is how values cross to the host and back: memory, and the layout of the contract's records in it.
//
// It is written by hand instead of generated, since the contract is small and does not change, and since the generated
// code depends on a module that plugins should not have to download.
package abi

import "unsafe"

const (
	// chunk is the size of the pieces from which small requests are served.
	chunk = 64 << 10
	// large requests get memory of their own.
	large = 16 << 10
)

var (
	// held is what the host has written since the last call ended: only the host knows the addresses.
	held []unsafe.Pointer
	// rest of the current chunk. It is never used twice, since strings that point into it may be kept.
	rest []uint64
	// returned is where answers lie.
	returned [32]uint32
)

// The adapter that `tailrace plugin build` adds offers this besides WASI: see mayCall.
//
//go:wasmimport wasi_snapshot_preview1 tailrace_may_call
func tailraceMayCall(allowed uint32)

// While the host asks for memory, nothing may call it, not even for the time of day, which Go's runtime wants to know
// whenever it likes. So it is told when calls are possible; in the meantime the clock stands still.
var mayCall bool

func init() { allow(false) }

func allow(calls bool) {
	mayCall = calls
	if calls {
		tailraceMayCall(1)
	} else {
		tailraceMayCall(0)
	}
}

// Begin begins a call of the host: from here on the plugin may call back.
func Begin() { allow(true) }

// End ends it.
func End() { allow(false) }

// Ask calls an import that may ask for memory for its answer.
func Ask(imported func()) {
	before := mayCall
	allow(false)
	imported()
	allow(before)
}

// The host asks for memory for what it writes.
//
//go:wasmexport cabi_realloc
func cabiRealloc(old, oldSize, align, size uint32) uint32 {
	if size == 0 {
		return align
	}
	words := int((size + 7) / 8)
	var memory []uint64
	switch {
	case size > large:
		memory = make([]uint64, words)
	case len(rest) < words:
		rest = make([]uint64, chunk/8)
		fallthrough
	default:
		memory, rest = rest[:words:words], rest[words:]
	}
	at := unsafe.Pointer(unsafe.SliceData(memory))
	held = append(held, at)
	if old != 0 {
		copy(unsafe.Slice((*byte)(at), size), unsafe.Slice(At[byte](old), oldSize))
	}
	return uint32(uintptr(at))
}

// Done ends a call: what the host has written lives on only if something points to it.
func Done() {
	clear(held)
	held = held[:0]
}

// At is what lies at an address.
func At[T any](address uint32) *T { return (*T)(unsafe.Pointer(uintptr(address))) }

// Address is where a slice lies. It must be kept alive until the host has read it.
func Address[T any](slice []T) uint32 {
	return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(slice))))
}

// AddressOfString is where a string lies.
func AddressOfString(text string) uint32 {
	return uint32(uintptr(unsafe.Pointer(unsafe.StringData(text))))
}

// Return writes an answer and gives its address.
func Return(words ...uint32) uint32 {
	copy(returned[:], words)
	return Address(returned[:])
}

// ReturnLists writes the answer of a result that is a record of lists.
func ReturnLists(lists ...List) uint32 {
	returned[0] = 0
	for index, list := range lists {
		returned[1+2*index], returned[2+2*index] = list.at, list.len
	}
	return Address(returned[:])
}

// List is a list or a string as it lies in memory.
type List struct{ at, len uint32 }

// ListOf makes a list of a slice.
func ListOf[T any](slice []T) List { return List{Address(slice), uint32(len(slice))} }

// ListOfString makes a list of a string.
func ListOfString(text string) List { return List{AddressOfString(text), uint32(len(text))} }

// Slice is what the list holds.
func Slice[T any](list List) []T {
	if list.len == 0 {
		return nil
	}
	return unsafe.Slice(At[T](list.at), list.len)
}

// Text is the string.
func (l List) Text() string {
	if l.len == 0 {
		return ""
	}
	return unsafe.String(At[byte](l.at), l.len)
}

// TextAt is the string at an address.
func TextAt(at, length uint32) string { return List{at, length}.Text() }

// Words writes lists one after the other.
func Words(lists ...List) []uint32 {
	words := make([]uint32, 0, 2*len(lists))
	for _, list := range lists {
		words = append(words, list.at, list.len)
	}
	return words
}

// NewList is the list at an address.
func NewList(at, length uint32) List { return List{at, length} }
