// A plugin that masks the attributes that the configuration names.
package main

import (
	"errors"
	"strings"
	"unicode/utf8"

	"tailrace"
	"tailrace/attributes"
)

// Plugin is filled from the configuration: {"mask": ["user.email"]}. A key that ends in "*" is a prefix.
type Plugin struct {
	Mask []string `json:"mask"`
}

func (p *Plugin) Configure() (tailrace.Interest, error) {
	if len(p.Mask) == 0 {
		return tailrace.Interest{}, errors.New("mask: name at least one attribute")
	}
	return tailrace.Interest{Attributes: p.Mask}, nil
}

func (p *Plugin) Apply(batch *attributes.Batch) error {
	for attribute := range batch.Attributes() {
		if text, ok := attribute.Value().AsString(); ok {
			attribute.Set(tailrace.String(strings.Repeat("*", utf8.RuneCountInString(text))))
		} else {
			attribute.Remove()
		}
	}
	return nil
}

func init() { attributes.Export(&Plugin{}, tailrace.Info{Name: "{{name}}", Version: "0.1.0"}) }

func main() {}
