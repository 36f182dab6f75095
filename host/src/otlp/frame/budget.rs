//! A budget of bytes that many requests share.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How long a request waits for room before it is refused.
///
/// Waiting is the backpressure: the sender's window fills. It must end, since requests that are half read hold room
/// while they wait for more, and unread ones can fill the window that those need.
const WAIT: Duration = Duration::from_secs(1);

/// Bytes of requests that may be in memory at once. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Budget {
    room: Arc<Semaphore>,
    total: usize,
}

/// There was no room within a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

impl Budget {
    /// A budget of `total` bytes (at most 4 GiB, more is as good as that).
    pub fn new(total: usize) -> Self {
        let total = total.min(u32::MAX as usize).min(Semaphore::MAX_PERMITS);
        Self { room: Arc::new(Semaphore::new(total)), total }
    }

    /// What is left of it, in bytes.
    pub fn left(&self) -> usize {
        self.room.available_permits()
    }

    /// A charge of nothing yet.
    pub fn charge(&self) -> Charge {
        Charge { budget: self.clone(), permit: None }
    }
}

/// Bytes taken from a budget; given back when this is dropped.
#[derive(Debug)]
pub struct Charge {
    budget: Budget,
    permit: Option<OwnedSemaphorePermit>,
}

impl Charge {
    /// How much is taken, in bytes.
    pub fn bytes(&self) -> usize {
        self.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }

    /// Takes more, until it is `bytes` in all, waiting for room if need be. One that wants more than there is in all gets
    /// it when it is alone.
    ///
    /// # Errors
    /// When there was no room in time; what was taken before stays taken.
    pub async fn grow_to(&mut self, bytes: usize) -> Result<(), NoRoom> {
        let more = bytes.min(self.budget.total).saturating_sub(self.bytes());
        if more == 0 {
            return Ok(());
        }
        let more = u32::try_from(more).map_err(|_| NoRoom)?;
        let permit = match self.budget.room.clone().try_acquire_many_owned(more) {
            Ok(permit) => permit,
            Err(_) => {
                let wait = timeout(WAIT, self.budget.room.clone().acquire_many_owned(more));
                wait.await.map_err(|_| NoRoom)?.map_err(|_| NoRoom)?
            }
        };
        match &mut self.permit {
            Some(taken) => taken.merge(permit),
            None => self.permit = Some(permit),
        }
        Ok(())
    }

    /// Gives back what is taken beyond `bytes`.
    pub fn shrink_to(&mut self, bytes: usize) {
        let surplus = self.bytes().saturating_sub(bytes);
        if let Some(permit) = &mut self.permit {
            drop(permit.split(surplus));
        }
    }
}
