package host

import (
	"errors"
	"strings"
	"unsafe"

	"tailrace/internal/abi"
)

//go:wasmimport tailrace:plugin/host@0.1.0 log
func hostLog(level uint32, at unsafe.Pointer, length uint32)

//go:wasmimport tailrace:plugin/host@0.1.0 open-metric
func hostOpenMetric(kind uint32, at unsafe.Pointer, length uint32, labels unsafe.Pointer, count uint32, answer unsafe.Pointer)

//go:wasmimport tailrace:plugin/host@0.1.0 record-metric
func hostRecordMetric(metric uint32, value float64)

//go:wasmimport tailrace:plugin/host@0.1.0 compile-patterns
func hostCompilePatterns(at unsafe.Pointer, count uint32, answer unsafe.Pointer)

//go:wasmimport tailrace:plugin/host@0.1.0 pattern-groups
func hostPatternGroups(set, pattern uint32, answer unsafe.Pointer)

//go:wasmimport tailrace:plugin/host@0.1.0 match-patterns
func hostMatchPatterns(set uint32, ends unsafe.Pointer, count uint32, data unsafe.Pointer, length uint32, answer unsafe.Pointer)

//go:wasmimport tailrace:plugin/host@0.1.0 find-patterns
func hostFindPatterns(set uint32, ends unsafe.Pointer, count uint32, data unsafe.Pointer, length uint32, answer unsafe.Pointer)

//go:wasmimport tailrace:plugin/host@0.1.0 capture-groups
func hostCaptureGroups(set, pattern uint32, at unsafe.Pointer, length uint32, answer unsafe.Pointer)

//go:wasmimport tailrace:plugin/host@0.1.0 hash-texts
func hostHashTexts(
	algorithm unsafe.Pointer, algorithmLen uint32, key unsafe.Pointer, keyLen uint32,
	ends unsafe.Pointer, count uint32, data unsafe.Pointer, length uint32, answer unsafe.Pointer,
)

// answer is where the host writes what it answers.
var answer [8]uint32

func answerAt() unsafe.Pointer { return unsafe.Pointer(&answer) }

// list is the one that the answer has at this word.
func list(word int) abi.List { return *(*abi.List)(unsafe.Pointer(&answer[word])) }

func at(text string) unsafe.Pointer { return unsafe.Pointer(unsafe.StringData(text)) }

// number reads a result<u32, string>.
func number() (uint32, error) {
	if answer[0]&0xff != 0 {
		return 0, errors.New(strings.Clone(list(1).Text()))
	}
	return answer[1], nil
}

// Log writes a line: level 0 trace to 4 error.
func Log(level uint32, message string) { hostLog(level, at(message), uint32(len(message))) }

// OpenMetric opens a series.
func OpenMetric(kind uint32, name string, labels []string) (uint32, error) {
	pairs := texts(labels)
	abi.Ask(func() {
		hostOpenMetric(kind, at(name), uint32(len(name)), unsafe.Pointer(unsafe.SliceData(pairs)), uint32(len(pairs)/2), answerAt())
	})
	return number()
}

// RecordMetric adds to a counter, sets a gauge or records a value.
func RecordMetric(metric uint32, value float64) { hostRecordMetric(metric, value) }

// CompilePatterns compiles regular expressions.
func CompilePatterns(patterns []string) (uint32, error) {
	list := texts(patterns)
	abi.Ask(func() {
		hostCompilePatterns(unsafe.Pointer(unsafe.SliceData(list)), uint32(len(list)), answerAt())
	})
	return number()
}

// PatternGroups are the names of the groups of a pattern.
func PatternGroups(set uint32, pattern int) []string {
	abi.Ask(func() {
		hostPatternGroups(set, uint32(pattern), answerAt())
	})
	var names []string
	for _, name := range abi.Slice[abi.List](list(0)) {
		names = append(names, strings.Clone(name.Text()))
	}
	return names
}

// MatchPatterns says which patterns match in which texts.
func MatchPatterns(set uint32, texts []string) []Match {
	ends, data := columns(texts)
	abi.Ask(func() {
		hostMatchPatterns(set, unsafe.Pointer(unsafe.SliceData(ends)), uint32(len(ends)), at(data), uint32(len(data)), answerAt())
	})
	return matches()
}

// FindPatterns says where patterns match in texts.
func FindPatterns(set uint32, texts []string) []Match {
	ends, data := columns(texts)
	abi.Ask(func() {
		hostFindPatterns(set, unsafe.Pointer(unsafe.SliceData(ends)), uint32(len(ends)), at(data), uint32(len(data)), answerAt())
	})
	return matches()
}

func matches() []Match {
	texts, patterns := abi.Slice[uint32](list(0)), abi.Slice[uint32](list(2))
	starts, ends := abi.Slice[uint32](list(4)), abi.Slice[uint32](list(6))
	found := make([]Match, len(texts))
	for index := range found {
		found[index] = Match{Text: int(texts[index]), Pattern: int(patterns[index])}
		if len(starts) == len(texts) {
			found[index].Start, found[index].End = int(starts[index]), int(ends[index])
		}
	}
	return found
}

// CaptureGroups gives start and end of each group of the first match, -1 for those that took no part.
func CaptureGroups(set uint32, pattern int, text string) [][2]int {
	abi.Ask(func() {
		hostCaptureGroups(set, uint32(pattern), at(text), uint32(len(text)), answerAt())
	})
	var groups [][2]int
	for _, group := range abi.Slice[[3]uint32](list(0)) {
		if group[0]&0xff == 0 {
			groups = append(groups, [2]int{-1, -1})
		} else {
			groups = append(groups, [2]int{int(group[1]), int(group[2])})
		}
	}
	return groups
}

// HashTexts gives the hashes one after the other.
func HashTexts(algorithm string, key []byte, texts []string) ([]byte, error) {
	ends, data := columns(texts)
	abi.Ask(func() {
		hostHashTexts(
			at(algorithm), uint32(len(algorithm)), unsafe.Pointer(unsafe.SliceData(key)), uint32(len(key)),
			unsafe.Pointer(unsafe.SliceData(ends)), uint32(len(ends)), at(data), uint32(len(data)), answerAt(),
		)
	})
	if answer[0]&0xff != 0 {
		return nil, errors.New(strings.Clone(list(1).Text()))
	}
	return append([]byte(nil), abi.Slice[byte](list(1))...), nil
}

// texts are strings as they lie in memory.
func texts(strings []string) []abi.List {
	lists := make([]abi.List, len(strings))
	for index, text := range strings {
		lists[index] = abi.ListOfString(text)
	}
	return lists
}

// columns is the record `texts`.
func columns(texts []string) (ends []uint32, data string) {
	if len(texts) == 1 {
		return []uint32{uint32(len(texts[0]))}, texts[0]
	}
	end := uint32(0)
	for _, text := range texts {
		end += uint32(len(text))
		ends = append(ends, end)
	}
	return ends, strings.Join(texts, "")
}
