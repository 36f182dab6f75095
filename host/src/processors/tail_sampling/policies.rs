//! All policies of a processor, and how their votes combine.
//!
//! 1. Policies that can veto vote first; the first `Dropped` ends it: the trace is dropped.
//! 2. Otherwise any `Sampled` keeps the trace, and the first policy that said so gets the credit.
//! 3. Otherwise it is not sampled.
//!
//! Every policy votes on every trace, except behind a veto and, with `sample_on_first_match`, behind the first `Sampled`.
//! A policy that fails is counted and has no vote.

use super::ot::Threshold;
use super::policy::{Facts, Layout, Matches, Policy, Span, Trace, Vote};
use super::roster::{Numbers, Roster, Voter};
use super::samplers::Sampler;
use super::shadow::Shadow;
use super::tally::PolicyMetrics;
use crate::telemetry::decisions::Verdict;
use arc_swap::{ArcSwap, Guard};
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

impl From<Outcome> for Verdict {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Sampled => Self::Sampled,
            Outcome::NotSampled => Self::NotSampled,
            Outcome::Dropped => Self::Dropped,
        }
    }
}

/// The outcome and the policy that brought it about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What becomes of the trace.
    pub outcome: Outcome,
    /// Number of the policy that kept or vetoed it.
    pub by: Option<usize>,
    /// With `use_tracestate`: what a kept trace was sampled with, the least strict of the thresholds of all who wanted it.
    pub threshold: Option<Threshold>,
    /// Number of the policy that says which of its parts wanted the trace; of several the last.
    pub composite: Option<usize>,
}

impl Decision {
    /// Nobody wanted it.
    pub const NOT_SAMPLED: Self = Self { outcome: Outcome::NotSampled, by: None, threshold: None, composite: None };

    fn dropped(by: usize) -> Self {
        Self { outcome: Outcome::Dropped, by: Some(by), ..Self::NOT_SAMPLED }
    }

    /// Somebody else wants it as well.
    fn and(self, other: Self) -> Self {
        Self { threshold: self.threshold.min(other.threshold), composite: other.composite.or(self.composite), ..self }
    }
}

/// A policy and its name.
pub type NamedPolicy = (String, Box<dyn Policy>);

struct Named {
    name: Arc<str>,
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
    shadow: Option<Box<Shadow>>,
    numbers: Numbers,
    roster: ArcSwap<Roster>,
}

impl Policies {
    /// From names and policies in the order of the configuration.
    pub fn new(policies: Vec<NamedPolicy>, layout: Layout, sample_on_first_match: bool) -> Self {
        let named =
            |(name, policy): NamedPolicy| Named { name: name.into(), policy, metrics: PolicyMetrics::default() };
        let mut voters: Vec<Named> = policies.into_iter().map(named).collect();
        voters.sort_by_key(|named| !named.policy.vetoes());
        Self {
            voters,
            layout,
            sample_on_first_match,
            generation: 0,
            samplers: Vec::new(),
            shadow: None,
            numbers: Numbers::default(),
            roster: ArcSwap::default(),
        }
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

    /// With policies beside them that decide nothing, whose filters are in the layout of these.
    pub fn with_shadow(self, shadow: Option<Shadow>) -> Self {
        Self { shadow: shadow.map(Box::new), ..self }
    }

    /// As the successor of `old` in the history of decisions; done last.
    pub fn enrolled(mut self, old: Option<&Self>) -> Self {
        self.numbers = old.map(|old| old.numbers.clone()).unwrap_or_default();
        self.roster.store(Arc::new(self.new_roster()));
        self
    }

    /// The policies that decide nothing.
    pub fn shadow(&self) -> Option<&Shadow> {
        self.shadow.as_deref()
    }

    /// Who votes, and what plugins they run.
    pub fn roster(&self) -> Guard<Arc<Roster>> {
        self.roster.load()
    }

    /// Takes note of plugins that were swapped.
    pub fn renew_roster(&self) {
        if !self.roster.load().plugins.iter().copied().eq(self.versions()) {
            self.roster.store(Arc::new(self.new_roster()));
        }
    }

    /// Which version each plugin runs.
    fn versions(&self) -> impl Iterator<Item = u64> {
        self.samplers.iter().map(|sampler| sampler.version().0)
    }

    fn new_roster(&self) -> Roster {
        let plugins = self.versions().collect();
        let voters = |policies: &Self, place: &str| {
            let voter =
                |name: &str| Voter { name: name.to_owned(), version: self.version_of(&format!("{place}{name}")) };
            policies.names().map(voter).collect()
        };
        let shadow = self.shadow().map(|shadow| voters(shadow.policies(), "shadow_policies."));
        Roster { number: self.numbers.next(), policies: voters(self, ""), shadow: shadow.unwrap_or_default(), plugins }
    }

    /// What the plugins of a policy and its parts are.
    fn version_of(&self, policy: &str) -> Option<String> {
        let is_of = |wish: &str| wish.strip_prefix(policy).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        let of_policy = self.samplers.iter().filter(|sampler| is_of(sampler.policy()));
        let running: Vec<String> = of_policy.map(|sampler| sampler.running()).collect();
        (!running.is_empty()).then(|| running.join("; "))
    }

    /// How many decide.
    pub fn count(&self) -> usize {
        self.voters.len()
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
        self.voters.iter().map(|named| (&*named.name, &named.metrics))
    }

    /// Names by number.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.voters.iter().map(|named| &*named.name)
    }

