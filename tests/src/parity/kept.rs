//! Differences that are meant, each with its reason. `host/CONFIG.md` lists them for users.

use super::traces::{Placed, Pool, When};
use serde_json::Value;

/// Why Tailrace refuses what the Collector takes.
pub fn refused_by_us(why: &str) -> Option<&'static str> {
    let reasons = [
        ("must have at least one policy", "`and`, `drop` and `composite` without parts are refused"),
        ("span-ingest, which cannot know", "`span-ingest`: votes that later spans could take back are refused"),
        ("takes back", "`span-ingest`: votes that later spans could take back are refused"),
        ("min_value or max_value must be set", "`numeric_attribute` without bounds is refused; the Collector crashes"),
        ("has no `status`", "OTTL: `status` is compared by `status.code` or `status.message`"),
        ("has no `span.status`", "OTTL: `status` is compared by `status.code` or `status.message`"),
    ];
    reasons.into_iter().find(|(part, _)| why.contains(part)).map(|(_, reason)| reason)
}

/// Why Tailrace takes what the Collector refuses.
pub fn refused_by_them(why: &str) -> Option<&'static str> {
    let reasons = [
        ("unknown sampling policy type", "policies are nested in any way but `composite` and `drop`"),
        ("unable to parse OTTL condition", "OTTL: an argument that never fits is an error when it is evaluated"),
        ("invalid argument", "OTTL: an argument that never fits is an error when it is evaluated"),
        ("error parsing regexp", "regular expressions: what is none in Go may be one here"),
    ];
    reasons.into_iter().find(|(part, _)| why.contains(part)).map(|(_, reason)| reason)
}

/// Whether the list of a `Split` is used as such, not by its elements.
fn splits_into_a_list(condition: &str) -> bool {
    condition.match_indices("Split(").any(|(at, _)| {
        let (mut depth, mut quoted) = (0, false);
        let end = condition[at..].char_indices().find(|(_, c)| {
            quoted ^= *c == '"';
            depth += if quoted { 0 } else { i32::from(*c == '(') - i32::from(*c == ')') };
            *c == ')' && !quoted && depth == 0
        });
        end.is_some_and(|(end, _)| !condition[at + end + 1..].starts_with('['))
    })
}

/// Why a condition is answered otherwise.
pub fn evaluated_otherwise(condition: &str) -> Option<&'static str> {
    if splits_into_a_list(condition) {
        return Some("OTTL: what `Split` gives equals a list with the same elements; there it equals none");
    }
    let empty = "OTTL: `IsEmpty` of events or links that are none is true; there it is false";
    let reasons = [
        ("event_index", "OTTL: `event_index` has a value; there it is an error in every condition"),
        ("IsEmpty(events)", empty),
        ("IsEmpty(span.events)", empty),
        ("IsEmpty(links)", empty),
        ("IsEmpty(span.links)", empty),
    ];
    reasons.into_iter().find(|(part, _)| condition.contains(part)).map(|(_, reason)| reason)
}

/// Whether a time of it is after 2262, where some numbers for it are negative.
fn is_far(placed: &Placed) -> bool {
    placed.span.end_time_unix_nano.max(placed.span.start_time_unix_nano) >> 63 == 1
}

/// Why a condition is answered otherwise on these spans.
pub fn cut_otherwise(condition: &str, spans: &[Placed]) -> Option<&'static str> {
    let wide = |placed: &Placed| !format!("{placed:?}").is_ascii();
    if condition.contains("Duration(") && spans.iter().any(is_far) {
        return Some("OTTL: times end in 1677 and 2262, and sums stay within; there they go on");
    }
    let cuts = condition.contains("Substring(") && spans.iter().any(wide);
    cuts.then_some("OTTL: half a character is a replacement character; there it is bytes that are no text")
}

