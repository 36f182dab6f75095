// Package guest is the side of a plugin that the host calls: who it is, and how it is set up.
package guest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"tailrace"
)

var (
	plugin   tailrace.Plugin
	info     tailrace.Info
	interest tailrace.Interest
)

// Export sets the one plugin of this component.
func Export(p tailrace.Plugin, i tailrace.Info) {
	if plugin != nil {
		panic("tailrace: a component is one plugin; Export was called twice")
	}
	plugin, info = p, i
}

// Fields of the interest, in its order.
func Fields() []string { return interest.Fields }

// Configure fills the plugin from its configuration and asks it what it wants to see.
func Configure(p tailrace.Plugin, config string) (tailrace.Interest, error) {
	decoder := json.NewDecoder(bytes.NewReader([]byte(config)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(p); err != nil {
		return tailrace.Interest{}, fault(err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return tailrace.Interest{}, errors.New("the configuration must be one JSON object")
	}
	return p.Configure()
}

// fault says it in words for an operator, who does not know Go.
func fault(err error) error {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		if kind.Field == "" {
			return fmt.Errorf("the configuration must be a JSON object, not a %s", kind.Value)
		}
		return fmt.Errorf("%s: must be of type %s, not %s", kind.Field, kind.Type, kind.Value)
	}
	words := strings.TrimPrefix(err.Error(), "json: ")
	if name, ok := strings.CutPrefix(words, "unknown field "); ok {
		key, _ := strconv.Unquote(name)
		return fmt.Errorf("%s: unknown key %s", key, name)
	}
	return errors.New(words)
}
