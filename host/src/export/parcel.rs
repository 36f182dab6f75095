//! A batch on its way out, with everything it owes: its room in the queue, its line in the ledger, an answer.
//!
//! A parcel settles its debts exactly once: with the result of sending it, or, wherever it is dropped before that (the
//! deadline passed, a task panicked), as lost. So no path through this module can lose items silently.

use super::outcome::Outcome;
use super::phase::PhaseWatch;
use super::queue::{Room, shutting_down};
use super::retry::{GaveUp, Retrying};
use super::sender::{Sender, Sent};
use crate::pdata::Batch;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// What became of a parcel.
pub(super) type Delivery = Result<Sent, GaveUp>;

/// A batch, its room and its owner.
#[derive(Debug)]
pub(super) struct Parcel {
    batch: Batch,
    /// Items we answer for: those of the batch while they are ours and unsettled.
    owed: usize,
    rooms: Vec<Arc<Room>>,
    /// One of the places of `num_consumers`, if those are not simply the tasks.
    slot: Option<OwnedSemaphorePermit>,
    /// Who waits for the result; `None` when the items are ours.
    caller: Option<oneshot::Sender<Delivery>>,
    outcome: Arc<Outcome>,
}

impl Parcel {
    /// Takes responsibility for `batch`.
    pub(super) fn ours(batch: Batch, room: Room, outcome: Arc<Outcome>) -> Self {
        outcome.account().held().add(batch.items() as i64);
        Self { owed: batch.items(), batch, rooms: vec![Arc::new(room)], slot: None, caller: None, outcome }
    }

    /// Carries `batch` for somebody who waits and accounts for it.
    pub(super) fn for_caller(batch: Batch, room: Room, outcome: Arc<Outcome>) -> (Self, oneshot::Receiver<Delivery>) {
        let (caller, delivery) = oneshot::channel();
        let rooms = vec![Arc::new(room)];
        (Self { owed: 0, batch, rooms, slot: None, caller: Some(caller), outcome }, delivery)
    }

    /// Makes `batches`, which hold together just the items of `parcels`, the new form of those.
    pub(super) fn reshape(parcels: Vec<Self>, batches: Vec<Batch>, outcome: &Arc<Outcome>) -> Vec<Self> {
        let rooms: Vec<Arc<Room>> = parcels.iter().flat_map(|parcel| parcel.rooms.iter().cloned()).collect();
        let reshaped = batches.into_iter().map(|batch| Self {
            owed: batch.items(),
            batch,
            rooms: rooms.clone(),
            slot: None,
            caller: None,
            outcome: Arc::clone(outcome),
        });
        let reshaped: Vec<Self> = reshaped.collect();
        // Not `unburden`: the items are still held, only by others.
        parcels.into_iter().for_each(|mut parcel| parcel.owed = 0);
        reshaped
    }

    pub(super) fn batch(&self) -> &Batch {
        &self.batch
    }

    pub(super) fn occupy(&mut self, slot: OwnedSemaphorePermit) {
        self.slot = Some(slot);
    }

    /// Gives up responsibility: the caller keeps the batch.
    pub(super) fn hand_back(mut self) {
        self.unburden();
    }

    /// Sends it, with all retries, and settles. A caller who went away ends it: nobody has taken the items.
    pub(super) async fn deliver<S: Sender>(mut self, via: &Retrying<S>, phase: &mut PhaseWatch) {
        let batch = self.batch.clone();
        let Some(mut caller) = self.caller.take() else {
            let delivery = via.send(&batch, phase).await;
            return self.settle(&delivery);
        };
        let delivery = tokio::select! {
            biased;
            () = caller.closed() => return,
            delivery = via.send(&batch, phase) => delivery,
        };
        // The room is free before the caller hears of it: it may come again at once.
        drop(self);
        // An error means that the caller has just gone away.
        let _ = caller.send(delivery);
    }

    fn settle(mut self, delivery: &Delivery) {
        let items = self.unburden();
        match delivery {
            Ok(sent) => self.outcome.sent(items, sent),
            Err(failure) => self.outcome.lost(items, failure),
        }
    }

    fn unburden(&mut self) -> usize {
        let items = std::mem::take(&mut self.owed);
        self.outcome.account().held().add(-(items as i64));
        items
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        let items = self.unburden();
        if items > 0 {
            let reason = if std::thread::panicking() { "panic" } else { "shutdown" };
            self.outcome.lost(items, &GaveUp { error: shutting_down(), reason });
        }
    }
}
