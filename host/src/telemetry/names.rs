//! Every metric name, once. `otelcol_*` names are the Collector's; `tailrace_*` ones have no counterpart there.

use super::Desc;

/// Items that a receiver took and the pipeline accepted.
pub static RECEIVER_ACCEPTED: Desc =
    Desc::item_counter("otelcol_receiver_accepted", "Items successfully pushed into the pipeline.");
/// Items that the pipeline refused; the client was told to retry.
pub static RECEIVER_REFUSED: Desc =
    Desc::item_counter("otelcol_receiver_refused", "Items that the pipeline refused; the client may retry.");
/// Items that failed for good inside the pipeline.
pub static RECEIVER_FAILED: Desc =
    Desc::item_counter("otelcol_receiver_failed", "Items that failed for good; the client was told so.");
/// Requests by outcome.
pub static RECEIVER_REQUESTS: Desc = Desc::counter("otelcol_receiver_requests", "Requests by outcome.");
/// Items that went into a processor.
pub static PROCESSOR_INCOMING: Desc =
    Desc::counter("otelcol_processor_incoming_items", "Items passed to the processor.");
/// Items that came out of a processor.
pub static PROCESSOR_OUTGOING: Desc =
    Desc::counter("otelcol_processor_outgoing_items", "Items emitted from the processor.");
/// Items that the memory limiter let pass.
pub static MEMORY_LIMITER_ACCEPTED: Desc =
    Desc::item_counter("otelcol_processor_memory_limiter_accepted", "Items that the memory limiter let pass.");
/// Items that the memory limiter refused.
pub static MEMORY_LIMITER_REFUSED: Desc =
    Desc::item_counter("otelcol_processor_memory_limiter_refused", "Items that the memory limiter refused.");
/// Sizes of batches in items.
pub static BATCH_SEND_SIZE: Desc = Desc::histogram(
    "otelcol_processor_batch_batch_send_size",
    "Items in a batch that was sent.",
    &[
        10, 25, 50, 75, 100, 250, 500, 750, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10_000, 20_000,
        50_000, 100_000,
    ],
    1.0,
);
/// Sizes of batches in bytes.
pub static BATCH_SEND_SIZE_BYTES: Desc = Desc::histogram(
    "otelcol_processor_batch_batch_send_size_bytes",
    "Bytes in a batch that was sent.",
    &[1000, 10_000, 100_000, 500_000, 1_000_000, 5_000_000, 10_000_000],
    1.0,
);
/// Batches sent because they were full.
pub static BATCH_SIZE_TRIGGER: Desc =
    Desc::counter("otelcol_processor_batch_batch_size_trigger_send", "Batches sent because of their size.");
/// Batches sent because of the timeout.
pub static BATCH_TIMEOUT_TRIGGER: Desc =
    Desc::counter("otelcol_processor_batch_timeout_trigger_send", "Batches sent because of the timeout.");
/// Items that the backend acknowledged.
pub static EXPORTER_SENT: Desc = Desc::item_counter("otelcol_exporter_sent", "Items sent to the destination.");
/// Items that could not be sent, retries included.
pub static EXPORTER_SEND_FAILED: Desc =
    Desc::item_counter("otelcol_exporter_send_failed", "Items that could not be sent to the destination.");
/// Items that the queue refused.
pub static EXPORTER_ENQUEUE_FAILED: Desc =
    Desc::item_counter("otelcol_exporter_enqueue_failed", "Items that the sending queue refused.");
/// Fill of the sending queue, in units of its sizer.
pub static EXPORTER_QUEUE_SIZE: Desc = Desc::gauge("otelcol_exporter_queue_size", "Current size of the sending queue.");
/// Room of the sending queue, in units of its sizer.
pub static EXPORTER_QUEUE_CAPACITY: Desc =
    Desc::gauge("otelcol_exporter_queue_capacity", "Capacity of the sending queue.");
