/* Reads the configuration: JSON as RFC 8259 has it, into a tree in memory that stays. */
#include "internal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

typedef enum { NOTHING, TRUTH, NUMBER, TEXT, ARRAY, OBJECT } kind;

struct tr_json {
	kind kind;
	/* In an object. */
	tr_text key;
	union {
		bool truth;
		double number;
		tr_text text;
		tr_json *first;
	};
	tr_json *next;
};

/* Nesting beyond this is refused, so that the stack has an end. */
enum { DEPTH = 64 };

typedef struct {
	const char *at, *end, *start;
	const char *error;
} reader;

static bool fail(reader *r, const char *what) {
	if (!r->error) r->error = tr_errorf("the configuration is no JSON: %s at byte %zu", what, (size_t)(r->at - r->start));
	return false;
}

static void blank(reader *r) {
	while (r->at < r->end && strchr(" \t\r\n", *r->at) && *r->at) r->at++;
}

static bool follows(reader *r, char wanted) {
	blank(r);
	if (r->at == r->end || *r->at != wanted) return false;
	r->at++;
	return true;
}

static bool word(reader *r, tr_text wanted) {
	if (!tr_starts_with((tr_text){r->at, (size_t)(r->end - r->at)}, wanted)) return false;
	r->at += wanted.len;
	return true;
}

static bool hex(reader *r, uint32_t *unit) {
	*unit = 0;
	if (r->end - r->at < 4) return fail(r, "an escape ends early");
	for (int digit = 0; digit < 4; digit++) {
		char c = *r->at++;
		uint32_t value = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
		                 : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
		                 : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
		                                        : 16;
		if (value == 16) return fail(r, "a wrong escape");
		*unit = *unit * 16 + value;
	}
	return true;
}

static void push_utf8(tr_vector *to, uint32_t c) {
	char bytes[4];
	size_t len;
	if (c < 0x80) {
		bytes[0] = (char)c;
		len = 1;
	} else if (c < 0x800) {
		bytes[0] = (char)(0xc0 | c >> 6);
		len = 2;
	} else if (c < 0x10000) {
		bytes[0] = (char)(0xe0 | c >> 12);
		len = 3;
	} else {
		bytes[0] = (char)(0xf0 | c >> 18);
		len = 4;
	}
	for (size_t i = 1; i < len; i++) bytes[i] = (char)(0x80 | ((c >> (6 * (len - 1 - i))) & 0x3f));
	tr_push(to, bytes, len);
}

static bool escape(reader *r, tr_vector *to) {
	static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
	if (r->at == r->end) return fail(r, "a text without end");
	char c = *r->at++;
	const char *plain = c ? strchr(from, c) : NULL;
	if (plain) {
		tr_push(to, &into[plain - from], 1);
		return true;
	}
	uint32_t unit, low;
	if (c != 'u') return fail(r, "a wrong escape");
	if (!hex(r, &unit)) return false;
	if (unit >= 0xd800 && unit < 0xdc00) {
		if (!word(r, TR("\\u")) || !hex(r, &low) || low < 0xdc00 || low > 0xdfff) return fail(r, "half a character");
		unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
	} else if (unit >= 0xdc00 && unit < 0xe000) {
		return fail(r, "half a character");
	}
	push_utf8(to, unit);
	return true;
}

static bool text(reader *r, tr_text *out) {
	tr_vector letters = {0};
	if (!follows(r, '"')) return fail(r, "a text is missing");
	for (;;) {
		const char *from = r->at;
		while (r->at < r->end && *r->at != '"' && *r->at != '\\') {
			if ((unsigned char)*r->at < 0x20) return fail(r, "a control character");
			r->at++;
		}
		tr_push(&letters, from, (size_t)(r->at - from));
		if (r->at == r->end) return fail(r, "a text without end");
		if (*r->at++ == '"') break;
		if (!escape(r, &letters)) return false;
	}
	*out = (tr_text){letters.at, letters.len};
	return true;
}

static bool digits(reader *r) {
	const char *from = r->at;
	while (r->at < r->end && *r->at >= '0' && *r->at <= '9') r->at++;
	return r->at > from;
}

