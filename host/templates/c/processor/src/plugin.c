/* A processor that drops batches that are too large: {"max_bytes": 1000000}.
 *
 * To look into a batch, decode it with nanopb, which generates C from the .proto files of OTLP: see PROCESSORS.md of the SDKs. */
#include "tailrace.h"

static double max_bytes;

static const char *configure(const tr_json *config, tr_interest *interest) {
	(void)interest; /* It wants every batch. */
	max_bytes = tr_json_number(tr_json_get(config, "max_bytes"), 0);
	if (max_bytes <= 0) return "max_bytes: must be more than 0";
	return tr_json_only(config, "max_bytes", NULL);
}

static tr_answer process(tr_signal signal, tr_text batch, tr_outcome *outcome) {
	(void)signal;
	if ((double)batch.len > max_bytes) *outcome = tr_drop_batch(TR("too large"));
	return TR_OK;
}

TAILRACE_PROCESSOR("{{name}}", "0.1.0", configure, process)
