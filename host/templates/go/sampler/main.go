// A sampler that keeps traces with a large payment, and those that failed.
package main

import (
	"tailrace"
	"tailrace/sampler"
)

const amount = "payment.amount_cents"

// Plugin is filled from the configuration: {"min_amount_cents": 30000}.
type Plugin struct {
	MinAmountCents int64 `json:"min_amount_cents"`
}

func (p *Plugin) Configure() (tailrace.Interest, error) {
	return tailrace.Interest{Attributes: []string{amount}}, nil
}

func (p *Plugin) Decide(trace *sampler.Trace) (sampler.Decision, error) {
	if trace.ErrorCount > 0 {
		return sampler.Sample, nil
	}
	for span := range trace.Spans() {
		if cents, ok := span.Get(amount).AsInt(); ok && cents >= p.MinAmountCents {
			return sampler.Sample, nil
		}
	}
	return sampler.NotSampled, nil
}

func init() {
	sampler.Export(&Plugin{MinAmountCents: 10_000}, tailrace.Info{Name: "{{name}}", Version: "0.1.0"})
}

func main() {}
