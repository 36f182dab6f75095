//! One call into a guest: the time that it has, and what came of it.
//!
//! A call has a time to compute, in which what others do meanwhile does not count, and a longer one for all naps that it takes.

use super::error::{Failure, Incident};
use super::guest::{Guest, Signs, TimedOut};
use super::imports::TooMuch;
use super::limits::{INSTANCES_MAX, Limits, MEMORIES_MAX, TABLES_MAX};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::error::Elapsed;
use tokio::time::{Instant as Clock, timeout_at};
use wasmtime::{Store, Trap};

/// A call that waits (sleeps) instead of computing is cut off after this many times its limit.
const WAITING_FACTOR: u32 = 10;
/// The same for what happens once per instance: nothing sleeps for good reasons there.
const START_WAITING_FACTOR: u32 = 2;
/// In which part of its time a call must get on to be waited for again.
const PROGRESS: u32 = 50;

/// The time of a call.
#[derive(Clone, Copy)]
pub(super) struct Budget {
    computing: Duration,
    /// With all that it waits, for its turn or because it sleeps.
    in_all: Duration,
}

impl Budget {
    pub(super) fn of_the_start(limits: &Limits) -> Self {
        Self { computing: limits.start_timeout, in_all: limits.start_timeout.saturating_mul(START_WAITING_FACTOR) }
    }

    pub(super) fn of_a_call(limits: &Limits) -> Self {
        Self { computing: limits.timeout, in_all: limits.timeout.saturating_mul(WAITING_FACTOR) }
    }
}

/// Makes a call, a future over `$store`, within a budget. No function, since the future borrows the store that is looked at
/// before and after.
macro_rules! within {
    ($budget:expr, $store:expr, $program:expr, $call:expr) => {{
        let budget: $crate::plugin::call::Budget = $budget;
        let signs = $crate::plugin::call::begin($store, budget);
        let ticking = $program.engine.ticking();
        let made = $crate::plugin::call::while_it_works(budget, &signs, $call).await;
        drop(ticking);
        $crate::plugin::call::outcome(made, $store, budget)
    }};
}
pub(super) use within;

/// Gives what can be told of it while it runs.
pub(super) fn begin(store: &mut Store<Guest>, budget: Budget) -> Arc<Signs> {
    let guest = store.data_mut();
    guest.clock.begin(budget.computing);
    guest.words.take();
    // What an earlier call wanted and lived without does not explain an accident of this one.
    guest.memory.take_refused();
    let signs = guest.clock.signs();
    store.set_epoch_deadline(1);
    signs
}

/// Waits for a call, but not for one that waits itself.
///
/// A call that sleeps may do so for [`Budget::in_all`], all naps together. On a busy machine a call waits for a processor,
/// which is not its fault: as long as it uses up its time in parts of at least [`PROGRESS`] it may go on.
pub(super) async fn while_it_works<T>(
    budget: Budget,
    signs: &Signs,
    call: impl Future<Output = T>,
) -> Result<T, Elapsed> {
    let mut call = pin!(call);
    let (mut asleep, mut asleep_since) = (Duration::ZERO, None);
    let (mut computed, mut look) = (Duration::ZERO, Clock::now() + budget.in_all);
    loop {
        let enough = Clock::now() + budget.in_all.saturating_sub(asleep);
        let watched = poll_fn(|context| {
            asleep += asleep_since.take().map_or(Duration::ZERO, |since: Clock| since.elapsed());
            let polled = call.as_mut().poll(context);
            asleep_since = (polled.is_pending() && !signs.gives_way()).then(Clock::now);
            polled
        });
        match timeout_at(look.min(enough), watched).await {
            Ok(made) => return Ok(made),
            Err(elapsed) => {
                let now = Clock::now();
                if asleep + asleep_since.map_or(Duration::ZERO, |since| now - since) >= budget.in_all {
                    return Err(elapsed);
                }
                if now >= look {
                    let used = signs.used();
                    if used.saturating_sub(computed) < budget.computing / PROGRESS {
                        return Err(elapsed);
                    }
                    (computed, look) = (used, now + budget.in_all);
                }
            }
        }
    }
}

