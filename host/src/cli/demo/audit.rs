//! Whether the books of a finished demo agree: the generator's and the backend's, kept by span id, and the collector's
//! own, from its metrics.
//!
//! ```text
//! accepted = arrived + dropped by reason + held
//! ```
//! Whoever sends spans of their own to the demo is welcome: what the collector accepted beyond the generator's spans is
//! theirs, and so is what arrived with an unknown id.

use super::ledger::Sums;
use crate::telemetry::Line;
use std::collections::BTreeMap;

/// What each side says at the end.
#[derive(Clone, Debug, Default)]
pub(super) struct Books {
    /// Spans for which the generator heard `OK`.
    pub generator_accepted: u64,
    /// By span id: the generator and the backend.
    pub sums: Sums,
    /// Spans that the backend received, counted as they came.
    pub backend_spans: u64,
    /// The accounts of the collector's components.
    pub lines: Vec<Line>,
}

/// The result: what to print, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Audit {
    /// Spans that the collector accepted from the generator.
    pub accepted: u64,
    /// Spans that it accepted from others.
    pub foreign_accepted: u64,
    /// Different generated spans that arrived at the backend.
    pub arrived: u64,
    /// Spans of others that arrived.
    pub foreign_arrived: u64,
    /// Spans that the collector let go of, by reason.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Spans still inside.
    pub held: i64,
    /// Second and further arrivals.
    pub duplicates: u64,
    /// What does not add up; empty if everything does.
    pub faults: Vec<String>,
}

/// Compares the books.
pub(super) fn audit(books: &Books) -> Audit {
    let taken: u64 = books.lines.iter().filter(|line| is_receiver(line)).map(|line| line.taken).sum();
    let mut dropped = BTreeMap::new();
    for (reason, spans) in books.lines.iter().flat_map(|line| &line.dropped) {
        *dropped.entry(*reason).or_default() += *spans;
    }
    let mut audit = Audit {
        accepted: books.generator_accepted,
        foreign_accepted: taken.saturating_sub(books.generator_accepted),
        arrived: books.sums.arrived,
        foreign_arrived: books.sums.foreign,
        dropped,
        held: books.lines.iter().map(|line| line.held).sum(),
        duplicates: books.sums.duplicates,
        faults: Vec::new(),
    };
    audit.faults = faults(books, &audit, taken);
    audit
}

/// Whether this is the account of a receiver.
pub(super) fn is_receiver(line: &Line) -> bool {
    line.component.starts_with("receiver:")
}

fn faults(books: &Books, audit: &Audit, taken: u64) -> Vec<String> {
    let mut faults = Vec::new();
    let mut expect = |what: &str, left: i128, right: i128| {
        if left != right {
            faults.push(format!("{what}: {left} against {right}"));
        }
    };
    let sums = &books.sums;
    let accepted = i128::from(audit.accepted);
    let dropped = i128::from(audit.dropped.values().sum::<u64>());
    let gone = dropped + i128::from(audit.held);
    expect("spans accepted, by the generator's count and by span id", accepted, sums.accepted.into());
    // A collector that says OK to less than the generator heard would be lying.
    expect("spans accepted, by the generator and by the collector", accepted, accepted.min(taken.into()));
    let arrived = i128::from(audit.arrived) + i128::from(audit.foreign_arrived);
    expect("accepted, and arrived + dropped + held", taken.into(), arrived + gone);
    if audit.foreign_accepted == 0 {
        expect("accepted and not arrived by span id, and dropped + held", sums.missing.into(), gone);
    }
    expect("spans that arrived again", audit.duplicates.into(), 0);
    expect("spans that arrived without being accepted", sums.unasked.into(), 0);
    let seen = arrived + i128::from(audit.duplicates);
    expect("spans that arrived, counted and by span id", books.backend_spans.into(), seen);
    for line in &books.lines {
        expect(&format!("the account of {} is off by", line.component), line.gap().into(), 0);
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(component: &str, taken: u64, handed_on: u64, dropped: &[(&'static str, u64)], held: i64) -> Line {
        let dropped = dropped.iter().copied().collect();
        Line { component: component.to_owned(), taken, handed_on, added: 0, dropped, held }
    }

    /// 1,000 spans accepted, 230 arrived, 760 not sampled, 10 lost to a refusing backend.
    fn books() -> Books {
        Books {
            generator_accepted: 1_000,
            sums: Sums { accepted: 1_000, arrived: 230, missing: 770, ..Sums::default() },
            backend_spans: 230,
            lines: vec![
                line("receiver:otlp", 1_000, 1_000, &[], 0),
                line("processor:tail_sampling@traces", 1_000, 240, &[("not_sampled", 760)], 0),
                line("exporter:otlp_grpc/tempo", 240, 230, &[("send_failed", 10)], 0),
            ],
        }
    }

    #[test]
    fn books_that_agree() {
        let audit = audit(&books());
        assert_eq!(audit.faults, [""; 0]);
        assert_eq!((audit.accepted, audit.arrived, audit.held), (1_000, 230, 0));
        assert_eq!(audit.dropped, BTreeMap::from([("not_sampled", 760), ("send_failed", 10)]));
    }

    /// Somebody else's 50 spans, of which 5 arrived, are shown apart and do not disturb.
    #[test]
    fn guests_are_told_apart() {
        let mut books = books();
        books.sums.foreign = 5;
        books.backend_spans += 5;
        for line in &mut books.lines {
            line.taken += if is_receiver(line) { 50 } else { 0 };
        }
        books.lines[0].handed_on += 50;
        books.lines[1] = line("processor:tail_sampling@traces", 1_050, 245, &[("not_sampled", 805)], 0);
        books.lines[2] = line("exporter:otlp_grpc/tempo", 245, 235, &[("send_failed", 10)], 0);
        let audit = audit(&books);
        assert_eq!(audit.faults, [""; 0]);
        assert_eq!((audit.foreign_accepted, audit.foreign_arrived), (50, 5));
    }

    /// Each way in which spans can be lost or doubled is found, whoever's count is the only one that shows it.
    #[test]
    fn every_disagreement_is_found() {
        let find = |spoil: &dyn Fn(&mut Books), text: &str| {
            let mut books = books();
            spoil(&mut books);
            let faults = audit(&books).faults;
            assert!(faults.iter().any(|fault| fault.contains(text)), "{text}: {faults:?}");
        };
        // One span vanished on the way to the backend although the exporter saw it acknowledged.
        find(&|books| (books.sums.arrived, books.sums.missing) = (229, 771), "arrived + dropped + held");
        find(&|books| (books.sums.arrived, books.sums.missing) = (229, 771), "by span id");
        // One vanished, and a foreign id came instead: the sums agree, the ids do not.
        find(
            &|books| books.sums = Sums { arrived: 229, missing: 771, foreign: 1, ..books.sums },
            "not arrived by span id",
        );
        find(&|books| books.sums.duplicates = 1, "arrived again");
        find(&|books| books.sums.unasked = 1, "without being accepted");
        find(&|books| books.backend_spans = 231, "counted and by span id");
        find(&|books| books.generator_accepted = 1_001, "by the generator and by the collector");
        find(&|books| books.sums.accepted = 999, "by the generator's count and by span id");
        find(&|books| books.lines[1].held = 1, "processor:tail_sampling@traces is off by: -1");
    }
}
