/* What the files of the SDK share. Nothing here is for authors.
 *
 * The records of the contract are structs whose members lie in WebAssembly where the component model puts them: a list is
 * an address and a length of 4 bytes each, as a pointer and a size_t are there. Natively they are wider, and the tests
 * fill them in themselves. */
#ifndef TAILRACE_INTERNAL_H
#define TAILRACE_INTERNAL_H

#include "tailrace.h"

typedef struct {
	const void *at;
	size_t len;
} tr_list;

static inline const uint32_t *tr_u32(tr_list list) { return list.at; }
static inline const uint8_t *tr_u8(tr_list list) { return list.at; }
static inline const uint64_t *tr_u64(tr_list list) { return list.at; }

/* The record `projection`. */
typedef struct {
	tr_list resource_ends, scope_ends, metric_ends;
	uint32_t items;
	tr_list owners, levels, keys, kinds, ends, data, name_ends, names;
} tr_projection;

/* The arguments of `apply`. */
typedef struct {
	uint8_t signal;
	tr_projection values;
} tr_apply_arguments;

/* The record `traces`. */
typedef struct {
	tr_list ids, span_counts, error_counts, starts, durations, sizes, last_calls;
	tr_projection values;
	tr_list item_ends, span_ends, spans;
} tr_traces;

/* The record `additions`. */
typedef struct {
	tr_list owners, levels, actions, keys, kinds, ends, data, name_ends, names;
} tr_additions;

/* The answer of `apply`: 0 and edits, or 1 and a failure. */
typedef struct {
	uint8_t tag;
	union {
		struct {
			tr_list rows, actions, kinds, ends, data;
			tr_additions additions;
		} edits;
		struct {
			uint8_t kind;
			tr_text why;
		} failure;
	};
} tr_apply_answer;

/* The answer of `process`. */
typedef struct {
	uint8_t tag;
	struct {
		uint8_t kind;
		tr_text text;
	} outcome; /* or failure: it has the same layout */
} tr_process_answer;

/* The variant `decision`. */
typedef struct {
	uint8_t kind;
	struct {
		uint8_t some;
		uint64_t threshold;
	} sample;
} tr_decision_out;

/* The answer of `sample`. */
typedef struct {
	uint8_t tag;
	union {
		tr_list decisions;
		struct {
			uint8_t kind;
			tr_text why;
		} failure;
	};
} tr_sample_answer;

/* The variant `attribute-selector`. */
typedef struct {
	uint8_t kind; /* 0 exact, 1 prefix, 2 all */
	tr_text key;
} tr_selector;

/* The answer of `configure`. */
typedef struct {
	uint8_t tag;
	union {
		struct {
			tr_list signals, attributes, levels, fields;
			bool always;
			uint8_t single;
		} interest;
		tr_text error;
	};
} tr_configure_answer;

/* The record `info`. */
typedef struct {
	tr_text name, version;
	struct {
		uint8_t some;
		tr_text text;
	} schema;
	struct {
		uint8_t some;
		uint8_t mode;
	} error_mode;
} tr_info_answer;

/* A vector: what a plugin wants, and its edits. Grows in memory of the call. */
typedef struct {
	char *at;
	size_t len, room;
} tr_vector;
void tr_push(tr_vector *vector, const void *bytes, size_t len);
/* The vector as a list of things of this size. */
static inline tr_list tr_list_of(tr_vector vector, size_t size) { return (tr_list){vector.at, vector.len / size}; }

struct tr_interest {
	tr_vector signals, attributes, levels, fields;
	bool always, single;
};

/* A range of rows. */
typedef struct {
	uint32_t start, end;
} tr_range;

/* What was decided about a row. */
typedef struct {
	uint8_t action; /* 0 nothing, else 1 + the action of the contract */
	tr_value value;
} tr_edit;

struct tr_batch {
	tr_signal signal;
	tr_projection in;
	const tr_list *fields;
	/* The keys among the rows. */
	tr_text *names;
	size_t name_count;
	/* The rows of each resource, scope, metric and item. */
	tr_range *rows[4];
	/* Per row; NULL until the first edit. */
	tr_edit *edits;
	struct {
		tr_vector owners, levels, actions, keys, kinds, ends, data, name_ends, names;
	} additions;
};

/* The fields of the interest, in its order: what `keys` of a projection count. */
extern tr_list tr_fields;

/* Reads a projection. */
tr_batch *tr_batch_new(tr_signal signal, const tr_list *fields, const tr_projection *in);
/* Writes down what was decided. */
void tr_batch_finish(tr_batch *batch, tr_apply_answer *answer);
/* Appends a value as the contract writes it. */
void tr_push_value(tr_vector *to, tr_value value);

/* Parses a JSON text; NULL and an error if it is none. */
const tr_json *tr_json_parse(tr_text text, const char **error);
bool tr_json_is_object(const tr_json *json);

/* Memory: from here on it lasts for the call, or for ever. */
void tr_memory_of_call(void);
void tr_memory_of_life(void);
/* Ends a call: its memory is used again. */
void tr_memory_reset(void);

#endif
