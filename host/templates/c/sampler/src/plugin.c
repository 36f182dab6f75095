/* A sampler that keeps traces with a large payment, and those that failed: {"min_amount_cents": 30000}. */
#include "tailrace.h"

#include <math.h>

static double min_amount_cents;

static const char *configure(const tr_json *config, tr_interest *interest) {
	min_amount_cents = tr_json_number(tr_json_get(config, "min_amount_cents"), 10000);
	tr_want(interest, TR("payment.amount_cents"));
	return tr_json_only(config, "min_amount_cents", NULL);
}

static tr_answer decide(const tr_trace *trace, tr_decision *decision) {
	if (trace->error_count > 0) *decision = TR_SAMPLE;
	TR_EACH_SPAN(span, trace) {
		if (tr_number(tr_get(span, TR("payment.amount_cents")), NAN) >= min_amount_cents) *decision = TR_SAMPLE;
	}
	return TR_OK;
}

TAILRACE_SAMPLER("{{name}}", "0.1.0", configure, decide)
