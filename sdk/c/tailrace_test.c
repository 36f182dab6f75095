/* The host of a plugin under test: it shows a batch, and makes the changes. */
#define _POSIX_C_SOURCE 200809L
#include "tailrace_test.h"
#include "internal.h"

#ifndef __wasm__

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ITEMS = 256, ATTRIBUTES = 64 };

typedef struct {
	char *key;
	tr_value value;
} attribute;

/* Owner 0 is the resource, the others are items. */
static struct {
	attribute attributes[ATTRIBUTES];
	size_t count;
	bool dropped;
} owners[1 + ITEMS];
static int items;
static tr_configure_answer *interest;

static tr_value keep(tr_value value) {
	if (value.kind == TR_STRING || value.kind == TR_BYTES)
		value.text.at = memcpy(malloc(value.text.len + 1), value.text.at, value.text.len);
	return value;
}

static void put(int owner, tr_text key, tr_value value, bool replace) {
	size_t at = 0;
	while (at < owners[owner].count && !tr_equal(tr_text_of(owners[owner].attributes[at].key), key)) at++;
	if (at == owners[owner].count) {
		if (at == ATTRIBUTES) abort();
		owners[owner].attributes[at].key = strndup(key.at, key.len);
		owners[owner].count++;
	} else if (!replace) {
		return;
	}
	owners[owner].attributes[at].value = keep(value);
}

/* Reads "key=text" or "key:=value". */
static void parse(int owner, const char *text) {
	const char *equals = strchr(text, '=');
	if (!equals) abort();
	bool typed = equals > text && equals[-1] == ':';
	tr_text key = {text, (size_t)(equals - text) - typed};
	tr_text rest = tr_text_of(equals + 1);
	tr_value value = tr_string(rest);
	if (typed && (tr_equal(rest, TR("true")) || tr_equal(rest, TR("false")))) value = tr_bool(*rest.at == 't');
	else if (typed && strpbrk(rest.at, ".eE")) value = tr_double(strtod(rest.at, NULL));
	else if (typed) value = tr_int(strtoll(rest.at, NULL, 10));
	put(owner, key, value, true);
}

static void parse_all(int owner, const char *first, va_list rest) {
	for (const char *each = first; each; each = va_arg(rest, const char *)) parse(owner, each);
}

int tr_test_item(const char *first, ...) {
	if (items == ITEMS) abort();
	va_list rest;
	va_start(rest, first);
	parse_all(1 + items, first, rest);
	va_end(rest);
	return items++;
}

void tr_test_resource(const char *first, ...) {
	va_list rest;
	va_start(rest, first);
	parse_all(0, first, rest);
	va_end(rest);
}

const char *tr_test_configure(const char *config, tr_configure *configure) {
	memset(owners, 0, sizeof owners);
	items = 0;
	interest = tr_do_configure(tr_text_of(config), configure);
	return interest->tag ? interest->error.at : NULL;
}

static bool level_wanted(tr_level level) {
	tr_list levels = interest->interest.levels;
	for (size_t i = 0; i < levels.len; i++)
		if (tr_u8(levels)[i] == level) return true;
	return levels.len == 0;
}

static bool wanted(tr_level level, tr_text key) {
	const tr_selector *selectors = interest->interest.attributes.at;
	for (size_t i = 0; i < interest->interest.attributes.len; i++) {
		bool hit = selectors[i].kind == 2 || (selectors[i].kind == 1 && tr_starts_with(key, selectors[i].key)) ||
		           (selectors[i].kind == 0 && tr_equal(selectors[i].key, key));
		if (hit) return level_wanted(level);
	}
	return false;
}

/* The index of a field that was asked for, or -1. */
static int field(tr_text key) {
	const tr_text *fields = tr_fields.at;
	for (size_t i = 0; i < tr_fields.len; i++)
		if (tr_equal(fields[i], key)) return (int)i;
	return -1;
}

/* Which attribute of which owner a row is. */
typedef struct {
	int owner;
	size_t attribute;
} place;

/* The index of a key among the names, each of which is there once. */
static uint32_t name_of(tr_vector *names, tr_vector *ends, tr_text key) {
	uint32_t start = 0, count = (uint32_t)(ends->len / 4);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t end = ((uint32_t *)(void *)ends->at)[i];
		if (tr_equal((tr_text){names->at + start, end - start}, key)) return i;
		start = end;
	}
	tr_push(names, key.at, key.len);
	start = (uint32_t)names->len;
	tr_push(ends, &start, 4);
	return count;
}

static tr_projection project(tr_vector *places) {
	tr_vector rows = {0}, levels = {0}, keys = {0}, kinds = {0}, ends = {0}, data = {0}, name_ends = {0}, names = {0};
	for (int owner = 0; owner <= items; owner++) {
		tr_level level = owner ? TR_ITEM : TR_RESOURCE;
		for (size_t i = 0; i < owners[owner].count; i++) {
			tr_text key = tr_text_of(owners[owner].attributes[i].key);
			int at = owner ? field(key) : -1;
			if (at < 0 && !wanted(level, key)) continue;
			uint32_t index = owner ? (uint32_t)(owner - 1) : 0;
			uint32_t name = (uint32_t)at | 0x80000000u;
			if (at < 0) name = name_of(&names, &name_ends, key);
			tr_value value = owners[owner].attributes[i].value;
			uint8_t code = (uint8_t)level, kind = (uint8_t)value.kind;
			tr_push(&rows, &index, 4);
			tr_push(&levels, &code, 1);
			tr_push(&keys, &name, 4);
			tr_push(&kinds, &kind, 1);
			tr_push_value(&data, value);
			uint32_t end = (uint32_t)data.len;
			tr_push(&ends, &end, 4);
			place here = {owner, i};
			tr_push(places, &here, sizeof here);
		}
	}
	uint32_t *one = tr_alloc(4), *all = tr_alloc(4);
	*one = 1;
	*all = (uint32_t)items;
	return (tr_projection){
		.resource_ends = {one, 1},
		.scope_ends = {all, 1},
		.items = (uint32_t)items,
		.owners = tr_list_of(rows, 4),
		.levels = tr_list_of(levels, 1),
		.keys = tr_list_of(keys, 4),
		.kinds = tr_list_of(kinds, 1),
		.ends = tr_list_of(ends, 4),
		.data = tr_list_of(data, 1),
		.name_ends = tr_list_of(name_ends, 4),
		.names = tr_list_of(names, 1),
	};
}

