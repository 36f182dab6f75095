#include "../src/plugin.c"
#include "tailrace_test.h"

#include <assert.h>
#include <string.h>

int main(void) {
	assert(!tr_test_configure("{\"mask\": [\"card\"], \"delete\": [\"mail\"], \"drop_span_names\": [\"ping\"]}", configure));
	int kept = tr_test_item("span.name=GET /", "card:=4111", "mail=ann@example.com", "other=x", NULL);
	int ping = tr_test_item("span.name=ping", NULL);
	tr_test_resource("card=1", NULL);
	assert(!tr_test_apply(TR_TRACES, apply).refused);
	assert(!tr_test_dropped(kept) && tr_test_dropped(ping));
	assert(strcmp(tr_test_text(kept, "card"), "****") == 0 && strcmp(tr_test_text(-1, "card"), "****") == 0);
	assert(!tr_test_text(kept, "mail") && strcmp(tr_test_text(kept, "other"), "x") == 0);

	assert(!tr_test_configure("{\"set\": {\"to\": \"b\", \"from\": \"a\"}}", configure));
	int both = tr_test_item("a:=7", "b=old", NULL);
	int none = tr_test_item("b=old", NULL);
	assert(!tr_test_apply(TR_TRACES, apply).refused);
	assert(tr_test_get(both, "b").integer == 7 && strcmp(tr_test_text(none, "b"), "old") == 0);

	assert(strcmp(tr_test_configure("{\"mesk\": []}", configure), "mesk: unknown key \"mesk\"") == 0);
	return 0;
}
