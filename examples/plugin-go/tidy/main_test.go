package main

import (
	"reflect"
	"testing"

	"tailrace/plugintest"
)

func TestTidy(t *testing.T) {
	plugin := plugintest.Attributes(t, &Tidy{}, `{
		"delete": ["mail"], "mask": ["card"], "set": {"to": "b", "from": "a"}, "drop_span_names": ["ping"]
	}`)
	plugin.Resource = plugintest.Item{"card": 1, "mail": "x"}
	got := plugin.Traces(
		plugintest.Item{"span.name": "GET /", "card": 4111, "mail": "ann@example.com", "a": 7, "b": "old"},
		plugintest.Item{"span.name": "ping"},
		plugintest.Item{"span.name": "GET /", "b": "old"},
	)
	want := []plugintest.Item{
		{"span.name": "GET /", "card": "****", "a": 7, "b": int64(7)},
		{"span.name": "GET /", "b": "old"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if want := (plugintest.Item{"card": "****"}); !reflect.DeepEqual(plugin.Resource, want) {
		t.Errorf("the resource has %v", plugin.Resource)
	}
}
