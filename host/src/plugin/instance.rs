//! One instance of a plugin in a store of its own, and calls into it under limits.
//!
//! After an accident the store is unusable (a trap poisons it) and the instance must be dropped; [`super::pool`] sees to
//! that.

use super::bindings::{attributes, lifecycle, processor, sampler, state, types};
use super::error::{Failure, Incident};
use super::guest::{Guest, Shared, Signs, TimedOut};
use super::imports::TooMuch;
use super::interest::to_contract;
use super::limits::{INSTANCES_MAX, Limits, MEMORIES_MAX, TABLES_MAX};
use super::program::Program;
use crate::pdata::Signal;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tailrace_columns::{Additions, Columns, Edits, Traces};
use tokio::time::error::Elapsed;
use tokio::time::{Instant as Clock, timeout_at};
use wasmtime::component::{ComponentNamedList, Lift};
use wasmtime::{Store, Trap};

/// A call that waits (sleeps) instead of computing is cut off after this many times its limit.
const WAITING_FACTOR: u32 = 10;
/// The same for what happens once per instance: nothing sleeps for good reasons there.
const START_WAITING_FACTOR: u32 = 2;
/// In which part of its time a call must get on to be waited for again.
const PROGRESS: u32 = 50;
/// Size of a plugin's JSON Schema. To read one takes a hundred times as much memory, which is the host's.
const SCHEMA_BYTES_MAX: usize = 256 << 10;
/// Room in the output for what is not the output itself: messages, lengths.
const OUTPUT_SLACK: usize = 64 << 10;

/// An instance, ready to be called.
pub(super) struct Instance {
    store: Store<Guest>,
    raw: wasmtime::component::Instance,
    lifecycle: lifecycle::Guest,
    exports: Exports,
    program: Arc<Program>,
    limits: Arc<Limits>,
    born: Instant,
    calls: u64,
}

/// What can be called.
struct Exports {
    attributes: Option<attributes::Guest>,
    processor: Option<processor::Guest>,
    sampler: Option<sampler::Guest>,
    state: Option<state::Guest>,
}

/// The time of a call.
#[derive(Clone, Copy)]
struct Budget {
    computing: Duration,
    /// With all that it waits, for its turn or because it sleeps.
    in_all: Duration,
}

impl Budget {
    fn of_the_start(limits: &Limits) -> Self {
        Self { computing: limits.start_timeout, in_all: limits.start_timeout.saturating_mul(START_WAITING_FACTOR) }
    }

    fn of_a_call(limits: &Limits) -> Self {
        Self { computing: limits.timeout, in_all: limits.timeout.saturating_mul(WAITING_FACTOR) }
    }
}

/// Makes a call, a future over `$store`, within a budget. No function, since the future borrows the store that is looked at
/// before and after.
macro_rules! within {
    ($budget:expr, $store:expr, $program:expr, $call:expr) => {{
        let budget: Budget = $budget;
        let signs = begin($store, budget);
        let ticking = $program.engine.ticking();
        let made = while_it_works(budget, &signs, $call).await;
        drop(ticking);
        outcome(made, $store, budget)
    }};
}

/// A guest's own answer: a value, or its "no".
pub(super) type Answer<T> = Result<T, types::Failure>;

