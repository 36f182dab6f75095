/* Reads the columns in which the host hands over values, and writes those of the edits. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/* Marks the key of a row as that of a field. */
#define FIELD 0x80000000u

/* Where the rows of what owns values of this level are kept; -1 for levels that this SDK does not know. */
static int slot(uint8_t level) {
	switch (level) {
	case TR_RESOURCE: return 0;
	case TR_SCOPE: return 1;
	case TR_METRIC: return 2;
	case TR_ITEM:
	case TR_EVENT:
	case TR_LINK:
	case TR_EXEMPLAR: return 3;
	default: return -1;
	}
}

uint32_t tr_nodes(const tr_batch *batch, tr_level level) {
	switch (level) {
	case TR_RESOURCE: return (uint32_t)batch->in.resource_ends.len;
	case TR_SCOPE: return (uint32_t)batch->in.scope_ends.len;
	case TR_METRIC: return (uint32_t)batch->in.metric_ends.len;
	case TR_ITEM: return batch->in.items;
	default: return 0;
	}
}

uint32_t tr_rows(const tr_batch *batch) { return (uint32_t)batch->in.owners.len; }
tr_signal tr_signal_of(const tr_batch *batch) { return batch->signal; }

tr_batch *tr_batch_new(tr_signal signal, const tr_list *fields, const tr_projection *in) {
	static const tr_level levels[] = {TR_RESOURCE, TR_SCOPE, TR_METRIC, TR_ITEM};
	tr_batch *batch = tr_alloc(sizeof *batch);
	*batch = (tr_batch){.signal = signal, .in = *in, .fields = fields, .name_count = in->name_ends.len};
	batch->names = tr_alloc(batch->name_count * sizeof(tr_text));
	for (size_t i = 0, start = 0; i < batch->name_count; i++) {
		size_t end = tr_u32(in->name_ends)[i];
		batch->names[i] = (tr_text){(const char *)in->names.at + start, end - start};
		start = end;
	}
	for (int i = 0; i < 4; i++) batch->rows[i] = tr_alloc(tr_nodes(batch, levels[i]) * sizeof(tr_range));
	for (uint32_t row = 0; row < in->owners.len; row++) {
		int at = slot(tr_u8(in->levels)[row]);
		uint32_t owner = tr_u32(in->owners)[row];
		if (at < 0 || owner >= tr_nodes(batch, levels[at])) continue;
		tr_range *rows = &batch->rows[at][owner];
		if (rows->end == 0) rows->start = row;
		rows->end = row + 1;
	}
	return batch;
}

tr_text tr_key(tr_attribute a) {
	uint32_t key = tr_u32(a.batch->in.keys)[a.row];
	if (key & FIELD) {
		key &= ~FIELD;
		return key < a.batch->fields->len ? ((const tr_text *)a.batch->fields->at)[key] : TR("");
	}
	return key < a.batch->name_count ? a.batch->names[key] : TR("");
}

bool tr_is_field(tr_attribute a) { return tr_u32(a.batch->in.keys)[a.row] & FIELD; }
tr_level tr_level_of(tr_attribute a) { return (tr_level)tr_u8(a.batch->in.levels)[a.row]; }

tr_value tr_value_of(tr_attribute a) {
	const uint32_t *ends = tr_u32(a.batch->in.ends);
	uint32_t start = a.row ? ends[a.row - 1] : 0;
	const char *bytes = (const char *)a.batch->in.data.at + start;
	tr_value value = {.kind = (tr_kind)tr_u8(a.batch->in.kinds)[a.row]};
	switch (value.kind) {
	case TR_BOOL: value.truth = *bytes != 0; break;
	case TR_INT: memcpy(&value.integer, bytes, 8); break;
	case TR_DOUBLE: memcpy(&value.number, bytes, 8); break;
	default: value.text = (tr_text){bytes, ends[a.row] - start};
	}
	return value;
}

