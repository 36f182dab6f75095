#include "../src/plugin.c"
#include "tailrace_test.h"

#include <assert.h>

int main(void) {
	assert(!tr_test_configure("{\"min_amount_cents\": 100}", configure));
	tr_test_item("payment.amount_cents:=99", NULL);
	assert(tr_test_decide(decide).kind == TR_NOT_SAMPLED.kind);
	tr_test_item("payment.amount_cents:=100", NULL);
	assert(tr_test_decide(decide).kind == TR_SAMPLE.kind);
	assert(tr_test_configure("{\"min_amount\": 100}", configure));
	return 0;
}
