/* The SDK natively: the configuration's JSON, the columns of a batch, and what is written for the host.
 *
 *     cc -std=c11 -I . test/test.c *.c -lm -o /tmp/test && /tmp/test */
#include "../internal.h"
#include "../tailrace_test.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char *seen_error;
static const tr_json *seen;

static const char *see(const tr_json *config, tr_interest *interest) {
	(void)interest;
	seen = config;
	return NULL;
}

static const tr_json *json(const char *text) {
	seen = NULL;
	seen_error = tr_test_configure(text, see);
	return seen;
}

static void values_are_read(void) {
	const tr_json *all = json(" {\"a\": [1, -2.5e1, true, null, \"x\"], \"b\": {\"c\": \"d\"}, \"b2\": false} ");
	assert(!seen_error);
	const tr_json *element = tr_json_first(tr_json_get(all, "a"));
	assert(tr_json_number(element, 0) == 1);
	assert(tr_json_number(element = tr_json_next(element), 0) == -25);
	assert(tr_json_bool(element = tr_json_next(element), false));
	assert(tr_json_text(element = tr_json_next(element), TR("none")).len == 4);
	assert(tr_equal(tr_json_text(element = tr_json_next(element), TR("")), TR("x")));
	assert(!tr_json_next(element));
	assert(tr_equal(tr_json_text(tr_json_get(tr_json_get(all, "b"), "c"), TR("")), TR("d")));
	assert(!tr_json_bool(tr_json_get(all, "b2"), true) && tr_json_bool(tr_json_get(all, "none"), true));
	assert(tr_json_has(tr_json_get(all, "a"), TR("x")) && !tr_json_has(tr_json_get(all, "a"), TR("y")));
	assert(!tr_json_first(tr_json_get(all, "b")) && !tr_json_get(NULL, "a"));
}

static void escapes_are_read(void) {
	const tr_json *all = json("{\"a\": \"\\\"\\\\\\/\\n\\u00e9\\ud83d\\ude82\\u0041\"}");
	assert(!seen_error && tr_equal(tr_json_text(tr_json_get(all, "a"), TR("")), TR("\"\\/\n\xc3\xa9\xf0\x9f\x9a\x82" "A")));
}

static void what_is_no_json_is_refused(void) {
	static const char *const wrong[] = {
		"", "{", "{\"a\"}", "{\"a\": }", "{\"a\": 1,}", "[1 2]", "{} x", "{\"a\": 01}", "{\"a\": 1.}", "{\"a\": .5}", "{\"a\": -}",
		"{\"a\": \"\n\"}", "{\"a\": \"\\x\"}", "{\"a\": \"\\ud800\"}", "{\"a\": \"\\udc00\"}", "{\"a\": \"\\u12\"}", "{\"a\": tru}",
		"{'a': 1}", "{\"a", "[]", "1", "null", "\"a\"",
	};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		json(wrong[i]);
		if (!seen_error) printf("accepted: %s\n", wrong[i]);
		assert(seen_error);
	}
	char deep[300] = "{\"a\": ";
	memset(deep + 6, '[', 200);
	json(deep);
	assert(strstr(seen_error, "levels"));
}

static const char *want(const tr_json *config, tr_interest *interest) {
	tr_want_each(interest, tr_json_get(config, "keys"));
	tr_want_field(interest, "span.name");
	return tr_json_only(config, "keys", NULL);
}

static tr_answer change(tr_batch *batch) {
	assert(tr_signal_of(batch) == TR_TRACES && tr_nodes(batch, TR_RESOURCE) == 1);
	TR_EACH_ATTRIBUTE(attribute, batch) {
		assert(tr_is_field(attribute) == tr_equal(tr_key(attribute), TR("span.name")));
		assert(tr_owner(attribute).level == tr_level_of(attribute));
	}
	TR_EACH_ITEM(item, batch) {
		tr_delete(item, TR("gone"));
		tr_put(item, TR("a"), tr_int(1));
		tr_put(item, TR("a"), tr_double(tr_number(tr_get(item, TR("a")), 0.5)));
		tr_put(item, TR("span.name"), tr_string(TR("renamed")));
		tr_insert(item, TR("b"), tr_bool(true));
		tr_insert(item, TR("x.shown"), tr_bool(true));
		assert(!tr_put(item, TR("c"), tr_get(item, TR("missing"))));
		tr_put(tr_above(item, TR_RESOURCE), TR("zone"), tr_string(TR("eu")));
		assert(tr_above(item, TR_SCOPE).index == 0);
		if (tr_true(tr_get(item, TR("x.drop")))) tr_drop(item);
	}
	return TR_OK;
}

