/* The SDK for Tailrace plugins in C.
 *
 * A plugin is one or more .c files, of which one ends with a line that says what the component is:
 *
 *     TAILRACE_ATTRIBUTES("tidy", "0.1.0", configure, apply)     changes single attributes
 *     TAILRACE_PROCESSOR("enrich", "0.1.0", configure, process)  takes whole batches
 *     TAILRACE_SAMPLER("keep", "0.1.0", configure, decide)       decides which traces are kept
 *
 * Build it with `tailrace plugin build`. Everything here also works natively, so that a plugin can be tested: see
 * tailrace_test.h.
 *
 * Memory: nothing is ever freed. What a call allocates (and what it is given) is gone when the call ends, at once and
 * cheaply; what `configure` allocates or is given lives as long as the plugin. To keep something of a batch, copy it with
 * malloc or into a variable.
 *
 * A plugin has no files, no network, no environment and no arguments. A trap (abort, a failed assert, a division by zero)
 * costs the instance, and the operator's error_mode says what becomes of the batch.
 */
#ifndef TAILRACE_H
#define TAILRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- Texts and values --------------------------------------------------------------------------------------------- */

/* A text, UTF-8, or bytes. Not terminated by a zero byte. */
typedef struct {
	const char *at;
	size_t len;
} tr_text;

/* The text of a string literal. */
#define TR(literal) ((tr_text){("" literal), sizeof(literal) - 1})

/* The text of a C string. */
tr_text tr_text_of(const char *string);
bool tr_equal(tr_text a, tr_text b);
bool tr_starts_with(tr_text text, tr_text start);
/* Formats a text as printf does, in memory of the call. "%.*s" takes TR_ARGS(text). */
tr_text tr_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define TR_ARGS(text) (int)(text).len, (text).at

/* Memory of the call (or, in configure, for ever), all zero. Never fails: a plugin without memory traps. */
void *tr_alloc(size_t size);

typedef enum {
	TR_NONE,
	TR_STRING,
	TR_BOOL,
	TR_INT,
	TR_DOUBLE,
	TR_BYTES,
	/* An array or a map: `text` is an encoded opentelemetry.proto.common.v1.AnyValue. It cannot be set. */
	TR_NESTED,
} tr_kind;

/* The value of an attribute or a field. What of the union is valid, `kind` says. */
typedef struct {
	tr_kind kind;
	union {
		tr_text text; /* TR_STRING, TR_BYTES, TR_NESTED */
		bool truth;
		int64_t integer;
		double number;
	};
} tr_value;

static inline tr_value tr_string(tr_text text) { return (tr_value){.kind = TR_STRING, .text = text}; }
static inline tr_value tr_bool(bool truth) { return (tr_value){.kind = TR_BOOL, .truth = truth}; }
static inline tr_value tr_int(int64_t integer) { return (tr_value){.kind = TR_INT, .integer = integer}; }
static inline tr_value tr_double(double number) { return (tr_value){.kind = TR_DOUBLE, .number = number}; }
static inline tr_value tr_bytes(tr_text bytes) { return (tr_value){.kind = TR_BYTES, .text = bytes}; }

/* Whether it is this text. */
bool tr_is(tr_value value, tr_text text);
/* Whether it is the bool true. */
static inline bool tr_true(tr_value value) { return value.kind == TR_BOOL && value.truth; }
/* The number, whole or not; `otherwise` if it is none. */
double tr_number(tr_value value, double otherwise);

/* ---- Configuration ------------------------------------------------------------------------------------------------ */

/* A value in the configuration, which is JSON. NULL stands for what is not there: every function takes it. */
typedef struct tr_json tr_json;

/* What an object has under this key. */
const tr_json *tr_json_get(const tr_json *object, const char *key);
/* The first and the next element of an array. */
const tr_json *tr_json_first(const tr_json *array);
const tr_json *tr_json_next(const tr_json *element);
/* The text, number or bool; `otherwise` if it is none. */
tr_text tr_json_text(const tr_json *json, tr_text otherwise);
double tr_json_number(const tr_json *json, double otherwise);
bool tr_json_bool(const tr_json *json, bool otherwise);
/* Whether an array holds this text. */
bool tr_json_has(const tr_json *array, tr_text text);
/* Refuses keys that are not among these, so that no typing error passes: the error, or NULL. The last is NULL. */
const char *tr_json_only(const tr_json *object, ...) __attribute__((sentinel));

