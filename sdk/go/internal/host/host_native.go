//go:build !wasip1

package host

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"os"
	"regexp"
	"strings"
)

var (
	series   = map[string]uint32{}
	kinds    []uint32
	values   []float64
	patterns [][]*regexp.Regexp
	word     = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
)

// Log writes a line to standard error.
func Log(level uint32, message string) {
	fmt.Fprintf(os.Stderr, "%s %s\n", [...]string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR"}[level], message)
}

// OpenMetric opens a series.
func OpenMetric(kind uint32, name string, labels []string) (uint32, error) {
	if !word.MatchString(name) {
		return 0, fmt.Errorf("%q is no name of a metric: lower-case letters, digits and _", name)
	}
	for index := 0; index < len(labels); index += 2 {
		if !word.MatchString(labels[index]) {
			return 0, fmt.Errorf("%q is no name of a label: lower-case letters, digits and _", labels[index])
		}
	}
	key := name + "\xff" + strings.Join(labels, "\xff")
	number, ok := series[key]
	if !ok {
		number = uint32(len(values))
		series[key], kinds, values = number, append(kinds, kind), append(values, 0)
	}
	if kinds[number] != kind {
		return 0, fmt.Errorf("%s is open as a metric of another kind", name)
	}
	return number, nil
}

// RecordMetric adds to a counter, sets a gauge or counts a value.
func RecordMetric(metric uint32, value float64) {
	switch {
	case int(metric) >= len(values):
	case kinds[metric] == Gauge:
		values[metric] = value
	case kinds[metric] == Histogram:
		values[metric]++
	case value > 0:
		values[metric] += value
	}
}

// Recorded is what a series has: the sum of a counter, the value of a gauge, the number of values of a histogram.
func Recorded(name string, labels []string) float64 {
	if number, ok := series[name+"\xff"+strings.Join(labels, "\xff")]; ok {
		return values[number]
	}
	return 0
}

// CompilePatterns compiles regular expressions.
func CompilePatterns(texts []string) (uint32, error) {
	var set []*regexp.Regexp
	for _, text := range texts {
		pattern, err := regexp.Compile(text)
		if err != nil {
			return 0, err
		}
		set = append(set, pattern)
	}
	patterns = append(patterns, set)
	return uint32(len(patterns) - 1), nil
}

// PatternGroups are the names of the groups of a pattern.
func PatternGroups(set uint32, pattern int) []string { return patterns[set][pattern].SubexpNames() }

// MatchPatterns says which patterns match in which texts.
func MatchPatterns(set uint32, texts []string) []Match {
	var matches []Match
	for text, of := range texts {
		for index, pattern := range patterns[set] {
			if pattern.MatchString(of) {
				matches = append(matches, Match{Text: text, Pattern: index})
			}
		}
	}
	return matches
}

// FindPatterns says where patterns match in texts.
func FindPatterns(set uint32, texts []string) []Match {
	var matches []Match
	for text, of := range texts {
		for index, pattern := range patterns[set] {
			for _, at := range pattern.FindAllStringIndex(of, -1) {
				matches = append(matches, Match{text, index, at[0], at[1]})
			}
		}
	}
	return matches
}

// CaptureGroups gives start and end of each group of the first match, -1 for those that took no part.
func CaptureGroups(set uint32, pattern int, text string) [][2]int {
	var groups [][2]int
	at := patterns[set][pattern].FindStringSubmatchIndex(text)
	for index := 0; index < len(at); index += 2 {
		groups = append(groups, [2]int{at[index], at[index+1]})
	}
	return groups
}

// HashTexts gives the hashes one after the other.
func HashTexts(algorithm string, key []byte, texts []string) ([]byte, error) {
	start := func(of func() hash.Hash) func() hash.Hash {
		return func() hash.Hash { h := of(); h.Write(key); return h }
	}
	keyed := func(of func() hash.Hash) func() hash.Hash { return func() hash.Hash { return hmac.New(of, key) } }
	algorithms := map[string]func() hash.Hash{
		"md5": start(md5.New), "sha1": start(sha1.New), "sha256": start(sha256.New), "sha512": start(sha512.New),
		"sha3-256":    start(func() hash.Hash { return sha3.New256() }),
		"hmac-sha256": keyed(sha256.New), "hmac-sha512": keyed(sha512.New),
	}
	of, ok := algorithms[algorithm]
	if !ok {
		return nil, fmt.Errorf("there is no algorithm %q", algorithm)
	}
	if strings.HasPrefix(algorithm, "hmac-") && len(key) == 0 {
		return nil, errors.New(algorithm + " needs a key")
	}
	var hashes bytes.Buffer
	for _, text := range texts {
		h := of()
		h.Write([]byte(text))
		hashes.Write(h.Sum(nil))
	}
	return hashes.Bytes(), nil
}
