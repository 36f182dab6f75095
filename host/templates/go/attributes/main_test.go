package main

import (
	"reflect"
	"strings"
	"testing"

	"tailrace/plugintest"
)

func TestTextIsMaskedAndAllElseGoes(t *testing.T) {
	plugin := plugintest.Attributes(t, &Plugin{}, `{"mask": ["user.*"]}`)
	got := plugin.Traces(plugintest.Item{"user.email": "ann@x.org", "user.id": 42, "http.route": "/"})
	if want := (plugintest.Item{"user.email": "*********", "http.route": "/"}); !reflect.DeepEqual(got[0], want) {
		t.Errorf("got %v, want %v", got[0], want)
	}
}

func TestConfigurationsThatAreWrong(t *testing.T) {
	for _, config := range []string{`{}`, `{"mask": []}`, `{"mesk": ["a"]}`} {
		if _, err := plugintest.Configure(&Plugin{}, config); err == nil || !strings.Contains(err.Error(), "m") {
			t.Errorf("%s: %v", config, err)
		}
	}
}
