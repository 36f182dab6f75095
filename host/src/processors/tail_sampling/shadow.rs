//! `shadow_policies`: policies on probation. They are asked about the same traces as the real ones, decide nothing, and are
//! counted.
//!
//! ```yaml
//! tail_sampling:
//!   policies:
//!   - {name: slow, type: latency, latency: {threshold_ms: 1000}}
//!   shadow_policies:                       # what if these were the policies?
//!   - {name: slow, type: latency, latency: {threshold_ms: 5000}}
//! ```
//! Their votes combine as those of the real ones do, so that what is counted is what would be kept if they took their place.
//! They have a state of their own (a limiter is used up by shadow votes only) and share the walk over the spans.

use super::policies::{Decision, Outcome, Policies};
use super::policy::{Trace, Vote};
use crate::component::Context;
use crate::telemetry::{Counter, names};
use serde_json::{Value, json};

/// Votes of one policy.
#[derive(Clone, Copy, Debug, Default)]
struct Votes {
    sampled: u64,
    not_sampled: u64,
    dropped: u64,
    failed: u64,
}

/// What the shadow policies said since the last report.
#[derive(Debug, Default)]
pub struct Tally {
    votes: Vec<Votes>,
    outcomes: [u64; 3],
    /// Traces and spans by who kept them, as in [`KEPT_BY`].
    agreement: [(u64, u64); 4],
}

/// Who keeps a trace.
const KEPT_BY: [&str; 4] = ["neither", "shadow", "real", "both"];

impl Tally {
    /// Shadow policy `number` voted.
    fn vote(&mut self, number: usize, vote: Vote) {
        if self.votes.len() <= number {
            self.votes.resize(number + 1, Votes::default());
        }
        let Some(votes) = self.votes.get_mut(number) else { return };
        match vote {
            Vote::Sampled => votes.sampled += 1,
            Vote::NotSampled => votes.not_sampled += 1,
            Vote::Dropped => votes.dropped += 1,
            Vote::Error => votes.failed += 1,
        }
    }

    /// A trace of `spans` was decided, and would have been decided so by the shadow policies.
    fn decided(&mut self, real: Decision, shadow: Decision, spans: usize) {
        if let Some(outcomes) = self.outcomes.get_mut(shadow.outcome as usize) {
            *outcomes += 1;
        }
        let kept_by = usize::from(real.outcome.keeps()) << 1 | usize::from(shadow.outcome.keeps());
        if let Some(agreement) = self.agreement.get_mut(kept_by) {
            agreement.0 += 1;
            agreement.1 += spans as u64;
        }
    }
}

/// A counter, and where it stood when these policies came into service.
struct Count {
    counter: Counter,
    before: u64,
}

impl From<Counter> for Count {
    fn from(counter: Counter) -> Self {
        Self { before: counter.get(), counter }
    }
}

impl Count {
    fn add(&self, count: u64) {
        self.counter.add(count);
    }

    fn since(&self) -> u64 {
        self.counter.get().saturating_sub(self.before)
    }
}

struct OfPolicy {
    name: String,
    sampled: Count,
    not_sampled: Count,
    dropped: Count,
    failed: Count,
}

/// The shadow policies, and where they are counted.
pub struct Shadow {
    policies: Policies,
    counts: Vec<OfPolicy>,
    outcomes: [Count; 3],
    traces: [Count; 4],
    spans: [Count; 4],
}

impl Shadow {
    /// For the component of `context`.
    pub fn new(context: &Context, policies: Policies) -> Self {
        let metrics = context.telemetry.metrics();
        let id = context.id.to_string();
        let id = ("processor", id.as_str());
        let of_policy = |name: &str| {
            // Named as the Collector names real ones.
            let full = context.id.name().map_or(name.to_owned(), |instance| format!("{instance}.{name}"));
            let votes = |sampled, decision| {
                let labels = [id, ("policy", full.as_str()), ("sampled", sampled), ("decision", decision)];
                Count::from(metrics.counter(&names::TAIL_SHADOW_COUNT, None, &labels))
            };
            OfPolicy {
                name: name.to_owned(),
                sampled: votes("true", "sampled"),
                not_sampled: votes("false", "not_sampled"),
                dropped: votes("false", "dropped"),
                failed: votes("false", "error"),
            }
        };
        let outcome = |sampled, decision| {
            let labels = [id, ("sampled", sampled), ("decision", decision)];
            Count::from(metrics.counter(&names::TAIL_SHADOW_GLOBAL_COUNT, None, &labels))
        };
        let agreement = |desc| KEPT_BY.map(|who| Count::from(metrics.counter(desc, None, &[id, ("kept_by", who)])));
        Self {
            counts: policies.names().map(of_policy).collect(),
            policies,
            outcomes: [outcome("true", "sampled"), outcome("false", "not_sampled"), outcome("false", "dropped")],
            traces: agreement(&names::TAIL_SHADOW_TRACES),
            spans: agreement(&names::TAIL_SHADOW_SPANS),
        }
    }

    /// The policies.
    pub fn policies(&self) -> &Policies {
        &self.policies
    }

    /// Whether any of them plans.
    pub fn plans(&self) -> bool {
        self.policies.plans()
    }

    /// What they would do with `trace`, on which the real ones decided `real`; `each` hears every vote.
    pub fn decide(
        &self,
        trace: &Trace<'_>,
        real: Decision,
        tally: &mut Tally,
        mut each: impl FnMut(usize, Vote),
    ) -> Outcome {
        let decision = self.policies.decide(trace, |policy, vote| {
            tally.vote(policy, vote);
            each(policy, vote);
        });
        tally.decided(real, decision, trace.facts.spans as usize);
        decision.outcome
    }

    /// Adds a tally.
    pub fn report(&self, tally: &Tally) {
        for (policy, votes) in self.counts.iter().zip(&tally.votes) {
            policy.sampled.add(votes.sampled);
            policy.not_sampled.add(votes.not_sampled);
            policy.dropped.add(votes.dropped);
            policy.failed.add(votes.failed);
        }
        self.outcomes.iter().zip(tally.outcomes).for_each(|(counter, count)| counter.add(count));
        for ((traces, spans), count) in self.traces.iter().zip(&self.spans).zip(tally.agreement) {
            traces.add(count.0);
            spans.add(count.1);
        }
    }

    /// Its part of the processor's view, since its configuration was changed last.
    pub fn view(&self) -> Value {
        let [sampled, not_sampled, dropped] = &self.outcomes;
        let decided = sampled.since() + not_sampled.since() + dropped.since();
        let share = |count: u64| if decided == 0 { Value::Null } else { json!(count as f64 / decided as f64) };
        let of_policy = |policy: &OfPolicy| {
            let view = json!({
                "sampled": policy.sampled.since(),
                "dropped": policy.dropped.since(),
                "failed": policy.failed.since(),
                "share_sampled": share(policy.sampled.since()),
            });
            (policy.name.clone(), view)
        };
        let agreement = |counters: &[Count; 4]| {
            let counts = KEPT_BY.iter().zip(counters).map(|(who, counter)| ((*who).to_owned(), json!(counter.since())));
            Value::Object(counts.collect())
        };
        json!({
            "policies": self.counts.iter().map(of_policy).collect::<serde_json::Map<_, _>>(),
            "traces_sampled": sampled.since(),
            "traces_not_sampled": not_sampled.since(),
            "traces_dropped_by_policy": dropped.since(),
            "share_sampled": share(sampled.since()),
            "traces_kept_by": agreement(&self.traces),
            "spans_kept_by": agreement(&self.spans),
        })
    }
}