tr_node tr_owner(tr_attribute a) {
	tr_level level = tr_level_of(a);
	return (tr_node){a.batch, slot((uint8_t)level) == 3 ? TR_ITEM : level, tr_u32(a.batch->in.owners)[a.row]};
}

/* The row of a node's own attribute or field, by its key as in the columns; UINT32_MAX if there is none. */
static uint32_t row_of(tr_node node, uint32_t key) {
	int at = slot((uint8_t)node.level);
	if (at < 0 || node.index >= tr_nodes(node.batch, node.level)) abort();
	const tr_projection *in = &node.batch->in;
	tr_range rows = node.batch->rows[at][node.index];
	for (uint32_t row = rows.start; row < rows.end; row++)
		if (tr_u32(in->keys)[row] == key && tr_u8(in->levels)[row] == node.level && tr_u32(in->owners)[row] == node.index)
			return row;
	return UINT32_MAX;
}

static uint32_t own(tr_node node, tr_text key) {
	for (uint32_t name = 0; name < node.batch->name_count; name++)
		if (tr_equal(node.batch->names[name], key)) return row_of(node, name);
	return UINT32_MAX;
}

static uint32_t own_or_field(tr_node node, tr_text key) {
	uint32_t row = own(node, key);
	const tr_text *fields = node.batch->fields->at;
	for (uint32_t field = 0; row == UINT32_MAX && field < node.batch->fields->len; field++)
		if (tr_equal(fields[field], key)) row = row_of(node, field | FIELD);
	return row;
}

tr_value tr_get(tr_node node, tr_text key) {
	uint32_t row = own_or_field(node, key);
	return row == UINT32_MAX ? (tr_value){.kind = TR_NONE} : tr_value_of((tr_attribute){node.batch, row});
}

static bool settable(tr_value value) { return value.kind != TR_NONE && value.kind != TR_NESTED; }

static void edit(tr_attribute a, uint8_t action, tr_value value) {
	tr_batch *batch = a.batch;
	if (!batch->edits) batch->edits = tr_alloc(batch->in.owners.len * sizeof(tr_edit));
	batch->edits[a.row] = (tr_edit){(uint8_t)(1 + action), value};
}

bool tr_set(tr_attribute a, tr_value value) {
	if (!settable(value)) return false;
	edit(a, 0, value);
	return true;
}

void tr_remove(tr_attribute a) {
	if (!tr_is_field(a)) edit(a, 1, (tr_value){.kind = TR_NONE});
}

/* The index of a key among those of the additions. There are few, so that a search is cheaper than anything else. */
static uint32_t name(tr_batch *batch, tr_text key) {
	tr_vector *ends = &batch->additions.name_ends, *names = &batch->additions.names;
	uint32_t start = 0, count = (uint32_t)(ends->len / 4);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t end = ((uint32_t *)(void *)ends->at)[i];
		if (tr_equal((tr_text){names->at + start, end - start}, key)) return i;
		start = end;
	}
	tr_push(names, key.at, key.len);
	uint32_t end = (uint32_t)names->len;
	tr_push(ends, &end, 4);
	return count;
}

static void add(tr_node node, uint8_t action, uint32_t key, tr_value value) {
	uint8_t level = (uint8_t)node.level, kind = (uint8_t)value.kind;
	tr_push(&node.batch->additions.owners, &node.index, 4);
	tr_push(&node.batch->additions.levels, &level, 1);
	tr_push(&node.batch->additions.actions, &action, 1);
	tr_push(&node.batch->additions.keys, &key, 4);
	tr_push(&node.batch->additions.kinds, &kind, 1);
	tr_push_value(&node.batch->additions.data, value);
	uint32_t end = (uint32_t)node.batch->additions.data.len;
	tr_push(&node.batch->additions.ends, &end, 4);
}

