// A sampler that keeps the traces of large orders and of important customers.
package main

import (
	"tailrace"
	"tailrace/sampler"
)

// KeepOrders is the plugin, and its configuration.
type KeepOrders struct {
	MinAmount float64 `json:"min_amount"`
	VipKey    string  `json:"vip_key"`
}

func (k *KeepOrders) Configure() (tailrace.Interest, error) {
	return tailrace.Interest{
		Attributes: []string{"order.amount", k.VipKey},
		Levels:     []tailrace.Level{tailrace.Item},
	}, nil
}

func (k *KeepOrders) Decide(trace *sampler.Trace) (sampler.Decision, error) {
	for span := range trace.Spans() {
		if amount, ok := span.Get("order.amount").AsNumber(); ok && amount >= k.MinAmount {
			return sampler.Sample, nil
		}
		if vip, _ := span.Get(k.VipKey).AsBool(); vip {
			return sampler.Sample, nil
		}
	}
	return sampler.NotSampled, nil
}

func init() {
	sampler.Export(
		&KeepOrders{MinAmount: 100, VipKey: "customer.vip"},
		tailrace.Info{Name: "keep-orders", Version: "0.1.0"},
	)
}

func main() {}
