//! All policies of a processor, and how their votes combine.
//!
//! 1. Policies that can veto vote first; the first `Dropped` ends it: the trace is dropped.
//! 2. Otherwise any `Sampled` keeps the trace, and the first policy that said so gets the credit.
//! 3. Otherwise it is not sampled.
//!
//! Every policy votes on every trace, except behind a veto and, with `sample_on_first_match`, behind the first `Sampled`.
//! A policy that fails is counted and has no vote.

use super::policy::{Facts, Layout, Matches, Policy, Span, Trace, Vote};
use super::samplers::Sampler;
use super::tally::PolicyMetrics;
use std::sync::Arc;
use tailrace_otlp::ResourceView;

/// What becomes of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Handed on.
    Sampled,
    /// No policy wanted it.
    NotSampled,
    /// A policy vetoed it.
    Dropped,
}

impl Outcome {
    /// Whether its spans are handed on.
    pub fn keeps(self) -> bool {
        self == Self::Sampled
    }
}

/// The outcome and the policy that brought it about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What becomes of the trace.
    pub outcome: Outcome,
    /// Number of the policy that kept or vetoed it.
    pub by: Option<usize>,
}

/// A policy and its name.
pub type NamedPolicy = (String, Box<dyn Policy>);

struct Named {
    name: String,
    policy: Box<dyn Policy>,
    metrics: PolicyMetrics,
}

/// The policies in the order in which they vote.
pub struct Policies {
    voters: Vec<Named>,
    layout: Layout,
    sample_on_first_match: bool,
    generation: u16,
    samplers: Vec<Arc<Sampler>>,
}

impl Policies {
    /// From names and policies in the order of the configuration.
    pub fn new(policies: Vec<NamedPolicy>, layout: Layout, sample_on_first_match: bool) -> Self {
        let named = |(name, policy)| Named { name, policy, metrics: PolicyMetrics::default() };
        let mut voters: Vec<Named> = policies.into_iter().map(named).collect();
        voters.sort_by_key(|named| !named.policy.vetoes());
        Self { voters, layout, sample_on_first_match, generation: 0, samplers: Vec::new() }
    }

    /// As policies of a running processor: as which generation, with the plugins that its layout wishes, and where each
    /// counts.
    pub fn in_service(
        mut self,
        generation: u16,
        samplers: Vec<Arc<Sampler>>,
        metrics: impl Fn(&str) -> PolicyMetrics,
    ) -> Self {
        self.voters.iter_mut().for_each(|named| named.metrics = metrics(&named.name));
        Self { generation, samplers, ..self }
    }

    /// Which policies of the processor's life these are: facts of one generation say nothing to another.
    pub fn generation(&self) -> u16 {
        self.generation
    }

    /// The plugins that are asked about traces before the policies vote.
    pub fn samplers(&self) -> &[Arc<Sampler>] {
        &self.samplers
    }

    /// Names by number, and where they count.
    pub fn metrics(&self) -> impl Iterator<Item = (&str, &PolicyMetrics)> {
        self.voters.iter().map(|named| (named.name.as_str(), &named.metrics))
    }

    /// Names by number.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.voters.iter().map(|named| named.name.as_str())
    }

    /// Whether somebody asks for what is around the spans.
    pub fn wants_sizes(&self) -> bool {
        self.layout.wants_sizes()
    }

    /// What is to be remembered of `span`, whose resource gave `of_resource`.
    pub fn facts(&self, span: &Span<'_>, of_resource: Matches) -> Facts {
        self.layout.facts(span, of_resource)
    }

    /// What all spans of a resource have in common.
    pub fn of_resource(&self, resource: ResourceView<'_>) -> Matches {
        self.layout.of_resource(resource)
    }

    /// Asks the policies about `trace`; `each` hears every vote with the number of the policy.
    pub fn decide(&self, trace: &Trace<'_>, mut each: impl FnMut(usize, Vote)) -> Decision {
        let mut kept_by = None;
        for (number, named) in self.voters.iter().enumerate() {
            let vote = named.policy.vote(trace);
            each(number, vote);
            match vote {
                Vote::Dropped => return Decision { outcome: Outcome::Dropped, by: Some(number) },
                Vote::Sampled => kept_by = kept_by.or(Some(number)),
                Vote::NotSampled | Vote::Error => {}
            }
            if kept_by.is_some() && self.sample_on_first_match {
                break;
            }
        }
        let outcome = if kept_by.is_some() { Outcome::Sampled } else { Outcome::NotSampled };
        Decision { outcome, by: kept_by }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(Vote);

    impl Policy for Fixed {
        fn vote(&self, _: &Trace<'_>) -> Vote {
            self.0
        }

        fn vetoes(&self) -> bool {
            self.0 == Vote::Dropped
        }
    }

    /// The outcome, who brought it about, and who was asked, in the order of the configuration.
    #[test]
    fn votes_combine_as_in_the_collector() {
        use Vote::{Dropped as D, Error as E, NotSampled as N, Sampled as S};
        let check = |votes: &[Vote], first_match, outcome, by: Option<&str>, asked: &str| {
            let named = |(i, vote): (usize, &Vote)| (i.to_string(), Box::new(Fixed(*vote)) as Box<dyn Policy>);
            let policies = Policies::new(votes.iter().enumerate().map(named).collect(), Layout::default(), first_match);
            let names: Vec<&str> = policies.names().collect();
            let mut heard = String::new();
            let trace = Trace { id: &[1; 16], facts: &Facts::default(), answers: &[], now_ms: 0 };
            let decision = policies.decide(&trace, |number, _| heard.push_str(names[number]));
            assert_eq!((decision.outcome, decision.by.map(|number| names[number])), (outcome, by), "{votes:?}");
            assert_eq!(heard, asked, "{votes:?}");
        };
        check(&[N, N], false, Outcome::NotSampled, None, "01");
        check(&[N, S, S], false, Outcome::Sampled, Some("1"), "012");
        check(&[N, S, S], true, Outcome::Sampled, Some("1"), "01");
        check(&[S, N, D, D], false, Outcome::Dropped, Some("2"), "2");
        check(&[S, D], true, Outcome::Dropped, Some("1"), "1");
        check(&[E, N], false, Outcome::NotSampled, None, "01");
        check(&[E, S], true, Outcome::Sampled, Some("1"), "01");
        check(&[], false, Outcome::NotSampled, None, "");
    }
}
