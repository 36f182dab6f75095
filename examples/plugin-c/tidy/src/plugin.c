/* A plugin that deletes, masks and sets attributes, and drops spans by their name. */
#include "tailrace.h"

static const tr_json *deleted, *masked, *dropped;
static tr_text to, from;

static const char *configure(const tr_json *config, tr_interest *interest) {
	const char *error = tr_json_only(config, "delete", "mask", "set", "drop_span_names", NULL);
	if (error) return error;
	deleted = tr_json_get(config, "delete");
	masked = tr_json_get(config, "mask");
	dropped = tr_json_get(config, "drop_span_names");
	to = tr_json_text(tr_json_get(tr_json_get(config, "set"), "to"), TR(""));
	from = tr_json_text(tr_json_get(tr_json_get(config, "set"), "from"), TR(""));
	tr_want_each(interest, deleted);
	tr_want_each(interest, masked);
	if (to.len) tr_want(interest, from);
	if (dropped) tr_want_field(interest, "span.name");
	return NULL;
}

static tr_answer apply(tr_batch *batch) {
	TR_EACH_ATTRIBUTE(attribute, batch) {
		if (tr_json_has(deleted, tr_key(attribute))) tr_remove(attribute);
		else if (tr_json_has(masked, tr_key(attribute))) tr_set(attribute, tr_string(TR("****")));
	}
	TR_EACH_ITEM(item, batch) {
		tr_value name = tr_get(item, TR("span.name"));
		if (name.kind == TR_STRING && tr_json_has(dropped, name.text)) tr_drop(item);
		else if (to.len) tr_put(item, to, tr_get(item, from));
	}
	return TR_OK;
}

TAILRACE_ATTRIBUTES("tidy", "0.1.0", configure, apply)
