#include "../src/plugin.c"
#include "tailrace_test.h"

#include <assert.h>

int main(void) {
	assert(!tr_test_configure("{\"min_amount\": 50}", configure));
	tr_test_item("order.amount:=10", NULL);
	assert(tr_test_decide(decide).kind == TR_NOT_SAMPLED.kind);
	tr_test_item("order.amount:=50.0", NULL);
	assert(tr_test_decide(decide).kind == TR_SAMPLE.kind);

	assert(!tr_test_configure("{}", configure));
	tr_test_item("customer.vip:=true", NULL);
	assert(tr_test_decide(decide).kind == TR_SAMPLE.kind);
	return 0;
}