/* What came in is shown to the end of the call, and the last word counts. */
static void batches_are_changed(void) {
	assert(!tr_test_configure("{\"keys\": [\"gone\", \"a\", \"x.*\"]}", want));
	int one = tr_test_item("span.name=GET /", "gone=1", "a:=2.5", "b=kept", "x.shown=yes", NULL);
	int two = tr_test_item("x.drop:=true", NULL);
	assert(!tr_test_apply(TR_TRACES, change).refused);
	assert(!tr_test_dropped(one) && tr_test_dropped(two));
	assert(!tr_test_text(one, "gone") && tr_test_get(one, "a").number == 2.5);
	assert(strcmp(tr_test_text(one, "span.name"), "renamed") == 0 && strcmp(tr_test_text(one, "b"), "kept") == 0);
	assert(strcmp(tr_test_text(one, "x.shown"), "yes") == 0 && !tr_test_text(one, "c"));
	assert(strcmp(tr_test_text(-1, "zone"), "eu") == 0);
	assert(strcmp(tr_test_configure("{\"kees\": []}", want), "kees: unknown key \"kees\"") == 0);
}

static tr_answer refuse(tr_batch *batch) {
	return tr_nodes(batch, TR_ITEM) > 1 ? tr_retryable(TR("busy")) : tr_permanent(TR("no"));
}

static void refusals_arrive(void) {
	assert(!tr_test_configure("{}", want));
	tr_test_item("a=b", NULL);
	assert(tr_test_apply(TR_TRACES, refuse).refused == 1);
	tr_test_item("a=b", NULL);
	tr_answer answer = tr_test_apply(TR_TRACES, refuse);
	assert(answer.refused == 2 && tr_equal(answer.why, TR("busy")));
}

/* Memory of a call is all zero and aligned, also when it is used again, and large pieces find room. */
static void memory_is_used_again(void) {
	char *first = NULL;
	for (int call = 0; call < 3; call++) {
		tr_memory_reset();
		char *small = tr_alloc(3), *large = tr_alloc(1 << 20);
		assert(((uintptr_t)small & 15) == 0 && small[0] == 0 && large[(1 << 20) - 1] == 0);
		if (!first) first = small;
		assert(small == first);
		memset(small, 1, 3);
		memset(large, 1, 1 << 20);
	}
	assert(tr_equal(tr_format("%s-%d", "a", 7), TR("a-7")));
}

static void the_host_is_there(void) {
	tr_metric seen_total, other;
	tr_label label = {TR("kind"), TR("x")};
	assert(!tr_metric_open(&seen_total, TR_COUNTER, TR("seen_total"), &label, 1));
	tr_metric_record(seen_total, 2);
	tr_metric_record(seen_total, -5);
	assert(tr_test_metric("seen_total,kind=x") == 2);
	assert(tr_metric_open(&other, TR_GAUGE, TR("seen_total"), &label, 1) && !other.open);
	tr_metric_record(other, 1);

	tr_patterns patterns;
	tr_text expressions[] = {TR("[0-9]+"), TR("([a-z]+)@(x)?")}, texts[] = {TR("ab@ 12 3"), TR("")};
	assert(!tr_patterns_compile(&patterns, expressions, 2));
	assert(tr_patterns_match(patterns, texts, 2).len == 2);
	tr_matches found = tr_patterns_find(patterns, texts, 2);
	assert(found.len == 3 && found.at[1].start == 7 && found.at[2].pattern == 1 && found.at[2].end == 3);
	tr_groups groups = tr_patterns_groups(patterns, 1, texts[0]);
	assert(groups.len == 3 && groups.at[1].end == 2 && !groups.at[2].found);
	expressions[0] = TR("(");
	assert(tr_patterns_compile(&patterns, expressions, 1) && !patterns.open);
	assert(tr_patterns_find(patterns, texts, 1).len == 0);
	assert(tr_now() > 1700000000000000000u && tr_random() != tr_random());
}

int main(void) {
	values_are_read();
	escapes_are_read();
	what_is_no_json_is_refused();
	batches_are_changed();
	refusals_arrive();
	memory_is_used_again();
	the_host_is_there();
	return 0;
}