/// Why a trace is decided otherwise.
pub fn decided_otherwise(settings: &Value, pool: &Pool, id: &[u8]) -> Option<&'static str> {
    let spans: Vec<&Placed> = pool.spans.iter().filter(|placed| placed.span.trace_id == id).collect();
    let any = |wanted: &dyn Fn(&Value) -> bool| holds(settings, wanted);
    let several = spans.len() > 1;
    if several && any(&|value| value["latency"]["upper_threshold_ms"].as_i64().is_some_and(|bound| bound != 0)) {
        return Some(
            "`latency` with an upper bound: the whole trace counts, not what had come when a span was looked at",
        );
    }
    let text = settings.to_string();
    if let Some(reason) = evaluated_otherwise(&text) {
        return Some(reason);
    }
    let cut: Vec<Placed> = spans.iter().map(|placed| (*placed).clone()).collect();
    if let Some(reason) = cut_otherwise(&text, &cut) {
        return Some(reason);
    }
    if text.contains("schema_url") {
        return Some("OTTL: `schema_url` is that of the request; the Collector's sampler has lost it");
    }
    let nameless = id.iter().all(|byte| *byte == 0);
    if nameless && settings["drop_pending_traces_on_shutdown"] == true {
        return Some("spans without a trace id are decided at once, and do not wait for a shutdown");
    }
    let half = |id: &[u8]| id.get(8..).map(<[u8]>::to_vec);
    let twin = |placed: &Placed| placed.span.trace_id != id && half(&placed.span.trace_id) == half(id);
    if settings.get("decision_cache").is_some() && pool.spans.iter().any(twin) {
        return Some("decision cache: traces are told apart by the whole id, there by its last eight bytes");
    }
    let propagates = |value: &Value| value["ottl_condition"]["error_mode"] == "propagate";
    if several && any(&propagates) {
        return Some("`ottl_condition` with `propagate`: a match counts wherever an error stands");
    }
    let cached = |key: &str| settings["decision_cache"][key].as_i64().is_some_and(|size| size > 0);
    let rooted = settings.get("decision_wait_after_root_received").is_some();
    let follows = |placed: &&Placed| placed.when == When::Late || rooted && placed.when == When::Between;
    let late = spans.iter().any(follows);
    if settings["sampling_strategy"] == "span-ingest" && late && !cached("non_sampled_cache_size") {
        return Some(
            "`span-ingest`: what comes behind an undecided trace follows it; without a cache it is a new trace there",
        );
    }
    let is_latency = |value: &Value| value["type"] == "latency";
    let timeless = |placed: &&Placed| placed.span.start_time_unix_nano == 0 && placed.span.end_time_unix_nano == 0;
    if several && spans.iter().any(timeless) && any(&is_latency) {
        return Some("`latency`: a span without any times does not count, wherever it stands");
    }
    if several && spans.iter().any(|placed| is_far(placed)) && any(&is_latency) {
        return Some("`latency`: a time after 2262 makes the trace no long one, wherever its span stands");
    }
    let sizes = settings.get("maximum_trace_size_bytes").is_some();
    if sizes && spans.iter().any(|placed| placed.unusual) {
        return Some("sizes: bytes count as they were sent, however unusually they were written");
    }
    None
}

/// Why another number of equal traces is kept.
pub fn counted_otherwise(settings: &Value, theirs: usize, ours: usize) -> Option<&'static str> {
    let limits = ["rate_limiting", "bytes_limiting", "composite"];
    let limiter = |value: &Value| limits.iter().any(|kind| value.get(kind).is_some());
    if settings["num_shards"].as_u64().is_some_and(|shards| shards > 1) && holds(settings, &limiter) {
        return Some(
            "limits are those of all shards together; the Collector gives each shard its part of the rate and the whole burst",
        );
    }
    let composite = holds(settings, &|value| value.get("composite").is_some());
    if composite && ours <= 2 * theirs && theirs <= 2 * ours {
        return Some("`composite` counts by the second: a tick, or two shards, may decide in two of them");
    }
    let bytes = holds(settings, &|value| value.get("bytes_limiting").is_some());
    let reason =
        "`bytes_limiting`: tag and length of the message around each request's part, a few bytes, do not count";
    (bytes && theirs.abs_diff(ours) <= 1).then_some(reason)
}

/// Whether a value, or one inside it, is wanted.
fn holds(value: &Value, wanted: &dyn Fn(&Value) -> bool) -> bool {
    wanted(value)
        || match value {
            Value::Array(values) => values.iter().any(|value| holds(value, wanted)),
            Value::Object(map) => map.values().any(|value| holds(value, wanted)),
            _ => false,
        }
}
