package attributes

import (
	"tailrace"
	"tailrace/internal/columns"
)

// Run shows a plugin one batch and gives its edits. For this SDK itself.
func Run(plugin Plugin, batch *Batch, signal tailrace.Signal, fields []string, values columns.Projection) (*columns.Edits, error) {
	batch.edits.Reset()
	batch.columns.Reset(signal, fields, values)
	if err := plugin.Apply(batch); err != nil {
		return nil, err
	}
	batch.edits.Finish()
	return &batch.edits, nil
}
