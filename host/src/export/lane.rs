//! A first-in-first-out line with many takers, which may sit on different runtimes.
//!
//! It has no bound of its own: whoever pushes must hold room (see [`super::queue`]).

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;

#[derive(Debug)]
pub(super) struct Lane<T> {
    line: Mutex<Line<T>>,
    /// One permit per waiting element.
    waiting: Semaphore,
}

#[derive(Debug)]
struct Line<T> {
    elements: VecDeque<T>,
    closed: bool,
}

impl<T> Lane<T> {
    pub(super) fn new() -> Self {
        let line = Line { elements: VecDeque::new(), closed: false };
        Self { line: Mutex::new(line), waiting: Semaphore::new(0) }
    }

    fn line(&self) -> MutexGuard<'_, Line<T>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends `element`, or gives it back when the lane is closed.
    pub(super) fn push(&self, element: T) -> Result<(), T> {
        let mut line = self.line();
        if line.closed {
            return Err(element);
        }
        line.elements.push_back(element);
        drop(line);
        self.waiting.add_permits(1);
        Ok(())
    }

    /// The next element; `None` when the lane is closed and empty. Safe to drop: an element is taken with the answer.
    pub(super) async fn take(&self) -> Option<T> {
        // A closed lane gives no permits; what is left in it is taken without.
        if let Ok(permit) = self.waiting.acquire().await {
            permit.forget();
        }
        self.line().elements.pop_front()
    }

    /// Takes nothing any more. What is there can still be taken.
    pub(super) fn close(&self) {
        self.line().closed = true;
        self.waiting.close();
    }

    /// Takes out everything at once.
    pub(super) fn empty(&self) -> VecDeque<T> {
        std::mem::take(&mut self.line().elements)
    }
}
