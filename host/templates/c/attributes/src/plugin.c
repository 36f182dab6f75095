/* A plugin that masks the attributes that the configuration names: {"mask": ["user.email"]}. A key that ends in "*" is a
 * prefix. */
#include "tailrace.h"

#include <string.h>

static const char *configure(const tr_json *config, tr_interest *interest) {
	const tr_json *mask = tr_json_get(config, "mask");
	if (!tr_json_first(mask)) return "mask: name at least one attribute";
	tr_want_each(interest, mask);
	return tr_json_only(config, "mask", NULL);
}

static tr_answer apply(tr_batch *batch) {
	TR_EACH_ATTRIBUTE(attribute, batch) {
		tr_value value = tr_value_of(attribute);
		if (value.kind == TR_STRING) {
			char *stars = memset(tr_alloc(value.text.len), '*', value.text.len);
			tr_set(attribute, tr_string((tr_text){stars, value.text.len}));
		} else {
			tr_remove(attribute);
		}
	}
	return TR_OK;
}

TAILRACE_ATTRIBUTES("{{name}}", "0.1.0", configure, apply)
