/* What the host gives, in WebAssembly: calls of the interface `host` of the contract. */
#include "internal.h"

#ifdef __wasm__

#include <string.h>

#define IMPORT(name) __attribute__((import_module("tailrace:plugin/host@0.1.0"), import_name(name)))

IMPORT("log") void host_log(uint32_t level, const char *at, size_t len);
IMPORT("now") uint64_t host_now(void);
IMPORT("random") uint64_t host_random(void);
IMPORT("open-metric")
void host_open_metric(uint32_t kind, const char *at, size_t len, const tr_label *labels, size_t count, void *answer);
IMPORT("record-metric") void host_record_metric(uint32_t metric, double value);
IMPORT("compile-patterns") void host_compile_patterns(const tr_text *patterns, size_t count, void *answer);
IMPORT("pattern-groups") void host_pattern_groups(uint32_t set, uint32_t pattern, void *answer);
IMPORT("match-patterns")
void host_match_patterns(uint32_t set, const uint32_t *ends, size_t count, const char *at, size_t len, void *answer);
IMPORT("find-patterns")
void host_find_patterns(uint32_t set, const uint32_t *ends, size_t count, const char *at, size_t len, void *answer);
IMPORT("capture-groups")
void host_capture_groups(uint32_t set, uint32_t pattern, const char *at, size_t len, void *answer);
IMPORT("hash-texts")
void host_hash_texts(const char *algorithm, size_t algorithm_len, const char *key, size_t key_len, const uint32_t *ends,
                     size_t count, const char *at, size_t len, void *answer);

/* A result that is a number or an error. */
typedef struct {
	uint8_t failed;
	union {
		uint32_t number;
		tr_text text;
	};
} result;

/* An error as a C string. */
static const char *why(const result *answer) { return tr_errorf("%.*s", TR_ARGS(answer->text)); }

/* The record `texts`. */
typedef struct {
	uint32_t *ends;
	tr_text data;
} texts;

static texts columns(const tr_text *of, size_t count) {
	texts all = {tr_alloc(count * 4), {NULL, 0}};
	size_t len = 0;
	for (size_t i = 0; i < count; i++) all.ends[i] = (uint32_t)(len += of[i].len);
	char *data = tr_alloc(len);
	for (size_t i = 0; i < count; i++)
		if (of[i].len) memcpy(data + all.ends[i] - of[i].len, of[i].at, of[i].len);
	all.data = (tr_text){data, len};
	return all;
}

void tr_log(tr_log_level level, tr_text line) { host_log(level, line.at, line.len); }
uint64_t tr_now(void) { return host_now(); }
uint64_t tr_random(void) { return host_random(); }

const char *tr_metric_open(tr_metric *metric, tr_metric_kind kind, tr_text name, const tr_label *labels, size_t count) {
	result answer;
	host_open_metric(kind, name.at, name.len, labels, count, &answer);
	*metric = (tr_metric){answer.number, !answer.failed};
	return answer.failed ? why(&answer) : NULL;
}

void tr_metric_record(tr_metric metric, double value) {
	if (metric.open) host_record_metric(metric.number, value);
}

const char *tr_patterns_compile(tr_patterns *patterns, const tr_text *expressions, size_t count) {
	result answer;
	host_compile_patterns(expressions, count, &answer);
	*patterns = (tr_patterns){answer.number, !answer.failed};
	return answer.failed ? why(&answer) : NULL;
}

typedef void search(uint32_t set, const uint32_t *ends, size_t count, const char *at, size_t len, void *answer);

static tr_matches matches(search *with, tr_patterns patterns, const tr_text *of, size_t count) {
	if (!patterns.open) return (tr_matches){NULL, 0};
	texts all = columns(of, count);
	struct {
		tr_list texts, patterns, starts, ends;
	} answer;
	with(patterns.set, all.ends, count, all.data.at, all.data.len, &answer);
	tr_match *found = tr_alloc(answer.texts.len * sizeof *found);
	for (size_t i = 0; i < answer.texts.len; i++) {
		found[i] = (tr_match){tr_u32(answer.texts)[i], tr_u32(answer.patterns)[i], 0, 0};
		if (answer.starts.len == answer.texts.len) {
			found[i].start = tr_u32(answer.starts)[i];
			found[i].end = tr_u32(answer.ends)[i];
		}
	}
	return (tr_matches){found, answer.texts.len};
}

tr_matches tr_patterns_match(tr_patterns patterns, const tr_text *of, size_t count) {
	return matches(host_match_patterns, patterns, of, count);
}

tr_matches tr_patterns_find(tr_patterns patterns, const tr_text *of, size_t count) {
	return matches(host_find_patterns, patterns, of, count);
}

tr_groups tr_patterns_groups(tr_patterns patterns, uint32_t pattern, tr_text text) {
	tr_groups groups = {NULL, 0};
	/* An option of two numbers has the layout of tr_group. */
	if (patterns.open) host_capture_groups(patterns.set, pattern, text.at, text.len, &groups);
	return groups;
}

tr_texts tr_patterns_names(tr_patterns patterns, uint32_t pattern) {
	tr_texts names = {NULL, 0};
	if (patterns.open) host_pattern_groups(patterns.set, pattern, &names);
	return names;
}

const char *tr_hash(tr_text algorithm, tr_text key, const tr_text *of, size_t count, tr_text *hashes) {
	texts all = columns(of, count);
	result answer;
	host_hash_texts(algorithm.at, algorithm.len, key.at, key.len, all.ends, count, all.data.at, all.data.len, &answer);
	*hashes = answer.failed ? (tr_text){NULL, 0} : answer.text;
	return answer.failed ? why(&answer) : NULL;
}
#endif
