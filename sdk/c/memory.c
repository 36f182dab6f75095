/* Memory of a call, which is gone when the call ends, and memory that stays. Nothing else is ever freed. */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Pieces of memory in a row; those behind `now` are empty and will be used again. */
typedef struct piece {
	struct piece *next;
	size_t size, used;
	_Alignas(16) char bytes[];
} piece;

typedef struct {
	piece *first, *now;
} arena;

enum { PIECE = 64 * 1024 };

static arena of_call, of_life;
static arena *current = &of_call;

static void *take(arena *from, size_t size) {
	size = (size + 15) & ~(size_t)15;
	piece **at = from->now ? &from->now : &from->first;
	while (*at && (*at)->size - (*at)->used < size) at = &(*at)->next;
	if (!*at) {
		size_t room = size > PIECE ? size : PIECE;
		piece *fresh = malloc(sizeof(piece) + room);
		if (!fresh) abort();
		*fresh = (piece){.next = NULL, .size = room};
		*at = fresh;
	}
	from->now = *at;
	void *taken = from->now->bytes + from->now->used;
	from->now->used += size;
	return taken;
}

void tr_memory_of_call(void) { current = &of_call; }
void tr_memory_of_life(void) { current = &of_life; }

void tr_memory_reset(void) {
	for (piece *each = of_call.first; each; each = each->next) each->used = 0;
	of_call.now = of_call.first;
}

void *tr_alloc(size_t size) {
	void *taken = take(current, size);
	memset(taken, 0, size);
	return taken;
}

#ifdef __wasm__
/* The host asks for memory for what it writes. */
TR_EXPORT("cabi_realloc") void *tr_export_realloc(void *old, size_t old_size, size_t align, size_t size) {
	if (size == 0) return (void *)align;
	void *taken = take(current, size);
	if (old_size) memcpy(taken, old, old_size < size ? old_size : size);
	return taken;
}
#endif

void tr_push(tr_vector *vector, const void *bytes, size_t len) {
	if (vector->len + len > vector->room) {
		size_t room = 2 * (vector->len + len) + 64;
		char *grown = take(current, room);
		if (vector->len) memcpy(grown, vector->at, vector->len);
		vector->at = grown;
		vector->room = room;
	}
	if (len) memcpy(vector->at + vector->len, bytes, len);
	vector->len += len;
}

tr_text tr_text_of(const char *string) { return (tr_text){string, strlen(string)}; }

bool tr_equal(tr_text a, tr_text b) { return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0); }

bool tr_starts_with(tr_text text, tr_text start) {
	return text.len >= start.len && (start.len == 0 || memcmp(text.at, start.at, start.len) == 0);
}

static tr_text format(const char *format, va_list arguments) {
	va_list again;
	va_copy(again, arguments);
	int len = vsnprintf(NULL, 0, format, arguments);
	if (len < 0) abort();
	char *text = tr_alloc((size_t)len + 1);
	vsnprintf(text, (size_t)len + 1, format, again);
	va_end(again);
	return (tr_text){text, (size_t)len};
}

tr_text tr_format(const char *pattern, ...) {
	va_list arguments;
	va_start(arguments, pattern);
	tr_text text = format(pattern, arguments);
	va_end(arguments);
	return text;
}

const char *tr_errorf(const char *pattern, ...) {
	va_list arguments;
	va_start(arguments, pattern);
	tr_text text = format(pattern, arguments);
	va_end(arguments);
	return text.at;
}

bool tr_is(tr_value value, tr_text text) { return value.kind == TR_STRING && tr_equal(value.text, text); }

double tr_number(tr_value value, double otherwise) {
	switch (value.kind) {
	case TR_INT: return (double)value.integer;
	case TR_DOUBLE: return value.number;
	default: return otherwise;
	}
}
