//! One instance of a plugin in a store of its own, and calls into it under limits.
//!
//! After an accident the store is unusable (a trap poisons it) and the instance must be dropped; [`super::pool`] sees to
//! that.

use super::bindings::{attributes, lifecycle, processor, sampler, state, types};
use super::call::{Budget, within};
use super::error::{Failure, Incident};
use super::guest::{Guest, Shared};
use super::interest::to_contract;
use super::limits::Limits;
use super::program::Program;
use crate::pdata::Signal;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tailrace_columns::{Additions, Columns, Edits, Traces};
use wasmtime::Store;
use wasmtime::component::{ComponentNamedList, Lift};

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