static bool number(reader *r, double *out) {
	const char *from = r->at;
	if (*r->at == '-') r->at++;
	bool zero = r->at < r->end && *r->at == '0';
	const char *whole = r->at;
	if (!digits(r) || (zero && r->at - whole > 1)) return fail(r, "a wrong number");
	if (r->at < r->end && *r->at == '.') {
		r->at++;
		if (!digits(r)) return fail(r, "a wrong number");
	}
	if (r->at < r->end && (*r->at == 'e' || *r->at == 'E')) {
		r->at++;
		if (r->at < r->end && (*r->at == '+' || *r->at == '-')) r->at++;
		if (!digits(r)) return fail(r, "a wrong number");
	}
	tr_text copy = tr_format("%.*s", (int)(r->at - from), from);
	*out = strtod(copy.at, NULL);
	return true;
}

static tr_json *value(reader *r, int depth);

/* What is in an array or an object. */
static bool members(reader *r, tr_json *of, char end, int depth) {
	tr_json **last = &of->first;
	if (follows(r, end)) return true;
	do {
		tr_text key = {0};
		if (of->kind == OBJECT) {
			if (!text(r, &key)) return false;
			if (!follows(r, ':')) return fail(r, "a colon is missing");
		}
		tr_json *member = value(r, depth + 1);
		if (!member) return false;
		member->key = key;
		*last = member;
		last = &member->next;
	} while (follows(r, ','));
	return follows(r, end) || fail(r, "a comma or an end is missing");
}

static tr_json *value(reader *r, int depth) {
	tr_json *json = tr_alloc(sizeof *json);
	bool ok;
	blank(r);
	if (r->at == r->end || depth > DEPTH) {
		ok = fail(r, depth > DEPTH ? "too many levels" : "a value is missing");
	} else if (*r->at == '{' || *r->at == '[') {
		json->kind = *r->at == '{' ? OBJECT : ARRAY;
		r->at++;
		ok = members(r, json, json->kind == OBJECT ? '}' : ']', depth);
	} else if (*r->at == '"') {
		json->kind = TEXT;
		ok = text(r, &json->text);
	} else if (*r->at == '-' || (*r->at >= '0' && *r->at <= '9')) {
		json->kind = NUMBER;
		ok = number(r, &json->number);
	} else if (word(r, TR("true"))) {
		json->kind = TRUTH;
		ok = json->truth = true;
	} else if (word(r, TR("false"))) {
		json->kind = TRUTH;
		ok = true;
	} else {
		ok = word(r, TR("null")) || fail(r, "a value is missing");
	}
	return ok ? json : NULL;
}

const tr_json *tr_json_parse(tr_text config, const char **error) {
	reader r = {config.at, config.at + config.len, config.at, NULL};
	tr_json *json = value(&r, 0);
	blank(&r);
	if (json && r.at != r.end) fail(&r, "something follows it");
	*error = r.error;
	return r.error ? NULL : json;
}

bool tr_json_is_object(const tr_json *json) { return json && json->kind == OBJECT; }

const tr_json *tr_json_get(const tr_json *object, const char *key) {
	if (!tr_json_is_object(object)) return NULL;
	const tr_json *found = NULL;
	for (const tr_json *member = object->first; member; member = member->next)
		if (tr_equal(member->key, tr_text_of(key))) found = member;
	return found;
}

const tr_json *tr_json_first(const tr_json *array) { return array && array->kind == ARRAY ? array->first : NULL; }
const tr_json *tr_json_next(const tr_json *element) { return element ? element->next : NULL; }

tr_text tr_json_text(const tr_json *json, tr_text otherwise) { return json && json->kind == TEXT ? json->text : otherwise; }

double tr_json_number(const tr_json *json, double otherwise) {
	return json && json->kind == NUMBER ? json->number : otherwise;
}

bool tr_json_bool(const tr_json *json, bool otherwise) { return json && json->kind == TRUTH ? json->truth : otherwise; }

bool tr_json_has(const tr_json *array, tr_text wanted) {
	TR_EACH_JSON(element, array)
		if (element->kind == TEXT && tr_equal(element->text, wanted)) return true;
	return false;
}

const char *tr_json_only(const tr_json *object, ...) {
	if (!tr_json_is_object(object)) return NULL;
	for (const tr_json *member = object->first; member; member = member->next) {
		va_list keys;
		va_start(keys, object);
		const char *known = va_arg(keys, const char *);
		while (known && !tr_equal(member->key, tr_text_of(known))) known = va_arg(keys, const char *);
		va_end(keys);
		if (!known) return tr_errorf("%.*s: unknown key \"%.*s\"", TR_ARGS(member->key), TR_ARGS(member->key));
	}
	return NULL;
}
