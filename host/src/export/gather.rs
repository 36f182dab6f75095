//! `sending_queue.batch`: merges queued batches until they are worth a request, splits what is too large.
//!
//! One task takes from the queue and fills the line of the consumers, never more than `num_consumers` ahead. What it gathers
//! keeps its room in the queue. A batch waits here for at most `flush_timeout`, and not at all once the shutdown began.

use super::lane::Lane;
use super::outcome::Outcome;
use super::parcel::Parcel;
use super::phase::{Phase, PhaseWatch};
use super::queue::Queue;
use super::settings::{GatherSettings, Sizer};
use crate::pdata::Batch;
use std::sync::Arc;
use std::time::Duration;
use tailrace_otlp::{Bound, merge, split};
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Fills the line of the consumers.
pub(super) struct Gatherer {
    pending: Pending,
    flush_timeout: Duration,
    line: Arc<Lane<Parcel>>,
    /// One permit per consumer that is not busy.
    slots: Arc<Semaphore>,
}

impl Gatherer {
    pub(super) fn new(
        settings: &GatherSettings,
        sizer: Sizer,
        consumers: usize,
        line: Arc<Lane<Parcel>>,
        outcome: Arc<Outcome>,
    ) -> Self {
        Self {
            pending: Pending::new(settings, sizer, outcome),
            flush_timeout: settings.flush_timeout.0,
            line,
            slots: Arc::new(Semaphore::new(consumers)),
        }
    }

    /// Runs until the queue is closed and empty, or the shutdown is over; what is pending then accounts for itself.
    pub(super) async fn run(mut self, queue: Arc<Queue>, mut phase: PhaseWatch) {
        tokio::select! {
            biased;
            () = phase.reached(Phase::Over) => {}
            () = self.gather(&queue) => {}
        }
        self.line.close();
    }

    async fn gather(&mut self, queue: &Queue) {
        loop {
            let flush_at = self.pending.since.map(|since| since + self.flush_timeout);
            let ready = tokio::select! {
                biased;
                () = at(flush_at) => self.pending.flush(),
                parcel = queue.take() => match parcel {
                    Some(parcel) => self.pending.add(parcel),
                    None => break,
                },
            };
            self.hand_on(ready).await;
        }
        let rest = self.pending.flush();
        self.hand_on(rest).await;
    }

    async fn hand_on(&self, ready: Vec<Parcel>) {
        for mut parcel in ready {
            // Neither is ever closed before this task ends.
            if let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await {
                parcel.occupy(slot);
            }
            let _ = self.line.push(parcel);
        }
    }
}

/// At `instant`, or never.
async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// What has been gathered so far.
struct Pending {
    min_size: usize,
    max_size: usize,
    sizer: Sizer,
    outcome: Arc<Outcome>,
    parcels: Vec<Parcel>,
    size: usize,
    since: Option<Instant>,
}

impl Pending {
    fn new(settings: &GatherSettings, sizer: Sizer, outcome: Arc<Outcome>) -> Self {
        let (min_size, max_size) = (settings.min_size, settings.max_size);
        Self { min_size, max_size, sizer, outcome, parcels: Vec::new(), size: 0, since: None }
    }

    /// Adds a parcel; gives what is ready to go.
    fn add(&mut self, parcel: Parcel) -> Vec<Parcel> {
        self.size += self.sizer.measure(parcel.batch());
        self.parcels.push(parcel);
        self.since.get_or_insert_with(Instant::now);
        let too_large = self.max_size > 0 && self.size > self.max_size;
        if self.size < self.min_size && !too_large {
            return Vec::new();
        }
        let mut ready = self.flush();
        // The last part of a split may be worth no request yet.
        if ready.len() > 1
            && let Some(last) = ready.pop_if(|last| self.sizer.measure(last.batch()) < self.min_size)
        {
            self.size = self.sizer.measure(last.batch());
            self.parcels.push(last);
            self.since = Some(Instant::now());
        }
        ready
    }

    /// Gives everything, merged and split.
    fn flush(&mut self) -> Vec<Parcel> {
        self.since = None;
        self.size = 0;
        let parcels = std::mem::take(&mut self.parcels);
        match reshape(&parcels, self.sizer, self.max_size) {
            Some(batches) => Parcel::reshape(parcels, batches, &self.outcome),
            None => parcels,
        }
    }
}

/// The batches that `parcels` become; `None` when they stay as they are.
fn reshape(parcels: &[Parcel], sizer: Sizer, max_size: usize) -> Option<Vec<Batch>> {
    let items: usize = parcels.iter().map(|parcel| parcel.batch().items()).sum();
    let merged = match parcels {
        [] => return None,
        [only] => only.batch().clone(),
        [first, ..] => {
            let parts = parcels.iter().map(|parcel| (&**parcel.batch().data(), &**parcel.batch().index()));
            // More than 4 GiB cannot be one batch.
            let (data, index) = merge(parts).ok()?;
            Batch::from_parts(first.batch().signal(), data, index)
        }
    };
    if max_size == 0 || sizer.measure(&merged) <= max_size {
        return (parcels.len() > 1).then(|| vec![merged]);
    }
    let bound = match sizer {
        Sizer::Bytes => Bound::Bytes(max_size),
        Sizer::Items | Sizer::Requests => Bound::Items(max_size),
    };
    let parts = split(merged.signal(), merged.data(), merged.index(), bound);
    let parts: Vec<Batch> = parts.map(|(data, index)| Batch::from_parts(merged.signal(), data, index)).collect();
    let complete = parts.iter().map(Batch::items).sum::<usize>() == items;
    Some(if complete { parts } else { vec![merged] })
}
