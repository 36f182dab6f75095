//! The `sending_queue` in memory: bounded in units of `sizer` and in bytes.
//!
//! A batch keeps its room while it waits and while it is being sent, so the two bounds also bound what is in flight.
//! Refusing costs two atomic operations and the message. Waiting for room is fair and safe to drop: all or nothing.

use super::lane::Lane;
use super::parcel::Parcel;
use super::settings::{QueueSettings, Sizer};
use crate::component::ConsumeError;
use crate::pdata::Batch;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

/// The largest bound that can be kept.
pub(super) const LARGEST: usize = Semaphore::MAX_PERMITS;

/// Where batches wait to be sent.
#[derive(Debug)]
pub(super) struct Queue {
    lane: Lane<Parcel>,
    sizer: Sizer,
    size: Bound,
    bytes: Bound,
    block_on_overflow: bool,
}

/// A share of the queue; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Room {
    _size: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

impl Queue {
    pub(super) fn new(settings: &QueueSettings) -> Self {
        Self {
            lane: Lane::new(),
            sizer: settings.sizer,
            size: Bound::new("sending_queue.queue_size", settings.queue_size),
            bytes: Bound::new("sending_queue.queue_bytes_max", settings.queue_bytes_max),
            block_on_overflow: settings.block_on_overflow,
        }
    }

    /// Room for `batch`: at once or not at all, unless `block_on_overflow`.
    pub(super) async fn room(&self, batch: &Batch) -> Result<Room, ConsumeError> {
        let size = self.size.share(self.sizer.measure(batch))?;
        let bytes = self.bytes.share(batch.bytes())?;
        if self.block_on_overflow {
            // Always in this order, and what holds bytes never waits: no deadlock.
            let size = self.size.wait(size).await?;
            let bytes = self.bytes.wait(bytes).await?;
            return Ok(Room { _size: size, _bytes: bytes });
        }
        Ok(Room { _size: self.size.take(size)?, _bytes: self.bytes.take(bytes)? })
    }

    /// Appends a parcel that holds room, or gives it back when the queue is closed.
    pub(super) fn push(&self, parcel: Parcel) -> Result<(), Parcel> {
        self.lane.push(parcel)
    }

    /// The next parcel; `None` when the queue is closed and empty.
    pub(super) async fn take(&self) -> Option<Parcel> {
        self.lane.take().await
    }

    /// Refuses everything from now on, also those who wait for room.
    pub(super) fn close(&self) {
        self.size.permits.close();
        self.bytes.permits.close();
        self.lane.close();
    }

    /// Drops what waits; each parcel accounts for itself.
    pub(super) fn clear(&self) {
        drop(self.lane.empty());
    }

    /// A reader of the size, waiting and in flight, in units of `sizer`.
    pub(super) fn size_reader(&self) -> impl Fn() -> f64 + Send + Sync + use<> {
        let (permits, capacity) = (Arc::clone(&self.size.permits), self.size.capacity);
        move || capacity.saturating_sub(permits.available_permits()) as f64
    }
}

/// One of the two limits.
#[derive(Debug)]
struct Bound {
    key: &'static str,
    capacity: usize,
    permits: Arc<Semaphore>,
}

impl Bound {
    fn new(key: &'static str, capacity: usize) -> Self {
        let capacity = capacity.min(LARGEST);
        Self { key, capacity, permits: Arc::new(Semaphore::new(capacity)) }
    }

    /// `amount` as a number of permits, if it can ever fit.
    fn share(&self, amount: usize) -> Result<u32, ConsumeError> {
        match u32::try_from(amount) {
            Ok(share) if amount <= self.capacity => Ok(share),
            _ => Err(ConsumeError::permanent(format!(
                "a batch of size {amount} can never fit into {} {}",
                self.key, self.capacity
            ))),
        }
    }

    fn take(&self, share: u32) -> Result<OwnedSemaphorePermit, ConsumeError> {
        Arc::clone(&self.permits).try_acquire_many_owned(share).map_err(|error| match error {
            TryAcquireError::NoPermits => ConsumeError::retryable("sending queue is full"),
            TryAcquireError::Closed => shutting_down(),
        })
    }

    async fn wait(&self, share: u32) -> Result<OwnedSemaphorePermit, ConsumeError> {
        Arc::clone(&self.permits).acquire_many_owned(share).await.map_err(|_closed| shutting_down())
    }
}

/// What the caller is told once the exporter takes nothing any more.
pub(super) fn shutting_down() -> ConsumeError {
    ConsumeError::retryable("exporter is shutting down")
}
