//! The latest decisions as a table.

use super::{list, number, span, text};
use crate::cli::plugin::paint::Paint;
use serde_json::Value;

const HEAD: [&str; 10] = ["TRACE", "OUTCOME", "BY", "BECAUSE", "AGO", "SPANS", "ERRORS", "LATE", "SHADOW", "PROCESSOR"];

/// The whole answer.
pub(super) fn lines(answer: &Value, paint: Paint) -> Vec<String> {
    if let Some(error) = answer.get("error").and_then(Value::as_str) {
        return vec![error.to_owned()];
    }
    let decisions = list(answer, "decisions");
    if decisions.is_empty() {
        let all: f64 = list(answer, "processors")
            .iter()
            .filter_map(|one| one.get("decision_history"))
            .map(|history| number(history, "decisions"))
            .sum();
        return vec![format!("no such decision among the {all} that are remembered")];
    }
    // Where there is one processor, it need not be named.
    let columns = HEAD.len() - usize::from(list(answer, "processors").len() < 2);
    let rows: Vec<[String; 10]> = decisions.iter().map(row).collect();
    let head = HEAD.map(str::to_owned);
    let width = |column: usize| {
        let cells = rows.iter().chain([&head]).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &[String; 10]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines = vec![paint.bold(&line(&head))];
    lines.extend(rows.iter().map(line));
    lines
}

fn row(decision: &Value) -> [String; 10] {
    let late = text(decision, "because") == "late";
    let shown = |key: &str| if late { "-".to_owned() } else { number(decision, key).to_string() };
    let by = text(decision, "decided_by");
    let shadow = decision.get("shadow").map_or("-", |shadow| {
        if shadow.get("agrees").and_then(Value::as_bool) == Some(true) { "agrees" } else { text(shadow, "outcome") }
    });
    [
        text(decision, "trace_id").to_owned(),
        text(decision, "outcome").to_owned(),
        if by.is_empty() { "-" } else { by }.to_owned(),
        text(decision, "because").to_owned(),
        span(number(decision, "seconds_ago")),
        shown("spans"),
        shown("errors"),
        number(decision, "late_spans").to_string(),
        shadow.to_owned(),
        text(decision, "processor").to_owned(),
    ]
}
