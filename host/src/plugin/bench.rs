//! What a plugin costs, step by step, for tools. One instance, one thread, the same steps as in a pipeline.
//!
//! | step | what |
//! |---|---|
//! | scan | the host looks whether anything is there that the plugin asked for, and finds the values if it is one of `attributes` |
//! | crossing | into the guest and back with the same data: the time of the same call of a plugin that does nothing |
//! | guest | the call of the plugin, less the crossing |
//! | splice | the host checks and applies what came back |

use super::about::{compile, shared};
use super::bindings::processor;
use super::contract::{Kind, Role};
use super::error::{Failure, LoadError};
use super::instance::Instance;
use super::interest::Interest;
use super::limits::Limits;
use super::program::{Candidate, Origin, Program};
use crate::pdata::{Batch, Limits as Validation};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tailrace_columns::{Limits as EditLimits, Traces, Wanted, project, splice};

/// The plugin that does nothing, which exports every interface.
const NOTHING: &[u8] = include_bytes!(env!("TAILRACE_PLUGIN_NOTHING"));
/// Instances that are made to find out how long one takes.
const INSTANCES: u32 = 20;
/// Most repetitions.
const REPEAT_MAX: usize = 100_000;

/// What a plugin costs. Times of steps are for all batches together, medians over many repetitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bench {
    /// Spans, data points and log records in the batches.
    pub items: usize,
    /// Calls that the batches take; less than there are batches if some do not concern the plugin.
    pub calls: usize,
    /// To compile it, now or when it came into the cache.
    pub compile: Duration,
    /// To load it from the cache, if it was there.
    pub load: Option<Duration>,
    /// For one instance, configured; the mean of some.
    pub instantiate: Duration,
    /// See the module.
    pub scan: Duration,
    /// See the module.
    pub crossing: Duration,
    /// See the module.
    pub guest: Duration,
    /// See the module.
    pub splice: Duration,
    /// How often everything was repeated.
    pub repetitions: usize,
    /// The highest memory of the instance.
    pub memory_bytes: usize,
}

/// The times of one repetition.
#[derive(Clone, Copy, Debug, Default)]
struct Times {
    scan: Duration,
    call: Duration,
    splice: Duration,
    calls: usize,
}

impl Bench {
    /// Runs `batches` through a plugin for `time`. Blocks; may be called inside and outside of a runtime.
    ///
    /// # Errors
    /// Why it cannot run, or what went wrong in a call.
    pub fn run(
        candidate: &Candidate,
        role: Role,
        config: &str,
        limits: &Limits,
        batches: &[Batch],
        time: Duration,
    ) -> Result<Self, LoadError> {
        let program = compile(candidate)?;
        let (compile_time, load) = match program.origin {
            Origin::Cache { compiling } => (compiling, Some(program.took)),
            Origin::Compiled(_) => (program.took, None),
        };
        let nothing = compile(&Candidate::new(NOTHING))?;
        super::blocking(|| async {
            let mut bench = Subject { program, nothing, role, config, limits: Arc::new(limits.clone()) };
            let measured = bench.measure(batches, time).await?;
            Ok(Self { compile: compile_time, load, ..measured })
        })?
    }
}

struct Subject<'a> {
    program: Arc<Program>,
    nothing: Arc<Program>,
    role: Role,
    config: &'a str,
    limits: Arc<Limits>,
}

impl Subject<'_> {
    async fn measure(&mut self, batches: &[Batch], time: Duration) -> Result<Bench, LoadError> {
        let kind = self.program.interfaces.kind(self.role)?;
        let start = Instant::now();
        for _ in 0..INSTANCES {
            self.configured(kind).await?;
        }
        let instantiate = start.elapsed() / INSTANCES;
        let (mut instance, interest) = self.configured(kind).await?;
        let zero = Instance::new(&self.nothing, &self.limits, &shared("nothing", &self.limits)).await;
        let mut zero = zero.map_err(|failure| LoadError(failure.message))?;
        let wants_spans = match kind {
            Kind::Sampler => instance.wants_spans().await.map_err(|failure| LoadError(failure.message))?,
            _ => false,
        };
        let mut steps = Steps { kind, interest: &interest, output: self.limits.output_bytes, traces: Vec::new() };
        if kind == Kind::Sampler {
            let wanted = batches.iter().filter(|batch| interest.wants(batch.signal()));
            let gathered =
                wanted.map(|batch| Traces::gather(batch.data(), batch.index(), steps.wanted(), wants_spans)).collect();
            steps.traces = Result::map_err(gathered, |bad| LoadError(bad.to_string()))?;
        }
        let (start, mut own, mut zeros) = (Instant::now(), Vec::new(), Vec::new());
        while own.len() < REPEAT_MAX && (own.len() < 3 || start.elapsed() < time) {
            let failed = |failure: Failure| LoadError(format!("a call failed: {failure}"));
            own.push(steps.all(&mut instance, batches).await.map_err(failed)?);
            zeros.push(steps.all(&mut zero, batches).await.map_err(failed)?);
        }
        let call = median(&own, |times| times.call);
        let crossing = median(&zeros, |times| times.call).min(call);
        Ok(Bench {
            items: batches.iter().map(Batch::items).sum(),
            calls: own.last().map_or(0, |times| times.calls),
            compile: Duration::ZERO,
            load: None,
            instantiate,
            scan: median(&own, |times| times.scan),
            crossing,
            guest: call - crossing,
            splice: median(&own, |times| times.splice),
            repetitions: own.len(),
            memory_bytes: instance.memory_bytes(),
        })
    }

    /// A fresh instance, and what it wants to see.
    async fn configured(&self, kind: Kind) -> Result<(Instance, Interest), LoadError> {
        let shared = shared("bench", &self.limits);
        let failed = |failure: Failure| LoadError(failure.message);
        let mut instance = Instance::new(&self.program, &self.limits, &shared).await.map_err(failed)?;
        let stated = instance.configure(self.config).await.map_err(failed)?;
        let stated = stated.map_err(|answer| LoadError(format!("it refuses its configuration: {answer}")))?;
        Ok((instance, Interest::check(stated, kind)?))
    }
}