#define TR_EACH_JSON(element, array) \
	for (const tr_json *element = tr_json_first(array); element; element = tr_json_next(element))

/* ---- What a plugin wants to see ----------------------------------------------------------------------------------- */

typedef enum { TR_TRACES, TR_METRICS, TR_LOGS } tr_signal;

typedef enum {
	TR_RESOURCE,
	TR_SCOPE,
	TR_ITEM, /* a span, a log record, a data point */
	TR_EVENT,
	TR_LINK,
	TR_EXEMPLAR,
	TR_METRIC,
} tr_level;

typedef struct tr_interest tr_interest;

/* Attributes with this key. A key that ends in "*" stands for every key that begins so; "*" alone for all. A processor
 * that names none is called for every batch. */
void tr_want(tr_interest *interest, tr_text key);
/* The same for each text in an array of the configuration. */
void tr_want_each(tr_interest *interest, const tr_json *keys);
/* A field, which is shown like an attribute: "span.name", "span.kind", "span.status", "span.status_message",
 * "span.duration", "span.trace_id", "span.parent_id", "log.severity", "log.severity_text", "log.body", "metric.name",
 * "scope.name", "scope.version". */
void tr_want_field(tr_interest *interest, const char *name);
/* Only batches of this signal (and of others that are named so). */
void tr_want_signal(tr_interest *interest, tr_signal signal);
/* Attributes only on this level (and on others that are named so). */
void tr_want_level(tr_interest *interest, tr_level level);
/* For plugins that add attributes: call it also for batches in which nothing of this occurs. */
void tr_want_always(tr_interest *interest);
/* One instance only, which is called for one batch after the other. */
void tr_want_single(tr_interest *interest);

/* Sets up the plugin. Called once, before any batch. Returns NULL, or what the operator is to read. */
typedef const char *tr_configure(const tr_json *config, tr_interest *interest);

/* An error for tr_configure, formatted as printf does. */
const char *tr_errorf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Whether a call worked. TR_OK, or a batch is refused: */
typedef struct {
	int refused; /* 0 no, 1 for good, 2 the sender may try again */
	tr_text why;
} tr_answer;

#define TR_OK ((tr_answer){0, {NULL, 0}})
static inline tr_answer tr_permanent(tr_text why) { return (tr_answer){1, why}; }
static inline tr_answer tr_retryable(tr_text why) { return (tr_answer){2, why}; }

/* ---- Attributes --------------------------------------------------------------------------------------------------- */

/* The values that a plugin asked for, from one batch. It shows what came in to the end of the call; changes are made
 * afterwards, by the host. */
typedef struct tr_batch tr_batch;

/* One value: an attribute or a field. */
typedef struct {
	tr_batch *batch;
	uint32_t row;
} tr_attribute;

/* A resource, a scope, a metric, or an item: a span, a log record or a data point. */
typedef struct {
	tr_batch *batch;
	tr_level level;
	uint32_t index;
} tr_node;

tr_signal tr_signal_of(const tr_batch *batch);

/* All values of a batch, on all levels. */
#define TR_EACH_ATTRIBUTE(attribute, of_batch) \
	for (tr_attribute attribute = {(of_batch), 0}; attribute.row < tr_rows(of_batch); attribute.row++)
/* All resources, scopes, metrics or items of a batch, also those without values. */
#define TR_EACH_NODE(node, of_batch, on_level) \
	for (tr_node node = {(of_batch), (on_level), 0}; node.index < tr_nodes(of_batch, on_level); node.index++)
#define TR_EACH_ITEM(node, of_batch) TR_EACH_NODE(node, of_batch, TR_ITEM)
uint32_t tr_rows(const tr_batch *batch);
uint32_t tr_nodes(const tr_batch *batch, tr_level level);