/// Items that the backend took the request of but rejected.
pub static EXPORTER_REJECTED: Desc =
    Desc::item_counter("tailrace_exporter_rejected", "Items that a backend rejected in a partial success.");
/// Time since start.
pub static PROCESS_UPTIME: Desc = Desc::gauge("otelcol_process_uptime", "Uptime of the process in seconds.");
/// Processor time.
pub static PROCESS_CPU: Desc =
    Desc::gauge("otelcol_process_cpu_seconds", "CPU time used, user and system, in seconds.");
/// Resident memory.
pub static PROCESS_RSS: Desc = Desc::gauge("otelcol_process_memory_rss", "Resident memory in bytes.");
/// Ledger: items that left other than by being handed on.
pub static DROPPED: Desc = Desc::counter("tailrace_dropped_items", "Items that a component let go of, by reason.");
/// Ledger: items that a component made.
pub static ADDED: Desc = Desc::counter("tailrace_added_items", "Items that a component added.");
/// Ledger: items that a component has accepted and not yet handed on.
pub static HELD: Desc = Desc::gauge("tailrace_held_items", "Items accepted and not yet handed on.");
/// Calls into a plugin.
pub static PLUGIN_CALLS: Desc = Desc::counter("tailrace_plugin_calls", "Calls into the plugin, one per batch.");
/// Batches that passed without a call.
pub static PLUGIN_SKIPPED: Desc =
    Desc::counter("tailrace_plugin_skipped_batches", "Batches without anything that the plugin asked for.");
/// Items in the batches that a plugin was called for.
pub static PLUGIN_ITEMS: Desc = Desc::counter("tailrace_plugin_items", "Items in batches that the plugin saw.");
/// Items in the batches that came out of a plugin's calls.
pub static PLUGIN_ITEMS_OUT: Desc =
    Desc::counter("tailrace_plugin_outgoing_items", "Items in what the plugin made of the batches that it saw.");
/// Items that a plugin dropped.
pub static PLUGIN_ITEMS_DROPPED: Desc =
    Desc::counter("tailrace_plugin_dropped_items", "Items that the plugin dropped.");
/// Values that a plugin set or removed.
pub static PLUGIN_EDITS: Desc = Desc::counter("tailrace_plugin_edits", "Values that the plugin set or removed.");
/// Time spent for a plugin: projection, waiting for an instance, the call, and the check of its output.
pub static PLUGIN_TIME: Desc =
    Desc::counter("tailrace_plugin_time_nanoseconds", "Time spent for the plugin, with everything around the call.");
/// Time that a plugin computed.
pub static PLUGIN_CPU_TIME: Desc = Desc::counter(
    "tailrace_plugin_cpu_nanoseconds",
    "Time that calls spent computing in the plugin, without waiting: an estimate of its processor time.",
);
/// Time of a batch in a plugin.
pub static PLUGIN_CALL_TIME: Desc = Desc::histogram(
    "tailrace_plugin_call_seconds",
    "Time of a batch in the plugin, with everything around the call.",
    &[10_000, 50_000, 100_000, 500_000, 1_000_000, 5_000_000, 10_000_000, 50_000_000, 100_000_000, 1_000_000_000],
    1e-9,
);
/// Calls that ended in an accident.
pub static PLUGIN_FAILURES: Desc = Desc::counter("tailrace_plugin_failures", "Calls that failed, by reason.");
/// Calls in which a plugin refused the batch.
pub static PLUGIN_REFUSALS: Desc = Desc::counter("tailrace_plugin_refusals", "Batches that the plugin refused.");
/// Versions put in place of another.
pub static PLUGIN_RELOADS: Desc = Desc::counter("tailrace_plugin_reloads", "Reloads of the plugin, by result.");
/// The number of the running version.
pub static PLUGIN_GENERATION: Desc =
    Desc::gauge("tailrace_plugin_generation", "Number of the running version; the first is 1.");
