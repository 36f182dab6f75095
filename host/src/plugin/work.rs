//! A batch through a plugin: prefilter, call, and a check of everything that comes back.

use super::bindings::{processor, sampler, types};
use super::contract::Kind;
use super::error::{Failure, Incident, RunError};
use super::generation::Generation;
use super::metrics::PluginMetrics;
use super::options::Outcome;
use super::pool::Lease;
use crate::pdata::{Batch, Limits as Validation, Signal};
use bytes::Bytes;
use std::time::Instant;
use tailrace_columns::{Columns, Decision, Edits, Limits as EditLimits, Traces, project, splice};

/// Longest text of a guest that goes into a message.
const MESSAGE_BYTES: usize = 1024;

/// Whether the plugin is not called for this batch; that is counted.
pub(super) fn skips(generation: &Generation, metrics: &PluginMetrics, batch: &Batch) -> bool {
    let start = Instant::now();
    let skips =
        batch.is_empty() || !generation.interest.wants(batch.signal()) || !generation.interest.may_matter(batch);
    if skips {
        skipped(metrics, start);
    }
    skips
}

/// Runs `batch` through this version of the plugin.
pub(super) async fn run(generation: &Generation, metrics: &PluginMetrics, batch: &Batch) -> Result<Outcome, RunError> {
    let start = Instant::now();
    let ran = match generation.kind {
        Kind::Attributes => match attributes(generation, metrics, batch).await.transpose() {
            Some(ran) => ran,
            None => {
                skipped(metrics, start);
                return Ok(Outcome::Unchanged);
            }
        },
        Kind::Processor => process(generation, metrics, batch).await,
        Kind::Sampler => Err(Failure::new(Incident::Start, "a sampler takes no batches").into()),
    };
    account(metrics, start, batch.items(), &ran);
    metrics.items_out.add(match &ran {
        Ok(Outcome::Unchanged) => batch.items() as u64,
        Ok(Outcome::Replaced(new)) => new.items() as u64,
        Ok(Outcome::Dropped { .. }) | Err(_) => 0,
    });
    ran
}

/// Asks a sampler about traces.
pub(super) async fn decide(
    generation: &Generation,
    metrics: &PluginMetrics,
    traces: &Traces,
) -> Result<Vec<Decision>, RunError> {
    let start = Instant::now();
    let ran = sample(generation, metrics, traces).await;
    let spans = traces.span_counts.iter().map(|count| *count as usize).sum();
    account(metrics, start, spans, &ran);
    ran
}

/// Counts a batch in which the plugin found nothing, though it was looked at.
pub(super) fn skipped(metrics: &PluginMetrics, start: Instant) {
    metrics.skipped.add(1);
    metrics.nanos.add(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX));
}

/// Counts a call.
pub(super) fn account<T>(metrics: &PluginMetrics, start: Instant, items: usize, ran: &Result<T, RunError>) {
    let nanos = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
    metrics.nanos.add(nanos);
    metrics.items.add(items as u64);
    match ran {
        Err(RunError::Accident(failure)) => {
            if let Some(counter) = metrics.failures(failure.incident) {
                counter.add(1);
            }
        }
        Err(RunError::Retryable(_) | RunError::Permanent(_)) => metrics.refusals.add(1),
        Ok(_) => metrics.call_time.record(nanos),
    }
}

/// `None` if there is nothing in the batch for the plugin to see.
async fn attributes(
    generation: &Generation,
    metrics: &PluginMetrics,
    batch: &Batch,
) -> Result<Option<Outcome>, RunError> {
    let interest = &generation.interest;
    let projection = project(batch.signal(), batch.data(), batch.index(), interest.wanted());
    if projection.columns.is_empty() && !interest.always {
        return Ok(None);
    }
    let (lease, edits) = ask(generation, metrics, batch.signal(), &projection.columns).await?;
    let limits = edit_limits(generation);
    let spliced = match splice(batch.signal(), batch.data(), batch.index(), &projection, edits, &limits) {
        Ok(spliced) => spliced,
        Err(bad) => return accident(lease, Failure::new(Incident::Malformed, bad)),
    };
    lease.done();
    metrics.values_set.add(spliced.set as u64);
    metrics.values_removed.add(spliced.removed as u64);
    metrics.items_dropped.add(spliced.dropped as u64);
    Ok(Some(match spliced.request {
        None => Outcome::Unchanged,
        Some((_, index)) if index.is_empty() => Outcome::Dropped { reason: None },
        Some((data, index)) => Outcome::Replaced(Batch::from_parts(batch.signal(), data, index)),
    }))
}