bool tr_put(tr_node node, tr_text key, tr_value value) {
	if (!settable(value)) return false;
	uint32_t row = own_or_field(node, key);
	if (row != UINT32_MAX) return tr_set((tr_attribute){node.batch, row}, value);
	add(node, 0, name(node.batch, key), value);
	return true;
}

bool tr_insert(tr_node node, tr_text key, tr_value value) {
	if (!settable(value)) return false;
	if (own(node, key) == UINT32_MAX) add(node, 1, name(node.batch, key), value);
	return true;
}

void tr_delete(tr_node node, tr_text key) {
	uint32_t row = own(node, key);
	if (row != UINT32_MAX) tr_remove((tr_attribute){node.batch, row});
}

void tr_drop(tr_node node) { add(node, 2, 0, (tr_value){.kind = TR_NONE}); }

/* The first of `ends` that lies behind `index`: what `index` belongs to. */
static uint32_t parent(tr_list ends, uint32_t index) {
	size_t low = 0, high = ends.len;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (tr_u32(ends)[middle] > index) high = middle;
		else low = middle + 1;
	}
	if (low == ends.len) abort();
	return (uint32_t)low;
}

tr_node tr_above(tr_node node, tr_level level) {
	const tr_projection *in = &node.batch->in;
	while (node.level != level) {
		if (node.level == TR_ITEM && node.batch->signal == TR_METRICS)
			node = (tr_node){node.batch, TR_METRIC, parent(in->metric_ends, node.index)};
		else if (node.level == TR_ITEM || node.level == TR_METRIC)
			node = (tr_node){node.batch, TR_SCOPE, parent(in->scope_ends, node.index)};
		else if (node.level == TR_SCOPE)
			node = (tr_node){node.batch, TR_RESOURCE, parent(in->resource_ends, node.index)};
		else
			abort();
	}
	return node;
}

void tr_push_value(tr_vector *to, tr_value value) {
	switch (value.kind) {
	case TR_NONE: break;
	case TR_BOOL: tr_push(to, value.truth ? "\1" : "\0", 1); break;
	case TR_INT: tr_push(to, &value.integer, 8); break;
	case TR_DOUBLE: tr_push(to, &value.number, 8); break;
	default: tr_push(to, value.text.at, value.text.len);
	}
}

void tr_batch_finish(tr_batch *batch, tr_apply_answer *answer) {
	tr_vector rows = {0}, actions = {0}, kinds = {0}, ends = {0}, data = {0};
	for (uint32_t row = 0; batch->edits && row < batch->in.owners.len; row++) {
		tr_edit edit = batch->edits[row];
		if (!edit.action) continue;
		uint8_t action = (uint8_t)(edit.action - 1), kind = (uint8_t)edit.value.kind;
		tr_push(&rows, &row, 4);
		tr_push(&actions, &action, 1);
		tr_push(&kinds, &kind, 1);
		tr_push_value(&data, edit.value);
		uint32_t end = (uint32_t)data.len;
		tr_push(&ends, &end, 4);
	}
	answer->edits.rows = tr_list_of(rows, 4);
	answer->edits.actions = tr_list_of(actions, 1);
	answer->edits.kinds = tr_list_of(kinds, 1);
	answer->edits.ends = tr_list_of(ends, 4);
	answer->edits.data = tr_list_of(data, 1);
	answer->edits.additions = (tr_additions){
		.owners = tr_list_of(batch->additions.owners, 4),
		.levels = tr_list_of(batch->additions.levels, 1),
		.actions = tr_list_of(batch->additions.actions, 1),
		.keys = tr_list_of(batch->additions.keys, 4),
		.kinds = tr_list_of(batch->additions.kinds, 1),
		.ends = tr_list_of(batch->additions.ends, 4),
		.data = tr_list_of(batch->additions.data, 1),
		.name_ends = tr_list_of(batch->additions.name_ends, 4),
		.names = tr_list_of(batch->additions.names, 1),
	};
}