/// Instances that live.
pub static PLUGIN_INSTANCES: Desc = Desc::gauge("tailrace_plugin_instances", "Instances of the plugin.");
/// Memory of a plugin's instances.
pub static PLUGIN_MEMORY: Desc =
    Desc::gauge("tailrace_plugin_memory_bytes", "Memory of the plugin's instances, as of their last call.");
/// Inputs on which a plugin had accidents and is not called for now.
pub static PLUGIN_QUARANTINED: Desc = Desc::gauge(
    "tailrace_plugin_quarantined",
    "Batches that are answered without a call because the plugin had accidents on them.",
);
/// Lines of a plugin that were not written.
pub static PLUGIN_LOG_SUPPRESSED: Desc =
    Desc::counter("tailrace_plugin_log_suppressed_lines", "Lines of the plugin that exceeded its rate.");
/// Series that a plugin wanted and did not get.
pub static PLUGIN_SERIES_REFUSED: Desc = Desc::counter(
    "tailrace_plugin_refused_series",
    "Series of its own that the plugin could not open, because of metric_series or their names.",
);
/// State that plugins handed on to the next instance.
pub static PLUGIN_STATES: Desc = Desc::counter(
    "tailrace_plugin_states",
    "States that were to be handed to the next instance of the plugin, by result.",
);
/// Tail sampling: traces by policy and vote.
pub static TAIL_COUNT_TRACES_SAMPLED: Desc = Desc::counter(
    "otelcol_processor_tail_sampling_count_traces_sampled",
    "Traces by policy and what the policy voted.",
);
/// Tail sampling: spans of the traces that policies voted on.
pub static TAIL_COUNT_SPANS_SAMPLED: Desc = Desc::counter(
    "otelcol_processor_tail_sampling_count_spans_sampled",
    "Spans of traces by policy and what the policy voted.",
);
/// Tail sampling: bytes of the traces that policies voted on.
pub static TAIL_COUNT_BYTES_SAMPLED: Desc = Desc::counter(
    "otelcol_processor_tail_sampling_count_bytes_sampled",
    "Encoded bytes of the spans of traces by policy and what the policy voted.",
);
/// Tail sampling: traces by decision.
pub static TAIL_GLOBAL_COUNT_TRACES_SAMPLED: Desc =
    Desc::counter("otelcol_processor_tail_sampling_global_count_traces_sampled", "Traces by what was decided.");
/// Tail sampling: late spans that followed an earlier decision.
pub static TAIL_EARLY_RELEASES: Desc = Desc::counter(
    "otelcol_processor_tail_sampling_early_releases_from_cache_decision",
    "Spans that came late and followed the decision about their trace.",
);
/// Tail sampling: new traces.
pub static TAIL_NEW_TRACE_ID: Desc =
    Desc::counter("otelcol_processor_tail_sampling_new_trace_id_received", "Traces whose first span came.");
/// Tail sampling: time of a tick.
pub static TAIL_TIMER_LATENCY: Desc = Desc::histogram(
    "otelcol_processor_tail_sampling_sampling_decision_timer_latency",
    "Time that the decisions of one tick of one shard took, in milliseconds.",
    &[
        1, 2, 5, 10, 25, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1000, 2000, 3000, 4000, 5000, 10_000, 20_000,
        30_000, 50_000,
    ],
    1.0,
);
/// Tail sampling: how long others had to wait for a shard.
pub static TAIL_LOCKED: Desc = Desc::histogram(
    "tailrace_tail_sampling_locked_seconds",
    "How long a shard was locked at a time, by a sender or to decide a slice of its traces, in seconds.",
    &[50, 100, 250, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000],
    1e-6,
);
/// Tail sampling: failed votes.
pub static TAIL_EVALUATION_ERROR: Desc =
    Desc::counter("otelcol_processor_tail_sampling_sampling_policy_evaluation_error", "Votes that failed.");
