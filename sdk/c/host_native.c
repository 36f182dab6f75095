/* What the host gives, natively: enough to test a plugin. */
#define _POSIX_C_SOURCE 200809L
#include "internal.h"

#ifndef __wasm__

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SERIES = 64, SETS = 64, GROUPS = 16 };

static struct {
	char *key;
	tr_metric_kind kind;
	double value;
} series[SERIES];
static size_t series_count;

static struct {
	regex_t *patterns;
	size_t count;
} sets[SETS];
static uint32_t set_count;

void tr_log(tr_log_level level, tr_text line) {
	static const char *const levels[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR"};
	fprintf(stderr, "%s %.*s\n", levels[level], TR_ARGS(line));
}

uint64_t tr_now(void) {
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t tr_random(void) {
	static uint64_t state = 0x9e3779b97f4a7c15u;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

const char *tr_metric_open(tr_metric *metric, tr_metric_kind kind, tr_text name, const tr_label *labels, size_t count) {
	*metric = (tr_metric){0, false};
	tr_text key = tr_format("%.*s", TR_ARGS(name));
	for (size_t i = 0; i < count; i++)
		key = tr_format("%s,%.*s=%.*s", key.at, TR_ARGS(labels[i].name), TR_ARGS(labels[i].value));
	size_t at = 0;
	while (at < series_count && strcmp(series[at].key, key.at) != 0) at++;
	if (at == SERIES) return "too many series";
	if (at == series_count) {
		series[at].key = strdup(key.at);
		series[at].kind = kind;
		series_count++;
	}
	if (series[at].kind != kind) return "it is open as a metric of another kind";
	*metric = (tr_metric){(uint32_t)at, true};
	return NULL;
}

void tr_metric_record(tr_metric metric, double value) {
	if (!metric.open) return;
	double *sum = &series[metric.number].value;
	switch (series[metric.number].kind) {
	case TR_COUNTER: *sum += value > 0 ? value : 0; break;
	case TR_GAUGE: *sum = value; break;
	case TR_HISTOGRAM: *sum += 1; break;
	}
}

double tr_test_metric(const char *key) {
	for (size_t i = 0; i < series_count; i++)
		if (strcmp(series[i].key, key) == 0) return series[i].value;
	return 0;
}

static const char *string(tr_text text) { return tr_format("%.*s", TR_ARGS(text)).at; }

const char *tr_patterns_compile(tr_patterns *patterns, const tr_text *expressions, size_t count) {
	*patterns = (tr_patterns){0, false};
	if (set_count == SETS) return "too many sets";
	regex_t *compiled = calloc(count ? count : 1, sizeof *compiled);
	for (size_t i = 0; i < count; i++) {
		int fault = regcomp(&compiled[i], string(expressions[i]), REG_EXTENDED);
		if (fault) {
			char words[100];
			regerror(fault, &compiled[i], words, sizeof words);
			return tr_errorf("pattern %zu: %s", i, words);
		}
	}
	sets[set_count].patterns = compiled;
	sets[set_count].count = count;
	*patterns = (tr_patterns){set_count++, true};
	return NULL;
}

static tr_matches search(tr_patterns patterns, const tr_text *texts, size_t count, bool every) {
	tr_vector found = {0};
	for (uint32_t text = 0; patterns.open && text < count; text++) {
		const char *start = string(texts[text]);
		for (uint32_t pattern = 0; pattern < sets[patterns.set].count; pattern++) {
			const char *at = start;
			regmatch_t match;
			while (regexec(&sets[patterns.set].patterns[pattern], at, 1, &match, at > start ? REG_NOTBOL : 0) == 0) {
				uint32_t base = (uint32_t)(at - start);
				tr_match one = {text, pattern, base + (uint32_t)match.rm_so, base + (uint32_t)match.rm_eo};
				if (!every) one.start = one.end = 0;
				tr_push(&found, &one, sizeof one);
				at += match.rm_eo > match.rm_so ? match.rm_eo : match.rm_eo + 1;
				if (!every || (size_t)(at - start) > texts[text].len) break;
			}
		}
	}
	return (tr_matches){(const tr_match *)(void *)found.at, found.len / sizeof(tr_match)};
}

tr_matches tr_patterns_match(tr_patterns patterns, const tr_text *texts, size_t count) {
	return search(patterns, texts, count, false);
}

tr_matches tr_patterns_find(tr_patterns patterns, const tr_text *texts, size_t count) {
	return search(patterns, texts, count, true);
}

tr_groups tr_patterns_groups(tr_patterns patterns, uint32_t pattern, tr_text text) {
	regmatch_t matches[GROUPS];
	if (!patterns.open || pattern >= sets[patterns.set].count) return (tr_groups){NULL, 0};
	regex_t *compiled = &sets[patterns.set].patterns[pattern];
	size_t count = compiled->re_nsub + 1 < GROUPS ? compiled->re_nsub + 1 : GROUPS;
	if (regexec(compiled, string(text), count, matches, 0) != 0) return (tr_groups){NULL, 0};
	tr_group *groups = tr_alloc(count * sizeof *groups);
	for (size_t i = 0; i < count; i++)
		if (matches[i].rm_so >= 0) groups[i] = (tr_group){true, (uint32_t)matches[i].rm_so, (uint32_t)matches[i].rm_eo};
	return (tr_groups){groups, count};
}

tr_texts tr_patterns_names(tr_patterns patterns, uint32_t pattern) {
	/* POSIX has groups, but no names. */
	if (!patterns.open || pattern >= sets[patterns.set].count) return (tr_texts){NULL, 0};
	size_t count = sets[patterns.set].patterns[pattern].re_nsub + 1;
	return (tr_texts){tr_alloc(count * sizeof(tr_text)), count};
}

const char *tr_hash(tr_text algorithm, tr_text key, const tr_text *texts, size_t count, tr_text *hashes) {
	(void)algorithm;
	uint64_t *all = tr_alloc(count * 8);
	for (size_t i = 0; i < count; i++) {
		all[i] = 0xcbf29ce484222325u;
		for (size_t j = 0; j < key.len + texts[i].len; j++) {
			char c = j < key.len ? key.at[j] : texts[i].at[j - key.len];
			all[i] = (all[i] ^ (unsigned char)c) * 0x100000001b3u;
		}
	}
	*hashes = (tr_text){(const char *)all, count * 8};
	return NULL;
}
#endif