impl Instance {
    /// Makes one; it is not configured yet.
    pub(super) async fn new(program: &Arc<Program>, limits: &Arc<Limits>, shared: &Shared) -> Result<Self, Failure> {
        let mut store = Store::new(&program.engine.wasm, Guest::new(shared, limits));
        store.limiter(|guest| &mut guest.memory);
        store.set_hostcall_fuel(limits.output_bytes.saturating_add(OUTPUT_SLACK));
        store.epoch_deadline_callback(|mut context| context.data_mut().clock.tick());
        let made =
            within!(Budget::of_the_start(limits), &mut store, program, program.pre.instantiate_async(&mut store));
        let made = made.and_then(|instance| {
            let shape = |error| Failure::new(Incident::Start, format!("{error:#}"));
            let (lifecycle, at, store) = (&program.lifecycle, &program.exports, &mut store);
            let lifecycle = lifecycle.load(&mut *store, &instance).map_err(shape)?;
            let attributes = at.attributes.as_ref().map(|at| at.load(&mut *store, &instance));
            let processor = at.processor.as_ref().map(|at| at.load(&mut *store, &instance));
            let sampler = at.sampler.as_ref().map(|at| at.load(&mut *store, &instance));
            let state = at.state.as_ref().map(|at| at.load(&mut *store, &instance));
            let exports = Exports {
                attributes: attributes.transpose().map_err(shape)?,
                processor: processor.transpose().map_err(shape)?,
                sampler: sampler.transpose().map_err(shape)?,
                state: state.transpose().map_err(shape)?,
            };
            Ok((instance, lifecycle, exports))
        });
        let (raw, lifecycle, exports) =
            made.map_err(|failure| Failure::new(failure.incident, format!("cannot be instantiated: {failure}")))?;
        let (program, limits) = (Arc::clone(program), Arc::clone(limits));
        Ok(Self { store, raw, lifecycle, exports, program, limits, born: Instant::now(), calls: 0 })
    }

    /// Who it says it is.
    pub(super) async fn describe(&mut self) -> Result<lifecycle::Info, Failure> {
        let info = within!(
            Budget::of_the_start(&self.limits),
            &mut self.store,
            self.program,
            self.lifecycle.call_describe(&mut self.store)
        )?;
        let schema = info.config_schema.as_ref().map_or(0, String::len);
        if schema > SCHEMA_BYTES_MAX {
            let message = format!("its JSON Schema has {schema} bytes; {SCHEMA_BYTES_MAX} are possible");
            return Err(Failure::new(Incident::Output, message));
        }
        Ok(info)
    }

    /// Hands it its configuration; the inner error is its answer.
    pub(super) async fn configure(&mut self, config: &str) -> Result<Result<lifecycle::Interest, String>, Failure> {
        within!(
            Budget::of_the_start(&self.limits),
            &mut self.store,
            self.program,
            self.lifecycle.call_configure(&mut self.store, config)
        )
    }

    /// Calls a function without parameters that the component exports beside the interfaces of the contract.
    pub(super) async fn ask<T>(&mut self, function: &str) -> Result<T, Failure>
    where
        (T,): ComponentNamedList + Lift + Send + Sync + 'static,
    {
        let shape = |error| Failure::new(Incident::Start, format!("{error:#}"));
        let typed = self.raw.get_typed_func::<(), (T,)>(&mut self.store, function).map_err(shape)?;
        let answer = within!(
            Budget::of_the_start(&self.limits),
            &mut self.store,
            self.program,
            typed.call_async(&mut self.store, ())
        );
        answer.map(|(value,)| value)
    }

    /// Runs an `attributes` plugin over the columns of a batch.
    pub(super) async fn apply(&mut self, signal: Signal, columns: &Columns) -> Result<Answer<Edits>, Failure> {
        let Some(guest) = &self.exports.attributes else {
            return Err(not_exported("attributes"));
        };
        self.calls += 1;
        let answer = within!(
            Budget::of_a_call(&self.limits),
            &mut self.store,
            self.program,
            guest.call_apply(&mut self.store, to_contract(signal), projection(columns))
        )?;
        Ok(answer.map(|edits| Edits {
            rows: edits.rows,
            actions: edits.actions,
            kinds: edits.kinds,
            ends: edits.ends,
            data: edits.data,
            additions: Additions {
                owners: edits.additions.owners,
                levels: edits.additions.levels,
                actions: edits.additions.actions,
                keys: edits.additions.keys,
                kinds: edits.additions.kinds,
                ends: edits.additions.ends,
                data: edits.additions.data,
                name_ends: edits.additions.name_ends,
                names: edits.additions.names,
            },
        }))
    }

    /// Runs a `processor` plugin over a batch.
    pub(super) async fn process(
        &mut self,
        signal: Signal,
        batch: &[u8],
    ) -> Result<Answer<processor::Outcome>, Failure> {
        let Some(guest) = &self.exports.processor else {
            return Err(not_exported("processor"));
        };
        self.calls += 1;
        within!(
            Budget::of_a_call(&self.limits),
            &mut self.store,
            self.program,
            guest.call_process(&mut self.store, to_contract(signal), batch)
        )
    }

