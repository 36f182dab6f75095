package main

import (
	"testing"

	"tailrace"
	"tailrace/plugintest"
)

func TestLargeBatchesAreDropped(t *testing.T) {
	plugin := &Plugin{}
	if _, err := plugintest.Configure(plugin, `{"max_bytes": 10}`); err != nil {
		t.Fatal(err)
	}
	if outcome, err := plugin.Process(tailrace.Logs, make([]byte, 10)); err != nil || !outcome.IsUnchanged() {
		t.Error(outcome, err)
	}
	outcome, err := plugin.Process(tailrace.Logs, make([]byte, 11))
	if reason, dropped := outcome.Dropped(); err != nil || !dropped || reason != "too large" {
		t.Error(outcome, err)
	}
}

func TestConfigurationsThatAreWrong(t *testing.T) {
	if _, err := plugintest.Configure(&Plugin{}, `{}`); err == nil {
		t.Error("a limit of nothing")
	}
}
