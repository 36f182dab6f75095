//! `sampling_strategy: span-ingest`: policies vote on spans as they arrive.
//!
//! They see what arrived together, the spans of one trace and one resource in one request, and of the whole trace only how
//! many spans and bytes it has. A vote to keep or to drop is final: the trace leaves at once, with what had been stored of
//! it, and so do the spans that follow. Everything else is stored; when it is due nobody is asked again, and it is not kept.

use super::decide::{Ended, shadow_votes, votes};
use super::{Bounds, Shard};
use crate::processors::tail_sampling::intake::{Run, Runs};
use crate::processors::tail_sampling::policy::{Facts, Trace};
use crate::telemetry::decisions::Because;
use hashbrown::HashTable;

impl Shard {
    /// Takes the runs of these numbers.
    pub(super) fn ingest(&mut self, runs: &Runs<'_>, numbers: &[u32], bounds: Bounds, now_ms: u64) {
        let mut asked = 0;
        for piece in pieces(runs, numbers).chunk_by(|a, b| a.piece == b.piece) {
            // The first is timed for all of them.
            if self.ingest_piece(runs, piece, bounds, now_ms, asked == 0) {
                asked += 1;
            }
        }
        self.tally.extrapolate(asked);
    }

    /// Takes one piece. Returns whether policies voted on it.
    fn ingest_piece(
        &mut self,
        runs: &Runs<'_>,
        piece: &[OfPiece<'_>],
        bounds: Bounds,
        now_ms: u64,
        timed: bool,
    ) -> bool {
        let Some(first) = piece.first().map(|of| of.run) else { return false };
        let Some(id) = first.id else {
            self.decide_stray(runs, first, &[], now_ms);
            return false;
        };
        let number = match self.entry(first, id, bounds, now_ms) {
            Ok(number) => number,
            Err(past) => {
                piece.iter().for_each(|of| self.follow(runs, of.run, id, past, now_ms));
                return false;
            }
        };
        let Some(mut total) = self.known(number).map(|entry| entry.facts) else { return false };
        let mut facts = Facts::default();
        piece.iter().for_each(|of| facts.fold(&runs.facts_for(of.run, &self.rules.policies)));
        total.fold(&facts);
        if total.bytes > self.rules.trace_bytes_max {
            self.drop_too_large(first.hash, number, total, now_ms);
            return false;
        }
        let facts = Facts { spans: total.spans, bytes: total.bytes, ..facts };
        let trace = Trace { shard: self.number, ..Trace::new(&id, &facts, now_ms) };
        let Self { rules, tally, ballot, .. } = self;
        ballot.clear();
        tally.about(&facts);
        let Some(decision) = rules.policies.decide_on_ingest(&trace, votes(tally, ballot, timed)) else {
            piece.iter().for_each(|of| self.append_run(runs, of.run, id, bounds, now_ms));
            return true;
        };
        self.table.renew_facts(number, &total, rules.policies.generation());
        // The shadow policies vote on all that has arrived, as if the trace were complete.
        let trace = Trace { facts: &total, ..trace };
        let shadow = shadow_votes(&rules.policies, &trace, decision, tally, ballot);
        let label = self.label(decision);
        self.finish(number, first.hash, Ended { decision, shadow, because: Because::Ingest }, now_ms);
        if decision.outcome.keeps() {
            piece.iter().for_each(|of| self.leave(runs, of.run, &label));
        }
        true
    }
}

/// A run and the number of the piece that it belongs to.
struct OfPiece<'a> {
    piece: usize,
    run: &'a Run,
}

/// The runs of these numbers, those of one trace and one resource together.
fn pieces<'a>(runs: &'a Runs<'_>, numbers: &[u32]) -> Vec<OfPiece<'a>> {
    let mut out: Vec<OfPiece<'a>> = Vec::with_capacity(numbers.len());
    let mut of_trace: HashTable<(usize, &Run)> = HashTable::new();
    let (mut resource, mut count) = (None, 0);
    for run in numbers.iter().filter_map(|number| runs.get(*number)) {
        if resource != Some(runs.resource(run)) {
            resource = Some(runs.resource(run));
            of_trace.clear();
        }
        let known = of_trace.find(run.hash, |(_, other)| run.id.is_some() && other.id == run.id);
        let piece = known.map_or(count, |(piece, _)| *piece);
        if known.is_none() {
            of_trace.insert_unique(run.hash, (count, run), |(_, run)| run.hash);
            count += 1;
        }
        out.push(OfPiece { piece, run });
    }
    out.sort_by_key(|of| of.piece);
    out
}
