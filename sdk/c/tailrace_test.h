/* To test a plugin natively, with any C compiler: show it a batch that you make up, and look at what became of it.
 *
 *     #include "../src/plugin.c"
 *     #include "tailrace_test.h"
 *
 *     int main(void) {
 *         assert(tr_test_configure("{\"mask\": [\"user.email\"]}", configure) == NULL);
 *         tr_test_item("span.name=GET /", "user.email=ann@example.com", NULL);
 *         tr_test_apply(TR_TRACES, apply);
 *         assert(strcmp(tr_test_text(0, "user.email"), "****") == 0);
 *     }
 *
 * Only what the plugin asked for is shown to it, as the host does it. Compile it with the .c files of the SDK.
 * The cases under `cases/` test the rest, in the real host.
 */
#ifndef TAILRACE_TEST_H
#define TAILRACE_TEST_H

#include "tailrace.h"

/* Forgets everything, and configures a plugin. NULL, or its error. */
const char *tr_test_configure(const char *config, tr_configure *configure);

/* Adds an item with these attributes and fields, "key=value"; "key:=value" is a number or true or false, as in JSON.
 * All items have one scope and one resource. The last is NULL. Returns the item's number. */
int tr_test_item(const char *attribute, ...) __attribute__((sentinel));
/* The same for the resource. */
void tr_test_resource(const char *attribute, ...) __attribute__((sentinel));

/* Shows the batch to the plugin and makes its changes. */
tr_answer tr_test_apply(tr_signal signal, tr_apply *apply);
/* Shows the items as the spans of one trace to a sampler. */
tr_decision tr_test_decide(tr_decide *decide);

/* Whether an item was dropped. */
bool tr_test_dropped(int item);
/* An attribute or field of an item; of the resource if the item is -1. TR_NONE if it is not there. */
tr_value tr_test_get(int item, const char *key);
/* The same as a C string; numbers and bools as in JSON, and NULL if it is not there. */
const char *tr_test_text(int item, const char *key);
/* What a metric of the plugin has: the key is its name, then ",label=value" for each label. */
double tr_test_metric(const char *key);

#endif
