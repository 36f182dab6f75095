/* A sampler that keeps the traces of large orders and of important customers. */
#include "tailrace.h"

#include <math.h>

static double min_amount;
static tr_text vip_key;

static const char *configure(const tr_json *config, tr_interest *interest) {
	min_amount = tr_json_number(tr_json_get(config, "min_amount"), 100);
	vip_key = tr_json_text(tr_json_get(config, "vip_key"), TR("customer.vip"));
	tr_want(interest, TR("order.amount"));
	tr_want(interest, vip_key);
	tr_want_level(interest, TR_ITEM);
	return tr_json_only(config, "min_amount", "vip_key", NULL);
}

static tr_answer decide(const tr_trace *trace, tr_decision *decision) {
	TR_EACH_SPAN(span, trace) {
		if (tr_number(tr_get(span, TR("order.amount")), NAN) >= min_amount || tr_true(tr_get(span, vip_key)))
			*decision = TR_SAMPLE;
	}
	return TR_OK;
}

TAILRACE_SAMPLER("keep-orders", "0.1.0", configure, decide)