static tr_value read(uint8_t kind, tr_list data, uint32_t start, uint32_t end) {
	const char *bytes = (const char *)data.at + start;
	tr_value value = {.kind = (tr_kind)kind};
	if (kind == TR_BOOL) value.truth = *bytes;
	else if (kind == TR_INT) memcpy(&value.integer, bytes, 8);
	else if (kind == TR_DOUBLE) memcpy(&value.number, bytes, 8);
	else value.text = (tr_text){bytes, end - start};
	return value;
}

/* Does what an answer says. An attribute that is removed loses its key, so that the places of the others stay good. */
static void change(const tr_apply_answer *answer, const place *places) {
	const uint32_t *rows = answer->edits.rows.at, *ends = answer->edits.ends.at;
	for (size_t i = 0; i < answer->edits.rows.len; i++) {
		attribute *at = &owners[places[rows[i]].owner].attributes[places[rows[i]].attribute];
		uint8_t kind = tr_u8(answer->edits.kinds)[i];
		if (tr_u8(answer->edits.actions)[i] == 1) at->key = "";
		else at->value = keep(read(kind, answer->edits.data, i ? ends[i - 1] : 0, ends[i]));
	}
	const tr_additions *add = &answer->edits.additions;
	for (size_t i = 0; i < add->owners.len; i++) {
		uint32_t start = i ? tr_u32(add->ends)[i - 1] : 0, end = tr_u32(add->ends)[i];
		uint8_t level = tr_u8(add->levels)[i], action = tr_u8(add->actions)[i];
		int owner = level == TR_ITEM ? 1 + (int)tr_u32(add->owners)[i] : 0;
		if (action == 2) {
			for (int item = 1; item <= items; item++)
				if (level != TR_ITEM || item == owner) owners[item].dropped = true;
			continue;
		}
		uint32_t name = tr_u32(add->keys)[i], from = name ? tr_u32(add->name_ends)[name - 1] : 0;
		tr_text key = {(const char *)add->names.at + from, tr_u32(add->name_ends)[name] - from};
		if (level == TR_ITEM || level == TR_RESOURCE)
			put(owner, key, read(tr_u8(add->kinds)[i], add->data, start, end), action == 0);
	}
}

tr_answer tr_test_apply(tr_signal signal, tr_apply *apply) {
	tr_memory_reset();
	tr_vector places = {0};
	tr_apply_arguments in = {.signal = (uint8_t)signal, .values = project(&places)};
	tr_apply_answer *answer = tr_do_apply(&in, apply);
	if (answer->tag) return (tr_answer){answer->failure.kind ? 1 : 2, answer->failure.why};
	change(answer, (const place *)(void *)places.at);
	return TR_OK;
}

tr_decision tr_test_decide(tr_decide *decide) {
	static const uint8_t id[16] = {1}, yes = 1;
	static const uint64_t start = 1700000000000000000u, duration = 1000000;
	tr_memory_reset();
	tr_vector places = {0};
	uint32_t *count = tr_alloc(4), *none = tr_alloc(4);
	uint64_t *size = tr_alloc(8);
	*count = (uint32_t)items;
	*size = 100u * (uint32_t)items;
	tr_traces in = {
		.ids = {id, 16},
		.span_counts = {count, 1},
		.error_counts = {none, 1},
		.starts = {&start, 1},
		.durations = {&duration, 1},
		.sizes = {size, 1},
		.last_calls = {&yes, 1},
		.values = project(&places),
		.item_ends = {count, 1},
	};
	tr_sample_answer *answer = tr_do_sample(&in, decide);
	if (answer->tag) return TR_UNDECIDED;
	const tr_decision_out *out = answer->decisions.at;
	return (tr_decision){out->kind, out->sample.some, out->sample.threshold};
}

bool tr_test_dropped(int item) { return owners[1 + item].dropped; }

tr_value tr_test_get(int item, const char *key) {
	for (size_t i = 0; i < owners[1 + item].count; i++)
		if (strcmp(owners[1 + item].attributes[i].key, key) == 0) return owners[1 + item].attributes[i].value;
	return (tr_value){.kind = TR_NONE};
}

const char *tr_test_text(int item, const char *key) {
	tr_value value = tr_test_get(item, key);
	switch (value.kind) {
	case TR_NONE: return NULL;
	case TR_BOOL: return value.truth ? "true" : "false";
	case TR_INT: return tr_format("%lld", (long long)value.integer).at;
	case TR_DOUBLE: return tr_format("%.17g", value.number).at;
	default: return tr_format("%.*s", TR_ARGS(value.text)).at;
	}
}
#endif