/// Tail sampling: traces decided early for lack of room.
pub static TAIL_DROPPED_TOO_EARLY: Desc = Desc::counter(
    "otelcol_processor_tail_sampling_sampling_trace_dropped_too_early",
    "Traces that had to leave before decision_wait was over; they were decided on what had arrived.",
);
/// Tail sampling: the same, by what was short.
pub static TAIL_DECIDED_EARLY: Desc = Desc::counter(
    "tailrace_tail_sampling_decided_early",
    "Traces decided before decision_wait was over, by reason: num_traces or max_memory_mib was reached, or the trace had maximum_trace_spans.",
);
/// Tail sampling: how long traces were held.
pub static TAIL_REMOVAL_AGE: Desc = Desc::histogram(
    "otelcol_processor_tail_sampling_sampling_trace_removal_age",
    "Time from the first span of a trace to its decision, in seconds.",
    &[1000, 2000, 5000, 10_000, 15_000, 20_000, 30_000, 45_000, 60_000, 120_000, 180_000, 300_000, 600_000],
    0.001,
);
/// Tail sampling: how late late spans are.
pub static TAIL_LATE_SPAN_AGE: Desc = Desc::histogram(
    "otelcol_processor_tail_sampling_sampling_late_span_age",
    "Time from the decision about a trace to the arrival of a late span, in seconds; coarse beyond four minutes.",
    &[0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10_000],
    1.0,
);
/// Tail sampling: undecided traces.
pub static TAIL_TRACES_ON_MEMORY: Desc =
    Desc::gauge("otelcol_processor_tail_sampling_sampling_traces_on_memory", "Undecided traces in memory.");
/// Tail sampling: memory of their spans.
pub static TAIL_BYTES_ON_MEMORY: Desc =
    Desc::gauge("tailrace_tail_sampling_segment_bytes", "Memory that undecided traces take, in bytes.");
/// Tail sampling: traces that grew too large.
pub static TAIL_DROPPED_TOO_LARGE: Desc = Desc::counter(
    "otelcol_processor_tail_sampling_traces_dropped_too_large",
    "Traces dropped because they passed maximum_trace_size_bytes.",
);
/// Tail sampling: spans whose tracestate could not get a threshold.
pub static TAIL_UNPARSEABLE_TRACESTATE: Desc = Desc::counter(
    "otelcol_processor_tail_sampling_count_spans_with_unparseable_tracestate",
    "Kept spans whose tracestate could not be read, so that no threshold was written.",
);
/// Tail sampling: what shadow policies vote.
pub static TAIL_SHADOW_COUNT: Desc = Desc::counter(
    "tailrace_tail_sampling_shadow_count_traces_sampled",
    "Traces by shadow policy and what the policy voted.",
);
/// Tail sampling: what shadow policies would decide.
pub static TAIL_SHADOW_GLOBAL_COUNT: Desc = Desc::counter(
    "tailrace_tail_sampling_shadow_global_count_traces_sampled",
    "Traces by what the shadow policies together would decide.",
);
/// Tail sampling: traces by who keeps them.
pub static TAIL_SHADOW_TRACES: Desc = Desc::counter(
    "tailrace_tail_sampling_shadow_agreement_traces",
    "Traces by who keeps them: both the policies and the shadow policies, only one of them, or neither.",
);
/// Tail sampling: spans by who keeps them.
pub static TAIL_SHADOW_SPANS: Desc = Desc::counter(
    "tailrace_tail_sampling_shadow_agreement_spans",
    "Spans of decided traces by who keeps them: both the policies and the shadow policies, only one of them, or neither.",
);
/// Tail sampling: time of votes.
pub static TAIL_EXECUTION_TIME: Desc = Desc::counter(
    "otelcol_processor_tail_sampling_sampling_policy_execution_time_sum",
    "Time that the votes of a policy took, in microseconds; extrapolated from one trace of each slice.",
);
/// Tail sampling: votes.
pub static TAIL_EXECUTION_COUNT: Desc =
    Desc::counter("otelcol_processor_tail_sampling_sampling_policy_execution_count", "Votes of a policy.");
