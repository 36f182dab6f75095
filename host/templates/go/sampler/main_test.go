package main

import (
	"testing"

	"tailrace/plugintest"
	"tailrace/sampler"
)

func TestLargePaymentsAndFailuresAreKept(t *testing.T) {
	plugin := plugintest.Sampler(t, &Plugin{}, `{"min_amount_cents": 100}`)
	small, large := plugintest.Item{amount: 99}, plugintest.Item{amount: 100}
	got := plugin.Decide(
		plugintest.Trace{Spans: []plugintest.Item{small}},
		plugintest.Trace{Spans: []plugintest.Item{small, large}},
		plugintest.Trace{Spans: []plugintest.Item{small}, ErrorCount: 1},
	)
	for index, want := range []sampler.Decision{sampler.NotSampled, sampler.Sample, sampler.Sample} {
		if got[index] != want {
			t.Errorf("trace %d: got %v, want %v", index, got[index], want)
		}
	}
}
