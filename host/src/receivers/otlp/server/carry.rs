//! A connection's life: when it may go on, when it is asked to end, when it is cut.

use super::Life;
use hyper_util::server::graceful::GracefulConnection;
use std::future::pending;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How long a connection may live and for what.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lifetimes {
    /// Until its first request begins.
    pub(super) first_request: Option<Duration>,
    /// Without a request.
    pub(super) idle: Option<Duration>,
    /// In all.
    pub(super) age: Option<Duration>,
    /// For its requests to finish, once it was asked to end for its age.
    pub(super) age_grace: Option<Duration>,
}

/// Requests of a connection. Cloning shares it.
#[derive(Clone, Debug)]
pub(super) struct Activity(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    begun: AtomicUsize,
    active: AtomicUsize,
    /// When the last one ended.
    quiet_since: Mutex<Instant>,
}

/// A request that lasts until this is dropped.
pub(super) struct Active(Activity);

impl Activity {
    pub(super) fn new() -> Self {
        let (begun, active) = Default::default();
        Self(Arc::new(Inner { begun, active, quiet_since: Mutex::new(Instant::now()) }))
    }

    pub(super) fn begin(&self) -> Active {
        self.0.begun.fetch_add(1, Relaxed);
        self.0.active.fetch_add(1, Relaxed);
        Active(self.clone())
    }

    fn has_begun(&self) -> bool {
        self.0.begun.load(Relaxed) > 0
    }

    /// Since when there is no request; now if there is one.
    fn quiet_since(&self) -> Instant {
        if self.0.active.load(Relaxed) > 0 {
            return Instant::now();
        }
        *self.0.quiet_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        if self.0.0.active.fetch_sub(1, Relaxed) == 1 {
            *self.0.0.quiet_since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
    }
}

/// Drives `connection` to its end.
pub(super) async fn drive<C: GracefulConnection>(
    connection: C,
    lifetimes: Lifetimes,
    activity: &Activity,
    life: &Life,
) {
    let start = Instant::now();
    let mut connection = pin!(connection);
    let mut draining = pin!(life.draining());
    let mut forced = pin!(life.forced());
    let mut age = pin!(at(lifetimes.age.map(|age| start + age)));
    let mut first = pin!(at(lifetimes.first_request.map(|wait| start + wait)));
    let mut idle_at = lifetimes.idle.map(|idle| start + idle);
    let mut cut_at = None;
    // Asked to end: GOAWAY, or no further request. It ends by itself then.
    let mut ending = false;
    loop {
        tokio::select! {
            biased;
            // An error is the peer's doing (a reset, rubbish instead of HTTP): nothing to do and nobody to tell.
            _ = connection.as_mut() => return,
            () = &mut forced => return,
            () = at(cut_at) => return,
            () = &mut draining, if !ending => ending = true,
            () = &mut age, if !ending => {
                ending = true;
                cut_at = lifetimes.age_grace.map(|grace| Instant::now() + grace);
            }
            () = &mut first, if !ending && !activity.has_begun() => return,
            () = at(idle_at), if !ending => {
                idle_at = lifetimes.idle.map(|idle| activity.quiet_since() + idle);
                if idle_at.is_some_and(|idle_at| idle_at > Instant::now()) {
                    continue;
                }
                ending = true;
            }
        }
        if ending {
            connection.as_mut().graceful_shutdown();
        }
    }
}

/// Until `instant`; for ever without one.
async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => pending().await,
    }
}
