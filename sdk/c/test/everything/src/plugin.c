/* A plugin that uses everything that the contract has, so that the SDK's layouts are tried in the real host.
 *
 * It keeps a count of the batches it saw as its state, and answers in attributes. */
#include "tailrace.h"

#include <stdlib.h>
#include <string.h>

static int batches;
static tr_patterns patterns, wrong;
static tr_metric seen, misnamed;

static const char *configure(const tr_json *config, tr_interest *interest) {
	const tr_text expressions[] = {TR("\\d+"), TR("(?P<user>[a-z]+)@(x)?")}, broken[] = {TR("(")};
	const tr_label labels[] = {{TR("kind"), TR("c")}};
	const char *error = tr_json_only(config, NULL);
	if (!error) error = tr_patterns_compile(&patterns, expressions, 2);
	if (!error) error = tr_metric_open(&seen, TR_COUNTER, TR("seen_total"), labels, 1);
	if (error) return error;
	if (!tr_metric_open(&misnamed, TR_COUNTER, TR("Wrong Name"), NULL, 0)) return "a wrong name passed";
	if (!tr_patterns_compile(&wrong, broken, 1)) return "a wrong pattern passed";
	tr_want(interest, TR("do"));
	tr_want(interest, TR("text"));
	tr_want(interest, TR("number"));
	tr_want(interest, TR("list.*"));
	tr_want_field(interest, "span.name");
	tr_want_field(interest, "span.duration");
	tr_want_always(interest);
	tr_want_single(interest);
	return NULL;
}

static tr_text matches(tr_matches found) {
	tr_text all = TR("[");
	for (size_t i = 0; i < found.len; i++)
		all = tr_format("%.*s%s{%u %u %u %u}", TR_ARGS(all), i ? " " : "", found.at[i].text, found.at[i].pattern,
		                found.at[i].start, found.at[i].end);
	return tr_format("%.*s]", TR_ARGS(all));
}

static tr_text groups(tr_text text) {
	tr_groups found = tr_patterns_groups(patterns, 1, text);
	tr_texts names = tr_patterns_names(patterns, 1);
	tr_text all = TR("[");
	for (size_t i = 0; i < found.len; i++)
		all = tr_format("%.*s%s[%d %d]", TR_ARGS(all), i ? " " : "", found.at[i].found ? (int)found.at[i].start : -1,
		                found.at[i].found ? (int)found.at[i].end : -1);
	all = tr_format("%.*s] [", TR_ARGS(all));
	for (size_t i = 0; i < names.len; i++) all = tr_format("%.*s%s%.*s", TR_ARGS(all), i ? " " : "", TR_ARGS(names.at[i]));
	return tr_format("%.*s]", TR_ARGS(all));
}

static tr_answer apply(tr_batch *batch) {
	batches++;
	TR_EACH_ITEM(item, batch) {
		tr_metric_record(seen, 1);
		tr_value what = tr_get(item, TR("do"));
		if (tr_is(what, TR("panic"))) {
			tr_log(TR_LOG_ERROR, TR("about to panic"));
			abort();
		}
		if (tr_is(what, TR("refuse"))) return tr_permanent(TR("refused for good"));
		if (tr_is(what, TR("retry"))) return tr_retryable(TR("try again"));
		if (tr_is(what, TR("print"))) tr_log(TR_LOG_WARN, tr_format("logged %d", 7));
		if (tr_is(what, TR("grow"))) {
			/* Memory of a call is used again by the next. */
			for (int i = 0; i < 16; i++) memset(tr_alloc(1 << 20), 'x', 1 << 20);
			tr_put(item, TR("grown"), tr_string(TR("xxx")));
		}
		tr_value value = tr_get(item, TR("text"));
		tr_text text = value.kind == TR_STRING ? value.text : TR("");
		if (!tr_put(item, TR("nested"), tr_get(item, TR("list.1"))))
			tr_insert(item, TR("nested"), tr_string(TR("cannot be set")));
		const tr_text both[] = {text, TR("")}, with_seven[] = {text, TR("7")};
		tr_text hashes;
		const char *error = tr_hash(TR("hmac-sha256"), TR("key"), both, 2, &hashes);
		if (error) return tr_permanent(tr_text_of(error));
		const unsigned char *hash = (const unsigned char *)hashes.at;
		tr_text shown = tr_format("%02x%02x%02x%02x %zu", hash[0], hash[1], hash[2], hash[3], hashes.len / 2);
		tr_put(item, TR("hash"), tr_string(shown));
		tr_put(item, TR("match"), tr_string(matches(tr_patterns_match(patterns, with_seven, 2))));
		tr_put(item, TR("find"), tr_string(matches(tr_patterns_find(patterns, &text, 1))));
		tr_put(item, TR("groups"), tr_string(groups(text)));
		tr_value number = tr_get(item, TR("number"));
		if (number.kind == TR_INT) {
			char bytes[] = {0, (char)number.integer};
			tr_put(item, TR("number"), tr_int(-number.integer));
			tr_put(item, TR("half"), tr_double((double)number.integer / 2));
			tr_put(item, TR("even"), tr_bool(number.integer % 2 == 0));
			tr_put(item, TR("bytes"), tr_bytes((tr_text){memcpy(tr_alloc(2), bytes, 2), 2}));
		}
		tr_value name = tr_get(item, TR("span.name")), duration = tr_get(item, TR("span.duration"));
		tr_put(item, TR("span.name"), tr_string(tr_format("%.*s %lld", TR_ARGS(name.text), (long long)duration.integer)));
		tr_put(item, TR("batches"), tr_int(batches));
		bool sane = tr_now() > 1700000000000000000u && tr_random() != tr_random();
		tr_put(tr_above(item, TR_RESOURCE), TR("sane"), tr_bool(sane));
		tr_put(tr_above(item, TR_SCOPE), TR("scope"), tr_int(1));
	}
	return TR_OK;
}

static tr_text save(void) { return tr_format("%d", batches); }

static const char *restore(tr_text state) {
	if (!state.len) return "nothing was saved";
	batches = atoi(tr_format("%.*s", TR_ARGS(state)).at);
	return NULL;
}

TAILRACE_ATTRIBUTES_WITH(((tr_info){"everything", "1.2.3", "{\"type\": \"object\"}", TR_DROP_IT}), configure, apply)
TAILRACE_STATE(save, restore)