/* The key, or the name of the field. */
tr_text tr_key(tr_attribute attribute);
bool tr_is_field(tr_attribute attribute);
tr_level tr_level_of(tr_attribute attribute);
tr_value tr_value_of(tr_attribute attribute);
/* What it belongs to; the item for what belongs to an event, a link or an exemplar. */
tr_node tr_owner(tr_attribute attribute);
/* Gives it another value. False if that cannot be set: TR_NONE and TR_NESTED. */
bool tr_set(tr_attribute attribute, tr_value value);
/* Removes it. A field stays. */
void tr_remove(tr_attribute attribute);

/* Its own attribute with this key or field with this name; TR_NONE if there is none or the plugin did not ask. */
tr_value tr_get(tr_node node, tr_text key);
/* Gives it an attribute, whether it is there or not, or sets its field. False if the value cannot be set. */
bool tr_put(tr_node node, tr_text key, tr_value value);
/* Gives it an attribute if it has none with this key. False if the value cannot be set. */
bool tr_insert(tr_node node, tr_text key, tr_value value);
/* Removes its own attribute with this key, if the plugin asked for it. */
void tr_delete(tr_node node, tr_text key);
/* Drops the item; for a resource, a scope or a metric, every item in it. */
void tr_drop(tr_node node);
/* The resource, the scope or the metric that it comes from, or it itself. Traps if there is no such thing above it. */
tr_node tr_above(tr_node node, tr_level level);

/* Looks at the values of one batch and says what to change. */
typedef tr_answer tr_apply(tr_batch *batch);

/* ---- Processor ---------------------------------------------------------------------------------------------------- */

/* What became of a batch. All zero: it is passed on unchanged. */
typedef struct {
	int kind; /* 0 unchanged, 1 replaced, 2 dropped */
	tr_text data;
} tr_outcome;

/* Puts another encoded request of the same signal in its place, with at most as many items. */
static inline tr_outcome tr_replace(tr_text batch) { return (tr_outcome){1, batch}; }
/* Drops the batch, and counts it under this reason: a few words in lower case. */
static inline tr_outcome tr_drop_batch(tr_text reason) { return (tr_outcome){2, reason}; }

/* Takes one batch: an encoded OTLP request, the bytes of TracesData, MetricsData or LogsData. Read them with nanopb, as
 * PROCESSORS.md of the SDKs shows; attributes are far cheaper, if they do. */
typedef tr_answer tr_process(tr_signal signal, tr_text batch, tr_outcome *outcome);

/* ---- Sampler ------------------------------------------------------------------------------------------------------ */

/* A trace that waits for a decision. */
typedef struct {
	uint8_t id[16];
	uint32_t span_count, error_count;
	/* The earliest start in nanoseconds since 1970, and the time from there to the latest end. */
	uint64_t start, duration;
	/* How many bytes its spans have. */
	uint64_t size;
	/* It is shown for the last time: TR_UNDECIDED then counts as TR_NOT_SAMPLED. */
	bool last_call;
	/* An encoded TracesData of its spans; empty unless TAILRACE_SAMPLER_OF_SPANS. */
	tr_text encoded;
	/* Its spans: items first to end-1 of the batch, with the values that the plugin asked for. */
	tr_batch *batch;
	uint32_t first, end;
} tr_trace;

#define TR_EACH_SPAN(node, of_trace) \
	for (tr_node node = {(of_trace)->batch, TR_ITEM, (of_trace)->first}; node.index < (of_trace)->end; node.index++)

typedef struct {
	int kind; /* 0 sample, 1 not sampled, 2 drop, 3 undecided */
	bool has_threshold;
	uint64_t threshold;
} tr_decision;

/* Keep it. */
#define TR_SAMPLE ((tr_decision){0, false, 0})
/* Keep it, with the threshold of consistent probability sampling (56 bits). */
#define TR_SAMPLE_AT(threshold) ((tr_decision){0, true, (threshold)})
/* Do not keep it because of this plugin; another policy may. */
#define TR_NOT_SAMPLED ((tr_decision){1, false, 0})
/* Do not keep it, whatever other policies say. */
#define TR_DROP ((tr_decision){2, false, 0})
/* Ask again, with the spans that will have come by then. */
#define TR_UNDECIDED ((tr_decision){3, false, 0})

