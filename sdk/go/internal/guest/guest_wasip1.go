package guest

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"tailrace"
	"tailrace/internal/abi"
	"tailrace/internal/host"
)

// kept is what the last answer points to.
var kept struct {
	text       string
	attributes []selector
	fields     []abi.List
	interest   tailrace.Interest
}

// selector is the variant `attribute-selector` as it lies in memory.
type selector struct {
	tag uint32
	key abi.List
}

//go:wasmexport tailrace:plugin/lifecycle@0.1.0#describe
func describe() uint32 {
	Begin()
	defer End()
	name, version, schema := abi.ListOfString(info.Name), abi.ListOfString(info.Version), abi.ListOfString(info.Schema)
	errorMode := uint32(0)
	if info.ErrorMode != tailrace.NoWish {
		errorMode = 1 | uint32(info.ErrorMode-1)<<8
	}
	words := append(abi.Words(name, version), flag(info.Schema != ""))
	return abi.Return(append(append(words, abi.Words(schema)...), errorMode)...)
}

//go:wasmexport tailrace:plugin/lifecycle@0.1.0#configure
func configure(at, length uint32) uint32 {
	Begin()
	defer End()
	var err error
	interest, err = Configure(plugin, strings.Clone(abi.TextAt(at, length)))
	abi.Done()
	if err != nil {
		return Refused(err)
	}
	kept.interest, kept.attributes, kept.fields = interest, nil, nil
	for _, key := range interest.Attributes {
		switch {
		case key == "*":
			kept.attributes = append(kept.attributes, selector{tag: 2})
		case strings.HasSuffix(key, "*"):
			kept.attributes = append(kept.attributes, selector{1, abi.ListOfString(key[:len(key)-1])})
		default:
			kept.attributes = append(kept.attributes, selector{0, abi.ListOfString(key)})
		}
	}
	for _, name := range interest.Fields {
		kept.fields = append(kept.fields, abi.ListOfString(name))
	}
	words := abi.Words(
		abi.ListOf(interest.Signals), abi.ListOf(kept.attributes), abi.ListOf(interest.Levels), abi.ListOf(kept.fields),
	)
	words = append(words, flag(interest.Always)|flag(interest.Single)<<8)
	return abi.Return(append([]uint32{0}, words...)...)
}

// Refused is the answer of a result<_, string> that is an error.
func Refused(err error) uint32 {
	kept.text = err.Error()
	return abi.Return(append([]uint32{1}, abi.Words(abi.ListOfString(kept.text))...)...)
}

// Failed is the answer of a result<_, failure> that is an error.
func Failed(err error) uint32 {
	kept.text = err.Error()
	return abi.Return(append([]uint32{1, flag(!tailrace.IsRetryable(err))}, abi.Words(abi.ListOfString(kept.text))...)...)
}

// Begin begins every export, and [End] is deferred in it.
func Begin() { abi.Begin() }

// End ends a call. A panic becomes one line of the log that says where, and a trap. Go's own way would
// print a page of it.
func End() {
	fault := recover()
	if fault == nil {
		abi.End()
		return
	}
	where := ""
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for more := true; more && where == ""; {
		var frame runtime.Frame
		frame, more = frames.Next()
		ours := strings.HasPrefix(frame.Function, "runtime.") || strings.HasPrefix(frame.Function, "tailrace/") || strings.HasPrefix(frame.Function, "tailrace.")
		if !ours && frame.File != "" {
			where = fmt.Sprintf(" at %s:%d", frame.File, frame.Line)
		}
	}
	host.Log(4, fmt.Sprintf("panic: %v%s", fault, where))
	os.Exit(2)
}

func flag(truth bool) uint32 {
	if truth {
		return 1
	}
	return 0
}
