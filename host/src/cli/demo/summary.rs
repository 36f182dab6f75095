//! The end of the demo as text: the ledger, and whether it adds up.

use super::audit::Audit;
use super::generator::Tally;
use super::screen::{Style, count, reasons};

/// The last lines of the demo.
pub(super) fn summary(audit: &Audit, tally: &Tally, style: Style) -> Vec<String> {
    let row = |sign: char, label: &str, spans: u64, note: &str| {
        format!("{sign} {label:<10}  {:>10}  {note}", count(spans)).trim_end().to_owned()
    };
    let dropped: Vec<(String, u64)> =
        audit.dropped.iter().map(|(reason, spans)| ((*reason).to_owned(), *spans)).collect();
    let mut lines = vec![
        String::new(),
        style.bold("Ledger"),
        row(' ', "accepted", audit.accepted, "spans that the collector said OK to"),
    ];
    if audit.foreign_accepted > 0 {
        lines.push(row('+', "accepted", audit.foreign_accepted, "spans that you sent"));
    }
    lines.push(row('=', "arrived", audit.arrived, "at the backend, told apart by span id"));
    if audit.foreign_accepted > 0 {
        lines.push(row('+', "arrived", audit.foreign_arrived, "of those that you sent"));
    }
    lines.push(row('+', "dropped", audit.dropped.values().sum(), &reasons(&dropped)));
    lines.push(row('+', "held", audit.held.unsigned_abs(), ""));
    lines.extend(refusals(tally));
    lines.push(String::new());
    if audit.faults.is_empty() {
        lines.push(style.green("The ledger adds up: no span was lost and none arrived twice."));
    } else {
        lines.push(style.red("The ledger does not add up:"));
        lines.extend(audit.faults.iter().map(|fault| format!("  {fault}")));
    }
    lines
}

/// Refused spans are no part of the ledger: the sender was told and still has them.
fn refusals(tally: &Tally) -> Vec<String> {
    let mut lines = Vec::new();
    let reason = tally.reason().unwrap_or_default();
    let mut say = |number: u64, what: &str| {
        if number > 0 {
            lines.push(format!("  {} {what}: {reason}", count(number)));
        }
    };
    say(tally.retries.get(), "requests were refused at first and sent again");
    say(tally.refused.get(), "spans were refused for good");
    say(tally.given_up.get(), "spans were still refused at the end");
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn audit() -> Audit {
        Audit {
            accepted: 40_012,
            foreign_accepted: 0,
            arrived: 7_804,
            foreign_arrived: 0,
            dropped: BTreeMap::from([("not_sampled", 32_208)]),
            held: 0,
            duplicates: 0,
            faults: Vec::new(),
        }
    }

    #[test]
    fn a_ledger_that_adds_up() {
        let expected = "
Ledger
  accepted        40,012  spans that the collector said OK to
= arrived          7,804  at the backend, told apart by span id
+ dropped         32,208  not sampled 32,208
+ held                 0

The ledger adds up: no span was lost and none arrived twice.";
        assert_eq!(summary(&audit(), &Tally::default(), Style::Plain).join("\n"), expected);
    }

    #[test]
    fn guests_refusals_and_faults_are_told() {
        let audit = Audit {
            foreign_accepted: 50,
            foreign_arrived: 5,
            faults: vec!["accepted, and arrived + dropped + held: 3 against 2".to_owned()],
            ..audit()
        };
        let tally = Tally::default();
        tally.retries.add(7);
        let text = summary(&audit, &tally, Style::Plain).join("\n");
        for expected in [
            "+ accepted            50  spans that you sent\n= arrived",
            "+ arrived              5  of those that you sent\n+ dropped",
            "  7 requests were refused at first and sent again",
            "The ledger does not add up:\n  accepted, and arrived + dropped + held: 3 against 2",
        ] {
            assert!(text.contains(expected), "{expected:?} is not in\n{text}");
        }
    }
}