/* Says what is to become of a trace. */
typedef tr_answer tr_decide(const tr_trace *trace, tr_decision *decision);

/* ---- State -------------------------------------------------------------------------------------------------------- */

/* What to keep when the host replaces the instance. Only with tr_want_single. */
typedef tr_text tr_save(void);
/* Takes what an older instance saved, after configure. Returns NULL, or why it starts fresh. */
typedef const char *tr_restore(tr_text state);

/* ---- What the host gives ------------------------------------------------------------------------------------------ */

typedef enum { TR_LOG_TRACE, TR_LOG_DEBUG, TR_LOG_INFO, TR_LOG_WARN, TR_LOG_ERROR } tr_log_level;

/* Writes a line to the host's log. Never put values of telemetry into it. */
void tr_log(tr_log_level level, tr_text line);
/* Nanoseconds since 1970. */
uint64_t tr_now(void);
/* A random number, not for secrets. */
uint64_t tr_random(void);

typedef enum { TR_COUNTER, TR_GAUGE, TR_HISTOGRAM } tr_metric_kind;
typedef struct {
	tr_text name, value;
} tr_label;
/* A series in the host's metrics. All zero: what is recorded is ignored. */
typedef struct {
	uint32_t number;
	bool open;
} tr_metric;

/* Opens a series. NULL, or what the host has against it; the plugin should go on without. */
const char *tr_metric_open(tr_metric *metric, tr_metric_kind kind, tr_text name, const tr_label *labels, size_t count);
/* Adds to a counter, sets a gauge, or records a value of a histogram. */
void tr_metric_record(tr_metric metric, double value);

/* Regular expressions, in the syntax of RE2, compiled by the host. Natively, in tests, POSIX extended ones do. */
typedef struct {
	uint32_t set;
	bool open;
} tr_patterns;
typedef struct {
	uint32_t text, pattern, start, end;
} tr_match;
typedef struct {
	const tr_match *at;
	size_t len;
} tr_matches;
/* From where to where a group is; `found` is false if it took no part in the match. */
typedef struct {
	bool found;
	uint32_t start, end;
} tr_group;
typedef struct {
	const tr_group *at;
	size_t len;
} tr_groups;
typedef struct {
	const tr_text *at;
	size_t len;
} tr_texts;

/* Compiles a set, in configure. NULL, or which expression is wrong and why. */
const char *tr_patterns_compile(tr_patterns *patterns, const tr_text *expressions, size_t count);
/* Which patterns match in which texts; starts and ends are 0. */
tr_matches tr_patterns_match(tr_patterns patterns, const tr_text *texts, size_t count);
/* Every match of each pattern in each text. */
tr_matches tr_patterns_find(tr_patterns patterns, const tr_text *texts, size_t count);
/* The groups of the first match of one pattern; group 0 is the whole match; none if it does not match. */
tr_groups tr_patterns_groups(tr_patterns patterns, uint32_t pattern, tr_text text);
/* The names of the groups of a pattern; "" for one without a name. */
tr_texts tr_patterns_names(tr_patterns patterns, uint32_t pattern);

/* Hashes of texts, one after the other, all of the same length. Algorithms: "md5", "sha1", "sha256", "sha512", "sha3-256",
 * "hmac-sha256", "hmac-sha512". NULL, or what the host has against it. Natively, in tests, it is no such hash but 8 bytes
 * that are the same for the same input. */
const char *tr_hash(tr_text algorithm, tr_text key, const tr_text *texts, size_t count, tr_text *hashes);

/* ---- What makes a plugin ------------------------------------------------------------------------------------------ */

/* Who a plugin is. What is NULL or 0 is not said. */
typedef struct {
	const char *name, *version;
	/* A JSON Schema of the configuration. */
	const char *schema;
	/* What should happen to a batch for which a call fails, if the operator does not say. */
	enum { TR_NO_WISH, TR_PROPAGATE, TR_IGNORE, TR_DROP_IT } error_mode;
} tr_info;

