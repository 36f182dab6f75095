//! All that is known of one trace, in words.

use super::{list, number, span, text};
use crate::cli::plugin::paint::{self, Paint};
use serde_json::Value;

/// The whole answer.
pub(super) fn lines(answer: &Value, paint: Paint) -> Vec<String> {
    if let Some(error) = answer.get("error").and_then(Value::as_str) {
        return vec![error.to_owned()];
    }
    let mut parts: Vec<Vec<String>> = Vec::new();
    for processor in list(answer, "processors") {
        parts.extend(waiting(processor, paint));
        parts.extend(decided_before(processor, paint));
    }
    parts.extend(list(answer, "decisions").iter().map(|decision| self::decision(decision, paint)));
    parts.join(&String::new())
}

/// A trace that has not been decided yet.
fn waiting(processor: &Value, paint: Paint) -> Option<Vec<String>> {
    let waiting = processor.get("undecided")?;
    let head = format!("{} in {}", paint.yellow("not decided yet"), text(processor, "processor"));
    let when =
        format!("in {}; its first span came {}", span(number(waiting, "decision_in_seconds")), text(waiting, "since"));
    Some(vec![head, row("decision", &when), row("so far", &evidence(waiting))])
}

/// A trace of which only the outcome is remembered.
fn decided_before(processor: &Value, paint: Paint) -> Option<Vec<String>> {
    let outcome = match processor.get("decided_before")?.as_str()? {
        "sampled" => paint.green("kept"),
        _ => paint.yellow("not kept"),
    };
    let reach = span(processor.get("decision_history").map_or(0.0, |history| number(history, "reaches_back_seconds")));
    Some(vec![
        format!("{outcome} by {}, longer ago than it remembers why", text(processor, "processor")),
        row("history", &format!("reaches back {reach}; decision_history.size makes it longer")),
    ])
}

fn decision(decision: &Value, paint: Paint) -> Vec<String> {
    let by = text(decision, "decided_by");
    let because = text(decision, "because");
    let head = match (because, text(decision, "outcome")) {
        ("late", "sampled") => format!("{}: late spans followed an earlier decision", paint.green("kept")),
        ("late", _) => format!("{}: late spans followed an earlier decision", paint.yellow("not kept")),
        (_, "sampled") => format!("{} by policy {}", paint.green("kept"), paint.bold(by)),
        (_, "not_sampled") => format!("{}: no policy wanted it", paint.yellow("not kept")),
        (_, "dropped") => format!("{} by policy {}", paint.red("dropped"), paint.bold(by)),
        (_, "too_large") => format!("{}: it was larger than maximum_trace_size_bytes", paint.red("dropped")),
        _ => format!("{}: it was undecided at the shutdown", paint.red("dropped")),
    };
    let mut lines = vec![format!("{head}, in {}", text(decision, "processor"))];
    let ago = format!("{} ago, {}", span(number(decision, "seconds_ago")), text(decision, "decided_at"));
    if because == "late" {
        lines.push(row(
            "spans",
            &format!("{}; the first came {ago}", count(number(decision, "late_spans"), "late span")),
        ));
        return lines;
    }
    lines.push(row("when", &ago));
    lines.push(row("after", &format!("{}: {}", span(number(decision, "held_seconds")), reason(because))));
    lines.push(row("on", &evidence(decision)));
    if !list(decision, "votes").is_empty() {
        let title = format!("votes, policies version {}", number(decision, "policies_version"));
        lines.push(format!("  {}", paint.dim(&title)));
        lines.extend(votes(decision, paint));
    }
    if number(decision, "late_spans") > 0.0 {
        let last = span(number(decision, "last_late_after_seconds"));
        let fate = if text(decision, "outcome") == "sampled" { "kept" } else { "dropped" };
        let late = count(number(decision, "late_spans"), "late span");
        lines.push(row("late", &format!("{late}, the last {last} after the decision; {fate} as well")));
    }
    if let Some(shadow) = decision.get("shadow") {
        let would = match text(shadow, "outcome") {
            "sampled" => format!("would have kept it, by {}", text(shadow, "decided_by")),
            "dropped" => format!("would have dropped it, by {}", text(shadow, "decided_by")),
            _ => "would not have kept it".to_owned(),
        };
        let agrees = shadow.get("agrees").and_then(Value::as_bool) == Some(true);
        let would = if agrees { would } else { paint.yellow(&format!("{would}: they disagree")) };
        lines.push(format!("  {}", paint.dim("shadow policies ")) + &would);
        lines.extend(votes(shadow, paint));
    }
    lines
}

/// Each policy and its vote; the one that decided is marked.
fn votes(decision: &Value, paint: Paint) -> Vec<String> {
    let votes = list(decision, "votes");
    let width = votes.iter().map(|vote| text(vote, "policy").chars().count()).max().unwrap_or(0);
    let line = |vote: &Value| {
        let policy = text(vote, "policy");
        let said = match text(vote, "vote") {
            "sampled" => paint.green("sampled"),
            "dropped" => paint.red("dropped"),
            "error" => paint.red("failed: counts as no vote"),
            "not_asked" => paint.dim("not asked: it was decided already"),
            _ => "not sampled".to_owned(),
        };
        let mark = if policy == text(decision, "decided_by") { paint.bold("  <- decided") } else { String::new() };
        let version =
            vote.get("version").and_then(Value::as_str).map(|version| format!("  ({version})")).unwrap_or_default();
        format!("    {policy:<width$}  {said}{mark}{version}")
    };
    votes.iter().map(line).collect()
}

/// Why it was decided then.
fn reason(because: &str) -> &'static str {
    match because {
        "due" => "decision_wait was over",
        "root" => "decision_wait_after_root_received was over",
        "num_traces" => "EARLY, there were num_traces undecided traces; it was decided on what had arrived",
        "max_memory_mib" => "EARLY, there was no more room in max_memory_mib; it was decided on what had arrived",
        "maximum_trace_spans" => "it had maximum_trace_spans",
        "maximum_trace_size_bytes" => "it passed maximum_trace_size_bytes",
        "shutdown" => "the collector was shutting down",
        "span_ingest" => "its spans had made up a policy's mind as they came",
        _ => "for a reason that this version does not know",
    }
}

/// What the decision could be based on.
fn evidence(on: &Value) -> String {
    let errors = match number(on, "errors") {
        0.0 => "no error".to_owned(),
        errors => count(errors, "error"),
    };
    let root = if on.get("root_span").and_then(Value::as_bool) == Some(true) { "with" } else { "without" };
    let bytes = paint::bytes(number(on, "bytes") as usize);
    let long = span(number(on, "duration_seconds"));
    format!("{}, {errors}, {long} long, {bytes}, {root} a root span", count(number(on, "spans"), "span"))
}

fn count(number: f64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1.0 { "" } else { "s" })
}

fn row(title: &str, text: &str) -> String {
    format!("  {title:<9} {text}")
}
