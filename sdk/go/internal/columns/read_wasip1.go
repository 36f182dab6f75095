package columns

import "tailrace/internal/abi"

// Arguments is the record `projection` as it lies in memory.
type Arguments struct {
	resourceEnds, scopeEnds, metricEnds                      abi.List
	items                                                    uint32
	owners, levels, keys, kinds, ends, data, nameEnds, names abi.List
}

// Read gives the columns, without a copy.
func (p *Arguments) Read() Projection {
	return Projection{
		ResourceEnds: abi.Slice[uint32](p.resourceEnds),
		ScopeEnds:    abi.Slice[uint32](p.scopeEnds),
		MetricEnds:   abi.Slice[uint32](p.metricEnds),
		Items:        p.items,
		Owners:       abi.Slice[uint32](p.owners),
		Levels:       abi.Slice[uint8](p.levels),
		Keys:         abi.Slice[uint32](p.keys),
		Kinds:        abi.Slice[uint8](p.kinds),
		Ends:         abi.Slice[uint32](p.ends),
		Data:         p.data.Text(),
		NameEnds:     abi.Slice[uint32](p.nameEnds),
		Names:        p.names.Text(),
	}
}
