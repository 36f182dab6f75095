//! What happened, counted in plain numbers inside the lock and added to the metrics once behind it.

use super::cache::Past;
use super::policies::{Decision, Outcome, Policies};
use super::policy::{Facts, Vote};
use super::shadow;
use crate::component::Context;
use crate::telemetry::decisions::Because;
use crate::telemetry::{Account, Counter, Gauge, Histogram, names};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Why spans leave without being handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Drop {
    /// No policy wanted the trace.
    NotSampled,
    /// A policy vetoed it.
    Vetoed,
    /// It passed `maximum_trace_size_bytes`.
    TooLarge,
    /// It was undecided at the end.
    Shutdown,
    /// A batch of it would have been longer than one can be.
    Unwritable,
}

impl Drop {
    const fn reason(self) -> &'static str {
        match self {
            Self::NotSampled => "not_sampled",
            Self::Vetoed => "dropped_by_policy",
            Self::TooLarge => "too_large",
            Self::Shutdown => "shutdown",
            Self::Unwritable => "unwritable",
        }
    }
}

/// Why a trace is decided before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Early {
    /// There were `num_traces`.
    Traces,
    /// There was `max_memory_mib` of spans.
    Memory,
    /// It had `maximum_trace_spans`.
    Spans,
}

impl From<Early> for Because {
    fn from(why: Early) -> Self {
        match why {
            Early::Traces => Self::Traces,
            Early::Memory => Self::Memory,
            Early::Spans => Self::Spans,
        }
    }
}

/// Votes of one policy.
#[derive(Clone, Copy, Debug, Default)]
struct Votes {
    sampled: u64,
    not_sampled: u64,
    dropped: u64,
    failed: u64,
    /// Spans and bytes of the traces that it voted on, by [`Vote`].
    spans: [u64; 3],
    bytes: [u64; 3],
    /// Traces that it kept, as the first to say so.
    kept: u64,
    time_ns: u64,
}

/// What happened since the last report.
#[derive(Debug, Default)]
pub struct Tally {
    votes: Vec<Votes>,
    /// Spans and bytes of the trace that is voted on.
    about: (u64, u64),
    outcomes: [u64; 3],
    late: [u64; 2],
    new_traces: u64,
    early: [u64; 3],
    too_large: u64,
    unparseable_tracestate: u64,
    ages_ms: Vec<u64>,
    late_ages_s: Vec<u64>,
    spans_dropped: BTreeMap<Drop, usize>,
    /// What the shadow policies said.
    pub shadow: shadow::Tally,
}

impl Tally {
    /// The next votes are about a trace of which this is known.
    pub fn about(&mut self, facts: &Facts) {
        self.about = (facts.spans.into(), facts.bytes);
    }

    /// A policy voted.
    pub fn vote(&mut self, policy: usize, vote: Vote) {
        let about = self.about;
        let votes = self.of(policy);
        if let (Some(spans), Some(bytes)) = (votes.spans.get_mut(vote as usize), votes.bytes.get_mut(vote as usize)) {
            *spans += about.0;
            *bytes += about.1;
        }
        match vote {
            Vote::Sampled => votes.sampled += 1,
            Vote::NotSampled => votes.not_sampled += 1,
            Vote::Dropped => votes.dropped += 1,
            Vote::Error => votes.failed += 1,
        }
    }

    /// A policy took so long for one vote.
    pub fn time(&mut self, policy: usize, time_ns: u64) {
        self.of(policy).time_ns += time_ns;
    }

    /// The times are those of one trace of `traces` alike.
    pub fn extrapolate(&mut self, traces: u64) {
        self.votes.iter_mut().for_each(|votes| votes.time_ns *= traces);
    }

    /// A trace of `spans` that waited `age_ms` was decided.
    pub fn decided(&mut self, decision: Decision, spans: usize, age_ms: u64) {
        if let Some(outcomes) = self.outcomes.get_mut(decision.outcome as usize) {
            *outcomes += 1;
        }
        match decision.outcome {
            Outcome::Sampled => {
                if let Some(policy) = decision.by {
                    self.of(policy).kept += 1;
                }
            }
            Outcome::NotSampled => self.dropped(Drop::NotSampled, spans),
            Outcome::Dropped => self.dropped(Drop::Vetoed, spans),
        }
        self.ages_ms.push(age_ms);
    }