/// The way of a batch, with a watch in hand.
struct Steps<'a> {
    kind: Kind,
    interest: &'a Interest,
    output: usize,
    /// For a sampler: what the calls are about, for each batch. To gather traces is the work of tail sampling, with or without a
    /// plugin; it is not counted.
    traces: Vec<Traces>,
}

impl Steps<'_> {
    async fn all(&self, instance: &mut Instance, batches: &[Batch]) -> Result<Times, Failure> {
        let mut times = Times::default();
        for traces in &self.traces {
            times.calls += 1;
            let start = Instant::now();
            let _ = instance.sample(traces).await?;
            times.call += start.elapsed();
        }
        for batch in batches.iter().filter(|batch| self.interest.wants(batch.signal())) {
            match self.kind {
                Kind::Attributes => self.attributes(instance, batch, &mut times).await?,
                Kind::Processor => self.processor(instance, batch, &mut times).await?,
                Kind::Sampler => {}
            }
        }
        Ok(times)
    }

    fn wanted(&self) -> Wanted<'_> {
        self.interest.wants.wanted()
    }

    async fn attributes(&self, instance: &mut Instance, batch: &Batch, times: &mut Times) -> Result<(), Failure> {
        let scan = || project(batch.signal(), batch.data(), batch.index(), self.wanted());
        let found = timed(&mut times.scan, || self.interest.may_matter(batch).then(scan));
        let Some(projection) = found.filter(|found| !found.columns.is_empty() || self.interest.always) else {
            return Ok(());
        };
        times.calls += 1;
        let start = Instant::now();
        let answer = instance.apply(batch.signal(), &projection.columns).await?;
        times.call += start.elapsed();
        let Ok(edits) = answer else { return Ok(()) };
        let limits = EditLimits { value_bytes: self.output, data_bytes: self.output };
        let spliced = timed(&mut times.splice, || {
            splice(batch.signal(), batch.data(), batch.index(), &projection, edits, &limits)
        });
        spliced.map(drop).map_err(|bad| Failure::new(super::Incident::Malformed, bad))
    }

    async fn processor(&self, instance: &mut Instance, batch: &Batch, times: &mut Times) -> Result<(), Failure> {
        if !timed(&mut times.scan, || self.interest.may_matter(batch)) {
            return Ok(());
        }
        times.calls += 1;
        let start = Instant::now();
        let answer = instance.process(batch.signal(), batch.data()).await?;
        times.call += start.elapsed();
        if let Ok(processor::Outcome::Replaced(bytes)) = answer {
            let checked =
                timed(&mut times.splice, || Batch::validate(batch.signal(), bytes.into(), &Validation::default()));
            checked.map_err(|bad| Failure::new(super::Incident::Malformed, bad))?;
        }
        Ok(())
    }
}

fn timed<T>(spent: &mut Duration, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let done = work();
    *spent += start.elapsed();
    done
}

fn median(times: &[Times], of: impl Fn(&Times) -> Duration) -> Duration {
    let mut sorted: Vec<Duration> = times.iter().map(of).collect();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps of a bundled plugin add up to something, and the zero does less than a plugin that works.
    #[test]
    fn the_steps_of_a_plugin_are_told_apart() {
        let redact = crate::plugin::bundled().iter().find(|(name, _)| *name == "redact").unwrap().1;
        let values: Vec<_> = (0..200).map(|_| [("user.email", "ann@example.com")]).collect();
        let spans: Vec<&[(&str, &str)]> = values.iter().map(|values| &values[..]).collect();
        let batch = crate::plugin::tests::batch(&spans);
        let run = |config: &str| {
            let limits = Limits { timeout: Duration::from_secs(10), ..Limits::default() };
            let time = Duration::from_millis(50);
            Bench::run(&Candidate::new(redact), Role::Batches, config, &limits, std::slice::from_ref(&batch), time)
        };
        let bench = run(r#"{"keys": ["user.email"], "action": "mask"}"#).unwrap();
        assert_eq!((bench.items, bench.calls), (200, 1));
        assert!(bench.repetitions >= 3 && bench.memory_bytes > 0);
        // What is left for the guest may be nothing that a clock can see.
        for step in [bench.instantiate, bench.scan, bench.crossing, bench.splice] {
            assert!(!step.is_zero(), "{bench:?}");
        }
        assert_eq!(run(r#"{"keys": ["nowhere"]}"#).unwrap().calls, 0);
        assert!(run("{}").unwrap_err().to_string().contains("refuses its configuration"));
    }
}
