package tailrace

import (
	"encoding/binary"
	"math"
	"strconv"
)

// Value is the value of an attribute or a field. The zero value is no value.
type Value struct {
	kind   Kind
	number uint64
	text   string
}

// Kind is the type of a value.
type Kind uint8

const (
	// NoValue is the kind of what is not there.
	NoValue Kind = iota
	StringKind
	BoolKind
	IntKind
	FloatKind
	BytesKind
	// NestedKind is an array or a map. It cannot be set, only replaced or removed.
	NestedKind
)

// String makes a value of a text.
func String(text string) Value { return Value{kind: StringKind, text: text} }

// Bool makes a value of a bool.
func Bool(truth bool) Value {
	if truth {
		return Value{kind: BoolKind, number: 1}
	}
	return Value{kind: BoolKind}
}

// Int makes a value of a whole number.
func Int(number int64) Value { return Value{kind: IntKind, number: uint64(number)} }

// Float makes a value of a number.
func Float(number float64) Value { return Value{kind: FloatKind, number: math.Float64bits(number)} }

// Bytes makes a value of bytes, which it copies.
func Bytes(bytes []byte) Value { return Value{kind: BytesKind, text: string(bytes)} }

// Kind is the type of the value.
func (v Value) Kind() Kind { return v.kind }

// AsString gives the text, if it is one.
func (v Value) AsString() (string, bool) {
	if v.kind != StringKind {
		return "", false
	}
	return v.text, true
}

// AsBool gives the bool, if it is one.
func (v Value) AsBool() (truth, ok bool) {
	return v.kind == BoolKind && v.number != 0, v.kind == BoolKind
}

// AsInt gives the whole number, if it is one.
func (v Value) AsInt() (int64, bool) {
	if v.kind != IntKind {
		return 0, false
	}
	return int64(v.number), true
}

// AsFloat gives the number, if it is a floating-point number.
func (v Value) AsFloat() (float64, bool) {
	if v.kind != FloatKind {
		return 0, false
	}
	return math.Float64frombits(v.number), true
}

// AsNumber gives the number, whole or not.
func (v Value) AsNumber() (float64, bool) {
	if v.kind == IntKind {
		return float64(int64(v.number)), true
	}
	return v.AsFloat()
}

// AsBytes gives a copy of the bytes, if it is bytes.
func (v Value) AsBytes() ([]byte, bool) {
	if v.kind != BytesKind {
		return nil, false
	}
	return []byte(v.text), true
}

// AsNested gives an array or a map as an encoded opentelemetry.proto.common.v1.AnyValue.
func (v Value) AsNested() ([]byte, bool) {
	if v.kind != NestedKind {
		return nil, false
	}
	return []byte(v.text), true
}

// String writes any value as text: a string as it is, numbers and bools as in JSON, all else quoted as Go would.
func (v Value) String() string {
	switch v.kind {
	case NoValue:
		return ""
	case StringKind:
		return v.text
	case BoolKind:
		return strconv.FormatBool(v.number != 0)
	case IntKind:
		return strconv.FormatInt(int64(v.number), 10)
	case FloatKind:
		return strconv.FormatFloat(math.Float64frombits(v.number), 'g', -1, 64)
	default:
		return strconv.Quote(v.text)
	}
}

// DecodeValue reads a value as the contract writes it. The value keeps `bytes`, which must not change.
// Authors of plugins have no use for it.
func DecodeValue(kind Kind, bytes string) Value {
	switch {
	case kind == BoolKind && len(bytes) == 1:
		return Value{kind: kind, number: uint64(bytes[0])}
	case (kind == IntKind || kind == FloatKind) && len(bytes) == 8:
		low := uint64(bytes[0]) | uint64(bytes[1])<<8 | uint64(bytes[2])<<16 | uint64(bytes[3])<<24
		high := uint64(bytes[4]) | uint64(bytes[5])<<8 | uint64(bytes[6])<<16 | uint64(bytes[7])<<24
		return Value{kind: kind, number: low | high<<32}
	case kind == StringKind || kind == BytesKind || kind == NestedKind:
		return Value{kind: kind, text: bytes}
	default:
		return Value{}
	}
}

// AppendValue writes a value as the contract reads it. Authors of plugins have no use for it.
func AppendValue(to []byte, v Value) []byte {
	switch v.kind {
	case BoolKind:
		return append(to, byte(v.number))
	case IntKind, FloatKind:
		return binary.LittleEndian.AppendUint64(to, v.number)
	default:
		return append(to, v.text...)
	}
}