    /// Whether a `sampler` plugin wants whole spans.
    pub(super) async fn wants_spans(&mut self) -> Result<bool, Failure> {
        let Some(guest) = &self.exports.sampler else { return Err(not_exported("sampler")) };
        within!(
            Budget::of_the_start(&self.limits),
            &mut self.store,
            self.program,
            guest.call_wants_spans(&mut self.store)
        )
    }

    /// Asks a `sampler` plugin about traces.
    pub(super) async fn sample(&mut self, traces: &Traces) -> Result<Answer<Vec<sampler::Decision>>, Failure> {
        let Some(guest) = &self.exports.sampler else { return Err(not_exported("sampler")) };
        self.calls += 1;
        let columns = sampler::Traces {
            ids: &traces.ids,
            span_counts: &traces.span_counts,
            error_counts: &traces.error_counts,
            starts: &traces.starts,
            durations: &traces.durations,
            sizes: &traces.sizes,
            last_calls: &traces.last_calls,
            values: projection(&traces.values),
            item_ends: &traces.item_ends,
            span_ends: &traces.span_ends,
            spans: &traces.spans,
        };
        within!(
            Budget::of_a_call(&self.limits),
            &mut self.store,
            self.program,
            guest.call_sample(&mut self.store, columns)
        )
    }

    /// What a plugin that keeps something wants to keep; more than about `bytes` is a failure. The last call of the instance.
    pub(super) async fn save(&mut self, bytes: usize) -> Result<Vec<u8>, Failure> {
        let Some(guest) = &self.exports.state else { return Err(not_exported("state")) };
        self.store.set_hostcall_fuel(bytes.saturating_add(OUTPUT_SLACK));
        within!(Budget::of_a_call(&self.limits), &mut self.store, self.program, guest.call_save(&mut self.store))
    }

    /// Hands it what another instance saved; the inner error is its answer.
    pub(super) async fn restore(&mut self, state: &[u8]) -> Result<Result<(), String>, Failure> {
        let Some(guest) = &self.exports.state else { return Err(not_exported("state")) };
        within!(
            Budget::of_a_call(&self.limits),
            &mut self.store,
            self.program,
            guest.call_restore(&mut self.store, state)
        )
    }

    /// Whether it has served long enough: memory never shrinks, and guests leak.
    pub(super) fn is_spent(&self) -> bool {
        let full = self.store.data().memory.used() > self.limits.recycle_memory_bytes;
        self.calls >= self.limits.recycle_calls || full || self.born.elapsed() >= self.limits.recycle_age
    }

    /// Time that the last call computed, not counting waits; once.
    pub(super) fn take_computed(&mut self) -> Duration {
        self.store.data_mut().clock.take_used()
    }

    /// Bytes of its memories.
    pub(super) fn memory_bytes(&self) -> usize {
        self.store.data().memory.used()
    }
}

/// Gives what can be told of it while it runs.
fn begin(store: &mut Store<Guest>, budget: Budget) -> Arc<Signs> {
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
async fn while_it_works<T>(budget: Budget, signs: &Signs, call: impl Future<Output = T>) -> Result<T, Elapsed> {
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
fn outcome<T>(
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

/// Columns as the bindings want them.
fn projection(columns: &Columns) -> types::Projection<'_> {
    types::Projection {
        shape: types::Shape {
            resource_ends: &columns.shape.resource_ends,
            scope_ends: &columns.shape.scope_ends,
            metric_ends: &columns.shape.metric_ends,
            items: columns.shape.items,
        },
        owners: &columns.owners,
        levels: &columns.levels,
        keys: &columns.keys,
        kinds: &columns.kinds,
        ends: &columns.ends,
        data: &columns.data,
        name_ends: &columns.name_ends,
        names: &columns.names,
    }
}

fn not_exported(interface: &str) -> Failure {
    Failure::new(Incident::Start, format!("it does not export `{interface}`"))
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