/// Calls an `attributes` plugin; its answer is not checked yet.
pub(super) async fn ask<'a>(
    generation: &'a Generation,
    metrics: &PluginMetrics,
    signal: Signal,
    columns: &Columns,
) -> Result<(Lease<'a>, Edits), RunError> {
    let mut lease = generation.pool.take().await?;
    metrics.calls.add(1);
    match lease.instance()?.apply(signal, columns).await {
        Ok(Ok(edits)) => Ok((lease, edits)),
        Ok(Err(no)) => refused(lease, no),
        Err(failure) => accident(lease, failure),
    }
}

/// What the edits of one call may hold.
pub(super) fn edit_limits(generation: &Generation) -> EditLimits {
    let output = generation.limits.output_bytes;
    EditLimits { value_bytes: output, data_bytes: output }
}

async fn process(generation: &Generation, metrics: &PluginMetrics, batch: &Batch) -> Result<Outcome, RunError> {
    let mut lease = generation.pool.take().await?;
    metrics.calls.add(1);
    let outcome = match lease.instance()?.process(batch.signal(), batch.data()).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(no)) => return refused(lease, no),
        Err(failure) => return accident(lease, failure),
    };
    let replaced = match outcome {
        processor::Outcome::Unchanged => {
            lease.done();
            return Ok(Outcome::Unchanged);
        }
        processor::Outcome::Drop(reason) => {
            lease.done();
            metrics.items_dropped.add(batch.items() as u64);
            return Ok(Outcome::Dropped {
                reason: Some(super::log::one_line(super::log::cut(&reason, 100)).into_owned()),
            });
        }
        processor::Outcome::Replaced(bytes) => bytes,
    };
    match check(generation, batch, replaced) {
        Ok(new) => {
            lease.done();
            metrics.items_dropped.add((batch.items() - new.items()) as u64);
            Ok(if new.is_empty() { Outcome::Dropped { reason: None } } else { Outcome::Replaced(new) })
        }
        Err(failure) => accident(lease, failure),
    }
}

async fn sample(generation: &Generation, metrics: &PluginMetrics, traces: &Traces) -> Result<Vec<Decision>, RunError> {
    let mut lease = generation.pool.take().await?;
    metrics.calls.add(1);
    let decisions = match lease.instance()?.sample(traces).await {
        Ok(Ok(decisions)) => decisions,
        Ok(Err(no)) => return refused(lease, no),
        Err(failure) => return accident(lease, failure),
    };
    if decisions.len() != traces.len() {
        let (given, asked) = (decisions.len(), traces.len());
        let message = format!("it decided about {given} traces, but was asked about {asked}");
        return accident(lease, Failure::new(Incident::Malformed, message));
    }
    lease.done();
    let decision = |decision| match decision {
        sampler::Decision::Sample(threshold) => Decision::Sample(threshold),
        sampler::Decision::NotSampled => Decision::NotSampled,
        sampler::Decision::Drop => Decision::Drop,
        sampler::Decision::Undecided => Decision::Undecided,
    };
    Ok(decisions.into_iter().map(decision).collect())
}

/// What a guest hands back is checked as if it had come from outside.
fn check(generation: &Generation, batch: &Batch, bytes: Vec<u8>) -> Result<Batch, Failure> {
    if bytes.len() > generation.limits.output_bytes {
        let message = format!("it handed back {} bytes, more than output_mib allows", bytes.len());
        return Err(Failure::new(Incident::Output, message));
    }
    // Two bytes are an empty scope, and more than thirty in the index. Each item may have a resource, scope and metric of its own.
    let limits = Validation { entries: batch.index().entries().max(4 * batch.items()), ..Validation::default() };
    let new = Batch::validate(batch.signal(), Bytes::from(bytes), &limits)
        .map_err(|error| Failure::new(Incident::Malformed, format!("it handed back malformed OTLP: {error}")))?;
    if new.items() > batch.items() {
        let message = format!("it handed back {} items for {}; a plugin cannot add items", new.items(), batch.items());
        return Err(Failure::new(Incident::Malformed, message));
    }
    Ok(new)
}

fn refused<T>(lease: Lease<'_>, no: types::Failure) -> Result<T, RunError> {
    lease.done();
    let cut = |message: String| super::log::one_line(super::log::cut(&message, MESSAGE_BYTES)).into_owned();
    Err(match no {
        types::Failure::Retryable(message) => RunError::Retryable(cut(message)),
        types::Failure::Permanent(message) => RunError::Permanent(cut(message)),
    })
}

pub(super) fn accident<T>(lease: Lease<'_>, failure: Failure) -> Result<T, RunError> {
    lease.accident();
    Err(failure.into())
}
