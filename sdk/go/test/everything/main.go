// A plugin that uses everything that the contract has, so that the SDK's layouts are tried in the real host.
//
// It keeps a count of the batches it saw as its state, and answers in attributes.
package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand"
	"strconv"
	"strings"
	"time"

	"tailrace"
	"tailrace/attributes"
	"tailrace/state"
)

type everything struct {
	batches  int
	patterns tailrace.Patterns
	seen     tailrace.Counter
}

func (e *everything) Configure() (tailrace.Interest, error) {
	var err error
	if e.patterns, err = tailrace.CompilePatterns(`\d+`, `(?P<user>[a-z]+)@(x)?`); err != nil {
		return tailrace.Interest{}, err
	}
	if e.seen, err = tailrace.NewCounter("seen_total", "kind", "go"); err != nil {
		return tailrace.Interest{}, err
	}
	if _, err := tailrace.NewCounter("Wrong Name"); err == nil {
		return tailrace.Interest{}, errors.New("a wrong name passed")
	}
	if _, err := tailrace.CompilePatterns(`(`); err == nil {
		return tailrace.Interest{}, errors.New("a wrong pattern passed")
	}
	return tailrace.Interest{
		Attributes: []string{"do", "text", "number", "list.*"},
		Fields:     []string{"span.name", "span.duration"},
		Always:     true,
		Single:     true,
	}, nil
}

func (e *everything) Apply(batch *attributes.Batch) error {
	e.batches++
	for item := range batch.Items() {
		e.seen.Add(1)
		switch item.Get("do").String() {
		case "panic":
			var nothing []int
			_ = nothing[e.batches]
		case "refuse":
			return errors.New("refused for good")
		case "retry":
			return tailrace.Retryable(errors.New("try again"))
		case "print":
			fmt.Println("printed by the plugin")
			tailrace.Logf(tailrace.WarnLevel, "logged %d", 7)
		case "grow":
			// Garbage of many times the limit: it must be collected.
			for range 100 {
				item.Set("grown", tailrace.String(strings.Repeat("x", 1<<20)[:3]))
			}
		}
		text := item.Get("text").String()
		if !item.Set("nested", item.Get("list.1")) {
			item.Insert("nested", tailrace.String("cannot be set"))
		}
		hashes, err := tailrace.Hash("hmac-sha256", []byte("key"), text, "")
		if err != nil {
			return err
		}
		item.Set("hash", tailrace.String(hex.EncodeToString(hashes[0][:4])+" "+strconv.Itoa(len(hashes[1]))))
		item.Set("match", tailrace.String(fmt.Sprint(e.patterns.Match(text, "7"))))
		item.Set("find", tailrace.String(fmt.Sprint(e.patterns.Find(text))))
		item.Set("groups", tailrace.String(fmt.Sprint(e.patterns.Groups(1, text), e.patterns.Names(1))))
		if number, ok := item.Get("number").AsInt(); ok {
			item.Set("number", tailrace.Int(-number))
			item.Set("half", tailrace.Float(float64(number)/2))
			item.Set("even", tailrace.Bool(number%2 == 0))
			item.Set("bytes", tailrace.Bytes([]byte{0, byte(number)}))
		}
		item.Set("span.name", tailrace.String(item.Get("span.name").String()+" "+item.Get("span.duration").String()))
		item.Set("batches", tailrace.Int(int64(e.batches)))
		sane := time.Since(time.Unix(1700000000, 0)) > 0 && rand.Uint64() != rand.Uint64()
		item.Resource().Set("sane", tailrace.Bool(sane))
		item.Scope().Set("scope", tailrace.Int(1))
	}
	return nil
}

func (e *everything) Save() []byte { return []byte(strconv.Itoa(e.batches)) }

func (e *everything) Restore(saved []byte) (err error) {
	e.batches, err = strconv.Atoi(string(saved))
	return err
}

func init() {
	plugin := &everything{}
	attributes.Export(plugin, tailrace.Info{
		Name: "everything", Version: "1.2.3", Schema: `{"type": "object"}`, ErrorMode: tailrace.Drop,
	})
	state.Export(plugin)
}

func main() {}
