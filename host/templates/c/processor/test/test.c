#include "../src/plugin.c"
#include "tailrace_test.h"

#include <assert.h>

int main(void) {
	tr_outcome outcome = {0};
	assert(!tr_test_configure("{\"max_bytes\": 10}", configure));
	assert(!process(TR_LOGS, TR("0123456789"), &outcome).refused && outcome.kind == 0);
	assert(!process(TR_LOGS, TR("0123456789a"), &outcome).refused && outcome.kind == 2);
	assert(tr_test_configure("{}", configure));
	return 0;
}
