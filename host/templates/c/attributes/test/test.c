#include "../src/plugin.c"
#include "tailrace_test.h"

#include <assert.h>

/* Text is masked, and all else goes. */
static void masks(void) {
	assert(!tr_test_configure("{\"mask\": [\"user.*\"]}", configure));
	int span = tr_test_item("user.email=ann@x.org", "user.id:=42", "http.route=/", NULL);
	assert(!tr_test_apply(TR_TRACES, apply).refused);
	assert(strcmp(tr_test_text(span, "user.email"), "*********") == 0);
	assert(!tr_test_text(span, "user.id"));
	assert(strcmp(tr_test_text(span, "http.route"), "/") == 0);
}

static void says_what_is_wrong(void) {
	assert(tr_test_configure("{}", configure));
	assert(tr_test_configure("{\"mask\": [\"a\"], \"mesk\": []}", configure));
}

int main(void) {
	masks();
	says_what_is_wrong();
	return 0;
}