    /// Spans that came late follow the decision.
    pub fn late(&mut self, past: Past, spans: usize) {
        if let Some(late) = self.late.get_mut(usize::from(past.kept)) {
            *late += spans as u64;
        }
        self.late_ages_s.push(past.age_s);
        if !past.kept {
            self.dropped(Drop::NotSampled, spans);
        }
    }

    /// The first span of a trace came.
    pub fn new_trace(&mut self) {
        self.new_traces += 1;
    }

    /// A trace was decided before its time, if so.
    pub fn early_if(&mut self, early: bool, why: Early) {
        if early {
            self.early(why);
        }
    }

    /// A trace was decided before its time.
    pub fn early(&mut self, why: Early) {
        if let Some(early) = self.early.get_mut(why as usize) {
            *early += 1;
        }
    }

    /// A trace of `spans` grew too large.
    pub fn too_large(&mut self, spans: usize) {
        self.too_large += 1;
        self.dropped(Drop::TooLarge, spans);
    }

    /// Spans leave with a tracestate that could not be read.
    pub fn unparseable_tracestate(&mut self, spans: usize) {
        self.unparseable_tracestate += spans as u64;
    }

    /// Spans left for a reason.
    pub fn dropped(&mut self, why: Drop, spans: usize) {
        *self.spans_dropped.entry(why).or_default() += spans;
    }

    fn of(&mut self, policy: usize) -> &mut Votes {
        if self.votes.len() <= policy {
            self.votes.resize(policy + 1, Votes::default());
        }
        // It was just made long enough.
        #[expect(clippy::indexing_slicing, reason = "resized above")]
        &mut self.votes[policy]
    }
}

/// What is counted of one policy.
#[derive(Clone, Default)]
pub struct PolicyMetrics {
    sampled: Counter,
    not_sampled: Counter,
    dropped: Counter,
    executions: Counter,
    time_us: Counter,
    /// By vote: sampled, not sampled, dropped.
    spans: [Counter; 3],
    bytes: [Counter; 3],
    kept: Counter,
}

/// The processor's metrics.
pub struct Metrics {
    context: Context,
    account: Account,
    outcomes: [Counter; 3],
    late: [Counter; 2],
    new_traces: Counter,
    early: [Counter; 3],
    left_early: Counter,
    failed: Counter,
    too_large: Counter,
    unparseable_tracestate: Counter,
    ages: Histogram,
    late_ages: Histogram,
    /// Undecided traces.
    pub on_memory: Gauge,
    /// Memory of their spans.
    pub bytes: Gauge,
    /// Time of a tick, in milliseconds.
    pub ticks: Histogram,
    /// How long a shard was locked, in microseconds.
    pub locked: Histogram,
}

impl Metrics {
    /// For the component of `context`.
    pub fn new(context: &Context) -> Self {
        let metrics = context.telemetry.metrics();
        let id = context.id.to_string();
        let id = ("processor", id.as_str());
        let outcome = |sampled, decision| {
            let labels = [id, ("sampled", sampled), ("decision", decision)];
            metrics.counter(&names::TAIL_GLOBAL_COUNT_TRACES_SAMPLED, None, &labels)
        };
        let counter = |desc| metrics.counter(desc, None, &[id]);
        let labelled = |desc, name, value| metrics.counter(desc, None, &[id, (name, value)]);
        Self {
            context: context.clone(),
            account: context.account.clone(),
            outcomes: [outcome("true", "sampled"), outcome("false", "not_sampled"), outcome("false", "dropped")],
            late: ["false", "true"].map(|sampled| labelled(&names::TAIL_EARLY_RELEASES, "sampled", sampled)),
            new_traces: counter(&names::TAIL_NEW_TRACE_ID),
            early: ["num_traces", "max_memory_mib", "maximum_trace_spans"]
                .map(|why| labelled(&names::TAIL_DECIDED_EARLY, "reason", why)),
            left_early: counter(&names::TAIL_DROPPED_TOO_EARLY),
            failed: counter(&names::TAIL_EVALUATION_ERROR),
            too_large: counter(&names::TAIL_DROPPED_TOO_LARGE),
            unparseable_tracestate: counter(&names::TAIL_UNPARSEABLE_TRACESTATE),
            ages: metrics.histogram(&names::TAIL_REMOVAL_AGE, &[id]),
            late_ages: metrics.histogram(&names::TAIL_LATE_SPAN_AGE, &[id]),
            on_memory: metrics.gauge(&names::TAIL_TRACES_ON_MEMORY, &[id]),
            bytes: metrics.gauge(&names::TAIL_BYTES_ON_MEMORY, &[id]),
            ticks: metrics.histogram(&names::TAIL_TIMER_LATENCY, &[id]),
            locked: metrics.histogram(&names::TAIL_LOCKED, &[id]),
        }
    }