/* The kinds of plugins, once per component. `info` is the name and the version, or more: see tr_info. */
#define TAILRACE_ATTRIBUTES(name, version, configure, apply) \
	TAILRACE_ATTRIBUTES_WITH(((tr_info){name, version, NULL, TR_NO_WISH}), configure, apply)
#define TAILRACE_PROCESSOR(name, version, configure, process) \
	TAILRACE_PROCESSOR_WITH(((tr_info){name, version, NULL, TR_NO_WISH}), configure, process)
#define TAILRACE_SAMPLER(name, version, configure, decide) \
	TAILRACE_SAMPLER_WITH(((tr_info){name, version, NULL, TR_NO_WISH}), configure, decide, false)
/* A sampler that wants whole spans besides the values. */
#define TAILRACE_SAMPLER_OF_SPANS(name, version, configure, decide) \
	TAILRACE_SAMPLER_WITH(((tr_info){name, version, NULL, TR_NO_WISH}), configure, decide, true)

#define TAILRACE_ATTRIBUTES_WITH(info, configure, apply) \
	TR_LIFECYCLE(info, configure) \
	TR_EXPORT("tailrace:plugin/attributes@0.1.0#apply") void *tr_export_apply(void *arguments) { \
		return tr_do_apply(arguments, apply); \
	} \
	TR_AFTERWARDS(apply, "tailrace:plugin/attributes@0.1.0#apply")

#define TAILRACE_PROCESSOR_WITH(info, configure, process) \
	TR_LIFECYCLE(info, configure) \
	TR_EXPORT("tailrace:plugin/processor@0.1.0#process") \
	void *tr_export_process(int signal, const char *at, size_t len) { \
		return tr_do_process((tr_signal)signal, (tr_text){at, len}, process); \
	} \
	TR_AFTERWARDS(process, "tailrace:plugin/processor@0.1.0#process")

#define TAILRACE_SAMPLER_WITH(info, configure, decide, of_spans) \
	TR_LIFECYCLE(info, configure) \
	TR_EXPORT("tailrace:plugin/sampler@0.1.0#wants-spans") int tr_export_wants_spans(void) { return of_spans; } \
	TR_EXPORT("tailrace:plugin/sampler@0.1.0#sample") void *tr_export_sample(void *arguments) { \
		return tr_do_sample(arguments, decide); \
	} \
	TR_AFTERWARDS(sample, "tailrace:plugin/sampler@0.1.0#sample")

/* Besides one of the above: a plugin that keeps something. */
#define TAILRACE_STATE(save, restore) \
	TR_EXPORT("tailrace:plugin/state@0.1.0#save") void *tr_export_save(void) { return tr_do_save(save); } \
	TR_EXPORT("tailrace:plugin/state@0.1.0#restore") void *tr_export_restore(const char *at, size_t len) { \
		return tr_do_restore((tr_text){at, len}, restore); \
	} \
	TR_AFTERWARDS(restore, "tailrace:plugin/state@0.1.0#restore")

/* The rest is for these macros. */
#ifdef __wasm__
#define TR_EXPORT(name) __attribute__((export_name(name)))
#else
#define TR_EXPORT(name)
#endif
#define TR_AFTERWARDS(name, of) \
	TR_EXPORT("cabi_post_" of) void tr_after_##name(void *answer) { tr_do_end(answer); }
#define TR_LIFECYCLE(info, configure) \
	TR_EXPORT("tailrace:plugin/lifecycle@0.1.0#describe") void *tr_export_describe(void) { return tr_do_describe(info); } \
	TR_EXPORT("tailrace:plugin/lifecycle@0.1.0#configure") void *tr_export_configure(const char *at, size_t len) { \
		return tr_do_configure((tr_text){at, len}, configure); \
	}
void *tr_do_describe(tr_info info);
void *tr_do_configure(tr_text config, tr_configure *configure);
void *tr_do_apply(void *arguments, tr_apply *apply);
void *tr_do_process(tr_signal signal, tr_text batch, tr_process *process);
void *tr_do_sample(void *arguments, tr_decide *decide);
void *tr_do_save(tr_save *save);
void *tr_do_restore(tr_text state, tr_restore *restore);
void tr_do_end(void *answer);

#endif