    /// The name of a policy.
    pub fn name(&self, number: usize) -> Option<&Arc<str>> {
        self.voters.get(number).map(|named| &named.name)
    }

    /// The name of the part that wanted the trace about which this was decided in `shard` just now.
    pub fn part(&self, decision: Decision, shard: usize) -> Option<&Arc<str>> {
        self.voters.get(decision.composite?)?.policy.kept_by(shard)
    }

    /// Whether any policy plans.
    pub fn plans(&self) -> bool {
        let shadow = self.shadow().is_some_and(Shadow::plans);
        shadow || self.voters.iter().any(|named| named.policy.planner().is_some())
    }

    /// Tells those that plan of some of the traces that a shard is about to decide.
    pub fn tell(&self, shard: usize, group: &[Trace<'_>]) {
        if let Some(shadow) = self.shadow() {
            shadow.policies().tell(shard, group);
        }
        let vetoed = |trace: &Trace<'_>| {
            let mut vetoers = self.voters.iter().take_while(|named| named.policy.vetoes());
            vetoers.any(|named| named.policy.is_pure() && named.policy.vote(trace) == Vote::Dropped)
        };
        let group: Vec<&Trace<'_>> = group.iter().filter(|trace| !vetoed(trace)).collect();
        let planners = self.voters.iter().filter_map(|named| named.policy.planner());
        planners.for_each(|planner| planner.hear(shard, &group));
    }

    /// Those that plan have heard of all that the shard is about to decide. Takes as long as there are traces: not done in a
    /// lock.
    pub fn plan(&self, shard: usize, now_ms: u64) {
        if let Some(shadow) = self.shadow() {
            shadow.policies().plan(shard, now_ms);
        }
        let planners = self.voters.iter().filter_map(|named| named.policy.planner());
        planners.for_each(|planner| planner.plan(shard, now_ms));
    }

    /// What they want to know of spans, and what they keep.
    pub fn layout(&self) -> &Layout {
        &self.layout
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
        let mut kept: Option<Decision> = None;
        for (number, named) in self.voters.iter().enumerate() {
            let vote = named.policy.vote(trace);
            each(number, vote);
            match vote {
                Vote::Dropped => return Decision::dropped(number),
                Vote::Sampled => {
                    let decision = self.sampled(number, named, trace);
                    kept = Some(kept.map_or(decision, |first| first.and(decision)));
                }
                Vote::NotSampled | Vote::Error => {}
            }
            if kept.is_some() && self.sample_on_first_match {
                break;
            }
        }
        kept.unwrap_or(Decision::NOT_SAMPLED)
    }

