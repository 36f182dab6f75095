// A plugin that deletes, masks and sets attributes, and drops spans by their name.
package main

import (
	"slices"

	"tailrace"
	"tailrace/attributes"
)

// Tidy is the plugin, and its configuration.
type Tidy struct {
	Delete        []string `json:"delete"`
	Mask          []string `json:"mask"`
	Set           *Copy    `json:"set"`
	DropSpanNames []string `json:"drop_span_names"`
}

// Copy says which attribute gets the value of which other.
type Copy struct {
	To   string `json:"to"`
	From string `json:"from"`
}

func (t *Tidy) Configure() (tailrace.Interest, error) {
	interest := tailrace.Interest{Attributes: slices.Concat(t.Delete, t.Mask)}
	if t.Set != nil {
		interest.Attributes = append(interest.Attributes, t.Set.From)
	}
	if len(t.DropSpanNames) > 0 {
		interest.Fields = []string{"span.name"}
	}
	return interest, nil
}

func (t *Tidy) Apply(batch *attributes.Batch) error {
	for attribute := range batch.Attributes() {
		switch {
		case slices.Contains(t.Delete, attribute.Key()):
			attribute.Remove()
		case slices.Contains(t.Mask, attribute.Key()):
			attribute.Set(tailrace.String("****"))
		}
	}
	for item := range batch.Items() {
		if name, ok := item.Get("span.name").AsString(); ok && slices.Contains(t.DropSpanNames, name) {
			item.Drop()
		} else if t.Set != nil {
			item.Set(t.Set.To, item.Get(t.Set.From))
		}
	}
	return nil
}

func init() { attributes.Export(&Tidy{}, tailrace.Info{Name: "tidy", Version: "0.1.0"}) }

func main() {}