/// Sorts what came of a call into values and accidents.
pub(super) fn outcome<T>(
    made: Result<wasmtime::Result<T>, Elapsed>,
    store: &mut Store<Guest>,
    budget: Budget,
) -> Result<T, Failure> {
    store.data_mut().clock.end();
    let error = match made {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => error,
        Err(_) => {
            let message = format!("it waited for longer than {:?}", budget.in_all);
            return Err(Failure::new(Incident::Timeout, message));
        }
    };
    tracing::debug!("a plugin call failed: {error:?}");
    let guest = store.data_mut();
    let words = match guest.words.take() {
        words if words.is_empty() => words,
        words => format!("; it last said: {words}"),
    };
    if let Some(timed_out) = error.downcast_ref::<TimedOut>() {
        return Err(Failure::new(Incident::Timeout, format!("{timed_out}{words}")));
    }
    if let Some(wanted) = guest.memory.take_refused() {
        let message =
            format!("it wanted {} MiB of memory, more than memory_mib allows{words}", wanted.div_ceil(1 << 20));
        return Err(Failure::new(Incident::Memory, message));
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return Err(Failure::new(Incident::Trap, format!("it trapped: {trap}{words}")));
    }
    if let Some(too_much) = error.downcast_ref::<TooMuch>() {
        return Err(Failure::new(Incident::Output, format!("{too_much}{words}")));
    }
    let root = error.root_cause().to_string();
    if let Some(limit) = engine_limit(&root) {
        return Err(Failure::new(Incident::Trap, format!("{limit}{words}")));
    }
    if root.contains("fuel allocated for hostcalls") {
        let message = format!("it handed back more than output_mib allows{words}");
        return Err(Failure::new(Incident::Output, message));
    }
    Err(Failure::new(Incident::Trap, format!("it trapped: {root}{words}")))
}

/// The engine's words for a limit of ours, as a sentence that names it.
fn engine_limit(words: &str) -> Option<String> {
    if words.contains("resource table has no free keys") {
        return Some("it has more streams and timers open than a plugin may have: close some".to_owned());
    }
    if words.contains("store handle limit exceeded") {
        return Some("it has more resources of its own than a plugin may have: drop some".to_owned());
    }
    let which = words.strip_prefix("resource limit exceeded: ")?;
    let most = format!("{MEMORIES_MAX} memories, {TABLES_MAX} tables and {INSTANCES_MAX} instances");
    Some(format!("it is made of more parts than a plugin may be, {most}: {which}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A call that waits is given up after its time; one that gets on, slowly, is not.
    #[tokio::test(start_paused = true)]
    async fn waiting_ends_and_working_goes_on() {
        let budget = Budget { computing: Duration::from_millis(100), in_all: Duration::from_secs(1) };
        let start = Clock::now();
        assert!(while_it_works(budget, &Signs::default(), std::future::pending::<()>()).await.is_err());
        assert_eq!(start.elapsed(), Duration::from_secs(1));
        // For a processor, and for a clock.
        for (step_ms, gives_way, millis) in [(2, true, 20_000), (1, true, 2_000), (2, false, 1_000), (50, false, 1_000)]
        {
            let signs = Signs::default();
            let works = async {
                for _ in 0..20 {
                    signs.add(Duration::from_millis(step_ms));
                    let others = tokio::time::sleep(Duration::from_secs(1));
                    if gives_way {
                        signs.give_way(others).await;
                    } else {
                        others.await;
                    }
                }
            };
            let start = Clock::now();
            let ended = while_it_works(budget, &signs, works).await;
            let expected = (millis, millis == 20_000);
            assert_eq!((start.elapsed().as_millis(), ended.is_ok()), expected, "{step_ms} ms a second, {gives_way}");
        }
    }

    /// Naps are added up, however short each of them is; what is waited for a processor in between is no nap.
    #[tokio::test(start_paused = true)]
    async fn naps_are_added_up() {
        let budget = Budget { computing: Duration::from_millis(100), in_all: Duration::from_secs(1) };
        let signs = Signs::default();
        let naps = async {
            loop {
                signs.add(Duration::from_millis(4));
                signs.give_way(tokio::time::sleep(Duration::from_millis(300))).await;
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        };
        let start = Clock::now();
        assert!(while_it_works(budget, &signs, naps).await.is_err());
        // The last nap is the fourth, of which there are 100 ms left.
        assert_eq!(start.elapsed(), Duration::from_millis(3 * 600 + 300 + 100));
    }
}
