/* What the host calls: each export of a plugin ends up here. */
#include "internal.h"

#include <string.h>

tr_list tr_fields;

void tr_want(tr_interest *interest, tr_text key) {
	tr_selector selector = {0, key};
	if (key.len && key.at[key.len - 1] == '*') selector = (tr_selector){key.len == 1 ? 2 : 1, {key.at, key.len - 1}};
	tr_push(&interest->attributes, &selector, sizeof selector);
}

void tr_want_each(tr_interest *interest, const tr_json *keys) {
	TR_EACH_JSON(key, keys) tr_want(interest, tr_json_text(key, TR("")));
}

void tr_want_field(tr_interest *interest, const char *name) {
	tr_text field = tr_text_of(name);
	tr_push(&interest->fields, &field, sizeof field);
}

void tr_want_signal(tr_interest *interest, tr_signal signal) {
	uint8_t code = (uint8_t)signal;
	tr_push(&interest->signals, &code, 1);
}

void tr_want_level(tr_interest *interest, tr_level level) {
	uint8_t code = (uint8_t)level;
	tr_push(&interest->levels, &code, 1);
}

void tr_want_always(tr_interest *interest) { interest->always = true; }
void tr_want_single(tr_interest *interest) { interest->single = true; }

static tr_text text_or_nothing(const char *string) { return string ? tr_text_of(string) : TR(""); }

void *tr_do_describe(tr_info info) {
	static tr_info_answer answer;
	tr_memory_of_life();
	answer = (tr_info_answer){
		.name = text_or_nothing(info.name),
		.version = text_or_nothing(info.version),
		.schema = {info.schema != NULL, text_or_nothing(info.schema)},
		.error_mode = {info.error_mode != TR_NO_WISH, (uint8_t)(info.error_mode ? info.error_mode - 1 : 0)},
	};
	return &answer;
}

/* The arguments of `configure` come before anything is called; they are copied. */
void *tr_do_configure(tr_text config, tr_configure *configure) {
	static tr_configure_answer answer;
	tr_memory_of_life();
	tr_interest interest = {0};
	const char *error;
	char *copy = tr_alloc(config.len);
	memcpy(copy, config.at, config.len);
	const tr_json *json = tr_json_parse((tr_text){copy, config.len}, &error);
	if (!error && !tr_json_is_object(json)) error = "the configuration must be a JSON object";
	if (!error) error = configure(json, &interest);
	tr_memory_of_call();
	tr_memory_reset();
	answer = (tr_configure_answer){.tag = error != NULL};
	if (error) {
		answer.error = tr_text_of(error);
		return &answer;
	}
	tr_fields = tr_list_of(interest.fields, sizeof(tr_text));
	answer.interest.signals = tr_list_of(interest.signals, 1);
	answer.interest.attributes = tr_list_of(interest.attributes, sizeof(tr_selector));
	answer.interest.levels = tr_list_of(interest.levels, 1);
	answer.interest.fields = tr_fields;
	answer.interest.always = interest.always;
	answer.interest.single = interest.single;
	return &answer;
}

void *tr_do_apply(void *arguments, tr_apply *apply) {
	static tr_apply_answer answer;
	const tr_apply_arguments *in = arguments;
	tr_batch *batch = tr_batch_new((tr_signal)in->signal, &tr_fields, &in->values);
	tr_answer said = apply(batch);
	memset(&answer, 0, sizeof answer);
	if (said.refused) {
		answer.tag = 1;
		answer.failure.kind = said.refused == 1;
		answer.failure.why = said.why;
	} else {
		tr_batch_finish(batch, &answer);
	}
	return &answer;
}

void *tr_do_process(tr_signal signal, tr_text batch, tr_process *process) {
	static tr_process_answer answer;
	tr_outcome outcome = {0};
	tr_answer said = process(signal, batch, &outcome);
	answer = said.refused ? (tr_process_answer){1, {said.refused == 1, said.why}}
	                      : (tr_process_answer){0, {(uint8_t)outcome.kind, outcome.data}};
	return &answer;
}

void *tr_do_sample(void *arguments, tr_decide *decide) {
	static tr_sample_answer answer;
	const tr_traces *in = arguments;
	size_t count = in->span_counts.len;
	tr_batch *batch = tr_batch_new(TR_TRACES, &tr_fields, &in->values);
	tr_decision_out *decisions = tr_alloc(count * sizeof *decisions);
	memset(&answer, 0, sizeof answer);
	uint32_t first = 0, encoded = 0;
	for (size_t i = 0; i < count; i++) {
		tr_trace trace = {
			.span_count = tr_u32(in->span_counts)[i],
			.error_count = tr_u32(in->error_counts)[i],
			.start = tr_u64(in->starts)[i],
			.duration = tr_u64(in->durations)[i],
			.size = tr_u64(in->sizes)[i],
			.last_call = tr_u8(in->last_calls)[i] != 0,
			.batch = batch,
			.first = first,
			.end = tr_u32(in->item_ends)[i],
		};
		memcpy(trace.id, tr_u8(in->ids) + 16 * i, 16);
		if (i < in->span_ends.len) {
			uint32_t end = tr_u32(in->span_ends)[i];
			trace.encoded = (tr_text){(const char *)in->spans.at + encoded, end - encoded};
			encoded = end;
		}
		first = trace.end;
		tr_decision decision = TR_NOT_SAMPLED;
		tr_answer said = decide(&trace, &decision);
		if (said.refused) {
			answer.tag = 1;
			answer.failure.kind = said.refused == 1;
			answer.failure.why = said.why;
			return &answer;
		}
		decisions[i] = (tr_decision_out){(uint8_t)decision.kind, {decision.has_threshold, decision.threshold}};
	}
	answer.decisions = (tr_list){decisions, count};
	return &answer;
}

void *tr_do_save(tr_save *save) {
	static tr_text answer;
	answer = save();
	return &answer;
}

void *tr_do_restore(tr_text state, tr_restore *restore) {
	static struct {
		uint8_t tag;
		tr_text error;
	} answer;
	const char *error = restore(state);
	answer.tag = error != NULL;
	answer.error = text_or_nothing(error);
	return &answer;
}

void tr_do_end(void *answer) {
	(void)answer;
	tr_memory_reset();
}