    /// What is decided if only this policy wants the trace.
    fn sampled(&self, number: usize, named: &Named, trace: &Trace<'_>) -> Decision {
        Decision {
            outcome: Outcome::Sampled,
            by: Some(number),
            threshold: self.layout.uses_tracestate().then(|| named.policy.threshold(trace)),
            composite: named.policy.kept_by(trace.shard).map(|_| number),
        }
    }

    /// Asks the policies about spans as they arrive. `None`: the trace stays undecided, for what later spans may bring. While a
    /// policy that can veto has not done so it still might, and nothing is kept.
    pub fn decide_on_ingest(&self, trace: &Trace<'_>, mut each: impl FnMut(usize, Vote)) -> Option<Decision> {
        let mut may_be_vetoed = false;
        for (number, named) in self.voters.iter().enumerate() {
            let vetoes = named.policy.vetoes();
            if may_be_vetoed && !vetoes {
                return None;
            }
            let vote = named.policy.vote(trace);
            each(number, vote);
            match vote {
                Vote::Dropped => return Some(Decision::dropped(number)),
                Vote::Error => {}
                _ if vetoes => may_be_vetoed = true,
                Vote::Sampled => return Some(self.sampled(number, named, trace)),
                Vote::NotSampled => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed {
        vote: Vote,
        vetoes: bool,
    }

    impl Policy for Fixed {
        fn vote(&self, _: &Trace<'_>) -> Vote {
            self.vote
        }

        fn vetoes(&self) -> bool {
            self.vetoes
        }
    }

    fn named(name: usize, vote: Vote, vetoes: bool) -> NamedPolicy {
        (name.to_string(), Box::new(Fixed { vote, vetoes }))
    }

    /// The outcome, who brought it about, and who was asked, in the order of the configuration.
    #[test]
    fn votes_combine_as_in_the_collector() {
        use Vote::{Dropped as D, Error as E, NotSampled as N, Sampled as S};
        let check = |votes: &[Vote], first_match, outcome, by: Option<&str>, asked: &str| {
            let voter = |(i, vote): (usize, &Vote)| named(i, *vote, *vote == Vote::Dropped);
            let policies = Policies::new(votes.iter().enumerate().map(voter).collect(), Layout::default(), first_match);
            let names: Vec<&str> = policies.names().collect();
            let mut heard = String::new();
            let facts = Facts::default();
            let trace = Trace::new(&[1; 16], &facts, 0);
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

    /// What is decided on arrival, by whom, and who was asked. Those that can veto are written as `(vote, true)`.
    #[test]
    fn votes_on_ingest_combine_as_in_the_collector() {
        use Vote::{Dropped as D, Error as E, NotSampled as N, Sampled as S};
        let check = |votes: &[(Vote, bool)], expected: Option<(Outcome, &str)>, asked: &str| {
            let voter = |(i, (vote, vetoes)): (usize, &(Vote, bool))| named(i, *vote, *vetoes);
            let policies = Policies::new(votes.iter().enumerate().map(voter).collect(), Layout::default(), false);
            let names: Vec<&str> = policies.names().collect();
            let mut heard = String::new();
            let facts = Facts::default();
            let trace = Trace::new(&[1; 16], &facts, 0);
            let decision = policies.decide_on_ingest(&trace, |number, _| heard.push_str(names[number]));
            assert_eq!(decision.map(|it| (it.outcome, names[it.by.unwrap()])), expected, "{votes:?}");
            assert_eq!(heard, asked, "{votes:?}");
        };
        check(&[(N, false), (E, false), (N, false)], None, "012");
        check(&[(N, false), (S, false), (S, false)], Some((Outcome::Sampled, "1")), "01");
        check(&[(S, false), (N, true), (D, true)], Some((Outcome::Dropped, "2")), "12");
        check(&[(S, false), (N, true)], None, "1");
        check(&[(S, false), (E, true)], Some((Outcome::Sampled, "0")), "10");
        check(&[], None, "");
    }
}
