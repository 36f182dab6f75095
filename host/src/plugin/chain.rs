//! A draft through a plugin: one scan of the batch serves it and those behind it, and nothing is written before somebody
//! needs it.
//!
//! The outcome is that of [`super::work`] for one plugin after the other (`tailrace_columns`' `chain` says why). Between two
//! plugins the edits are written only where they must be: something was dropped, a whole-batch plugin comes, or a
//! plugin was swapped since the scan was made. The next scan is then shared by all that are left.
//!
//! The time of a scan counts for the plugin that needed it first, the time of writing for the last plugin of the stage that
//! writes; both serve all.

use super::contract::Kind;
use super::error::{Failure, Incident, RunError};
use super::generation::Generation;
use super::metrics::PluginMetrics;
use super::options::Outcome;
use super::work;
use crate::component::Draft;
use crate::pdata::{Batch, Signal};
use std::sync::Arc;
use std::time::Instant;
use tailrace_columns::{Applied, Edits, Union, View, Wants, project, splice};

/// What a plugin made of a draft.
#[derive(Debug)]
pub(super) enum Step {
    /// It goes on, perhaps with fewer items.
    Goes,
    /// All of it is dropped.
    Dropped {
        /// The plugin's words for it.
        reason: Option<String>,
    },
}

/// What a plugin will do with a batch that has not come to it yet.
pub(super) enum Ahead {
    /// It will look at these values.
    Wants(Arc<Wants>),
    /// Nothing.
    Skips,
    /// It needs the batch written: a scan from before is of no use behind it.
    Stops,
}

/// Looks ahead.
pub(super) fn ahead(generation: &Generation, signal: Signal) -> Ahead {
    match generation.kind {
        _ if !generation.interest.wants(signal) => Ahead::Skips,
        Kind::Attributes => Ahead::Wants(Arc::clone(&generation.interest.wants)),
        Kind::Processor | Kind::Sampler => Ahead::Stops,
    }
}

/// A draft that is ready for a call, or needs none.
pub(super) enum Prepared {
    /// There is nothing to call for.
    Step(Step),
    /// The plugin is to be called.
    Turn(Turn),
}

/// What a plugin is called with.
pub(super) enum Turn {
    /// The batch, once the draft is written.
    Whole,
    /// These rows of it.
    View {
        /// The rows.
        view: Box<View>,
        /// When the plugin's work began: looking for them is a part of it.
        start: Instant,
    },
}

/// Everything before the call: the prefilter, and a scan if there is none that serves. `union` tells what a scan is to look for,
/// given what this version wants.
pub(super) fn prepare(
    generation: &Generation,
    metrics: &PluginMetrics,
    draft: &mut Draft,
    union: impl FnOnce(&Arc<Wants>) -> Arc<Union>,
) -> Result<Prepared, RunError> {
    let goes = Ok(Prepared::Step(Step::Goes));
    if draft.items() == 0 || !generation.interest.wants(draft.signal()) {
        metrics.skipped.add(1);
        return goes;
    }
    if generation.kind != Kind::Attributes {
        return Ok(Prepared::Turn(Turn::Whole));
    }
    let start = Instant::now();
    let wants = &generation.interest.wants;
    let covered = draft.parts().1.is_some_and(|table| table.covers(wants));
    if !covered {
        if !generation.interest.may_matter(settle(draft)?) {
            work::skipped(metrics, start);
            return goes;
        }
        draft.scan(union(wants));
    }
    let Some(view) = draft.parts().1.map(|table| table.view(wants)) else { return goes };
    if view.columns.is_empty() && !generation.interest.always {
        work::skipped(metrics, start);
        return goes;
    }
    Ok(Prepared::Turn(Turn::View { view: Box::new(view), start }))
}

/// The call, and what comes of it. After an error the draft is as it was before.
pub(super) async fn take(
    generation: &Generation,
    metrics: &PluginMetrics,
    draft: &mut Draft,
    turn: Turn,
) -> Result<Step, RunError> {
    let Turn::View { view, start } = turn else {
        let batch = settle(draft)?.clone();
        if work::skips(generation, metrics, &batch) {
            return Ok(Step::Goes);
        }
        return Ok(match work::run(generation, metrics, &batch).await? {
            Outcome::Unchanged => Step::Goes,
            Outcome::Replaced(new) => {
                draft.replace(new);
                Step::Goes
            }
            Outcome::Dropped { reason } => Step::Dropped { reason },
        });
    };
    let items = draft.items();
    let ran = attributes(generation, metrics, draft, &view).await;
    work::account(metrics, start, items, &ran);
    if let Ok(Step::Goes) = ran {
        metrics.items_out.add(draft.items() as u64);
    }
    ran
}

async fn attributes(
    generation: &Generation,
    metrics: &PluginMetrics,
    draft: &mut Draft,
    view: &View,
) -> Result<Step, RunError> {
    let (lease, edits) = work::ask(generation, metrics, draft.signal(), &view.columns).await?;
    match apply(generation, metrics, draft, view, edits) {
        Ok(dropped) => {
            lease.done();
            metrics.items_dropped.add(dropped as u64);
            Ok(if draft.items() == 0 { Step::Dropped { reason: None } } else { Step::Goes })
        }
        Err(failure) => work::accident(lease, failure),
    }
}

/// Checks the edits and puts them into the draft; gives how many items they dropped.
fn apply(
    generation: &Generation,
    metrics: &PluginMetrics,
    draft: &mut Draft,
    view: &View,
    mut edits: Edits,
) -> Result<usize, Failure> {
    let limits = work::edit_limits(generation);
    let malformed = |bad| Failure::new(Incident::Malformed, bad);
    let before = draft.items();
    let (batch, table) = draft.parts();
    let Some(table) = table else { return Ok(0) };
    let (set, removed) = match table.apply(batch.data(), batch.index(), view, &mut edits, &limits).map_err(malformed)? {
        Applied::Done { set, removed, drops: false } => (set, removed),
        Applied::Done { set, removed, drops: true } => {
            settle(draft)?;
            (set, removed)
        }
        Applied::Apart => {
            let batch = settle(draft)?;
            let (signal, data, index) = (batch.signal(), batch.data(), batch.index());
            let projection = project(signal, data, index, generation.interest.wanted());
            debug_assert_eq!(projection.columns, view.columns, "the plugin saw what is there");
            let spliced = splice(signal, data, index, &projection, edits, &limits).map_err(malformed)?;
            if let Some((data, index)) = spliced.request {
                draft.replace(Batch::from_parts(signal, data, index));
            }
            (spliced.set, spliced.removed)
        }
    };
    metrics.values_set.add(set as u64);
    metrics.values_removed.add(removed as u64);
    Ok(before - draft.items())
}

/// Writes the edits so far. They were checked against the length of the result when they were made.
fn settle(draft: &mut Draft) -> Result<&Batch, Failure> {
    draft.settle().map_err(|error| Failure::new(Incident::Malformed, error))
}
