package main

import (
	"testing"

	"tailrace/plugintest"
	"tailrace/sampler"
)

func TestKeepOrders(t *testing.T) {
	plugin := plugintest.Sampler(t, &KeepOrders{VipKey: "customer.vip"}, `{"min_amount": 50}`)
	small, large := plugintest.Item{"order.amount": 49.9}, plugintest.Item{"order.amount": 50}
	for _, test := range []struct {
		spans []plugintest.Item
		want  sampler.Decision
	}{
		{[]plugintest.Item{small, {}}, sampler.NotSampled},
		{[]plugintest.Item{small, large}, sampler.Sample},
		{[]plugintest.Item{{"customer.vip": true}}, sampler.Sample},
		{[]plugintest.Item{{"customer.vip": "true"}}, sampler.NotSampled},
	} {
		if got := plugin.Spans(test.spans...); got != test.want {
			t.Errorf("%v: got %v, want %v", test.spans, got, test.want)
		}
	}
}