    /// For the policy of this name, the same at every call.
    pub fn of_policy(&self, name: &str) -> PolicyMetrics {
        let metrics = self.context.telemetry.metrics();
        let id = self.context.id.to_string();
        let id = ("processor", id.as_str());
        // Named as the Collector names it: the instance, if it has a name, and the policy.
        let full = self.context.id.name().map_or(name.to_owned(), |instance| format!("{instance}.{name}"));
        let policy = ("policy", full.as_str());
        let votes = |desc| {
            [("true", "sampled"), ("false", "not_sampled"), ("false", "dropped")].map(|(sampled, decision)| {
                metrics.counter(desc, None, &[id, policy, ("sampled", sampled), ("decision", decision)])
            })
        };
        let [sampled, not_sampled, dropped] = votes(&names::TAIL_COUNT_TRACES_SAMPLED);
        PolicyMetrics {
            sampled,
            not_sampled,
            dropped,
            spans: votes(&names::TAIL_COUNT_SPANS_SAMPLED),
            bytes: votes(&names::TAIL_COUNT_BYTES_SAMPLED),
            executions: metrics.counter(&names::TAIL_EXECUTION_COUNT, None, &[id, policy]),
            time_us: metrics.counter(&names::TAIL_EXECUTION_TIME, None, &[id, policy]),
            kept: Counter::default(),
        }
    }

    /// Adds a tally of these policies. Spans that were dropped are no longer held.
    pub fn report(&self, tally: Tally, policies: &Policies) {
        let add = |counters: &[Counter], counts: &[u64]| {
            counters.iter().zip(counts).for_each(|(counter, count)| counter.add(*count));
        };
        for ((_, policy), votes) in policies.metrics().zip(&tally.votes) {
            add(&policy.spans, &votes.spans);
            add(&policy.bytes, &votes.bytes);
            policy.sampled.add(votes.sampled);
            policy.not_sampled.add(votes.not_sampled);
            policy.dropped.add(votes.dropped);
            policy.executions.add(votes.sampled + votes.not_sampled + votes.dropped + votes.failed);
            policy.time_us.add(votes.time_ns / 1000);
            policy.kept.add(votes.kept);
            self.failed.add(votes.failed);
        }
        add(&self.outcomes, &tally.outcomes);
        add(&self.late, &tally.late);
        add(&self.early, &tally.early);
        self.left_early.add(tally.early.iter().sum());
        self.new_traces.add(tally.new_traces);
        self.too_large.add(tally.too_large);
        self.unparseable_tracestate.add(tally.unparseable_tracestate);
        if let Some(shadow) = policies.shadow() {
            shadow.report(&tally.shadow);
        }
        tally.ages_ms.iter().for_each(|age| self.ages.record(*age));
        tally.late_ages_s.iter().for_each(|age| self.late_ages.record(*age));
        for (why, spans) in tally.spans_dropped {
            self.account.dropped(why.reason(), spans);
            self.account.held().add(-(spans as i64));
        }
    }

    /// The view of the status page.
    pub fn view(&self, policies: &Policies) -> Value {
        let kept: serde_json::Map<String, Value> =
            policies.metrics().map(|(name, policy)| (name.to_owned(), json!(policy.kept.get()))).collect();
        let [sampled, not_sampled, dropped] = &self.outcomes;
        let [early_traces, early_memory, early_spans] = &self.early;
        let [late_not_sampled, late_sampled] = &self.late;
        let shadow = policies.shadow().map(shadow::Shadow::view);
        json!({
            "traces_sampled": sampled.get(),
            "traces_not_sampled": not_sampled.get(),
            "traces_dropped_by_policy": dropped.get(),
            "traces_too_large": self.too_large.get(),
            "traces_sampled_by_policy": kept,
            "traces_on_memory": self.on_memory.get(),
            "segment_bytes": self.bytes.get(),
            "traces_decided_early": {
                "num_traces": early_traces.get(),
                "max_memory_mib": early_memory.get(),
                "maximum_trace_spans": early_spans.get(),
            },
            "late_spans": {"sampled": late_sampled.get(), "not_sampled": late_not_sampled.get()},
            "shadow_policies": shadow,
        })
    }
}
