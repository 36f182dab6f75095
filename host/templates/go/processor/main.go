// A processor that drops batches that are too large.
//
// To look into a batch, decode it: see package tailrace/processor for the library.
package main

import (
	"errors"

	"tailrace"
	"tailrace/processor"
)

// Plugin is filled from the configuration: {"max_bytes": 1000000}.
type Plugin struct {
	MaxBytes int `json:"max_bytes"`
}

func (p *Plugin) Configure() (tailrace.Interest, error) {
	if p.MaxBytes <= 0 {
		return tailrace.Interest{}, errors.New("max_bytes: must be more than 0")
	}
	return tailrace.Interest{}, nil
}

func (p *Plugin) Process(_ tailrace.Signal, batch []byte) (processor.Outcome, error) {
	if len(batch) > p.MaxBytes {
		return processor.Drop("too large"), nil
	}
	return processor.Unchanged, nil
}

func init() { processor.Export(&Plugin{}, tailrace.Info{Name: "{{name}}", Version: "0.1.0"}) }

func main() {}
