//! The way out: what is written on spans that leave, and then [`regroup`](super::regroup).
//!
//! With none of `use_tracestate`, `record_policy` and `span_attributes` spans leave as they came, byte for byte, at no cost.

use super::contexts::Context;
use super::mark::Mark;
use super::ot::Threshold;
use super::policies::{Decision, Policies};
use super::regroup::{Regroup, Unwritable};
use super::rewrite::{Inscription, Rewriter};
use crate::pdata::Batch;
use std::sync::Arc;

/// What the configuration wants to have written.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    /// On scopes: the policy, its part, and whether the spans were late.
    pub record_policy: bool,
    /// Key of a span attribute for the policy.
    pub policy_key: Option<Arc<str>>,
    /// Key of a span attribute for the share of such traces that is kept.
    pub share_key: Option<Arc<str>>,
}

impl Labels {
    /// Whether the name of the policy is written anywhere.
    pub fn names_policies(&self) -> bool {
        self.record_policy || self.policy_key.is_some()
    }
}

/// What there is to write on the spans of one trace.
#[derive(Clone, Debug, Default)]
pub struct Label {
    policy: Option<Arc<str>>,
    part: Option<Arc<str>>,
    threshold: Option<Threshold>,
    late: bool,
}

impl Label {
    /// For the spans of a trace about which this was decided in `shard` just now.
    pub fn new(labels: &Labels, policies: &Policies, decision: Decision, shard: usize) -> Self {
        Self {
            policy: decision.by.filter(|_| labels.names_policies()).and_then(|number| policies.name(number)).cloned(),
            part: if labels.record_policy { policies.part(decision, shard).cloned() } else { None },
            threshold: decision.threshold,
            late: false,
        }
    }

    /// For spans that came late, of a trace that `policy` kept, if that is still known. Their tracestate is left alone, as in the
    /// Collector.
    pub fn late(labels: &Labels, policy: Option<&Arc<str>>) -> Self {
        match labels.names_policies() {
            true => Self { policy: policy.cloned(), late: labels.record_policy, ..Self::default() },
            false => Self::default(),
        }
    }

    /// The policy that kept the trace, if that is written.
    pub fn policy(&self) -> Option<&Arc<str>> {
        self.policy.as_ref()
    }

    fn is_nothing(&self) -> bool {
        self.policy.is_none() && self.part.is_none() && self.threshold.is_none() && !self.late
    }
}

/// Spans on their way out.
#[derive(Debug, Default)]
pub struct Leaving {
    labels: Labels,
    regroup: Regroup,
    rewriter: Rewriter,
}

impl Leaving {
    /// Writes these labels from now on.
    pub fn follow(&mut self, labels: &Labels) {
        self.labels.clone_from(labels);
    }

    /// Adds a run of spans, each with tag and length. When a batch is full with it, or would be overfull, `ready` gets it. Returns how
    /// many of the spans have a tracestate that cannot be read.
    pub fn add(
        &mut self,
        context: &Context<'_>,
        spans: u16,
        pieces: [&[u8]; 2],
        label: &Label,
        ready: &mut impl FnMut(Result<Batch, Unwritable>),
    ) -> usize {
        let Self { labels, regroup, rewriter } = self;
        if label.is_nothing() {
            regroup.add(context, &Mark::default(), spans, pieces, ready);
            return 0;
        }
        let mark = match labels.record_policy {
            true => Mark { policy: label.policy.clone(), part: label.part.clone(), late: label.late },
            false => Mark::default(),
        };
        let inscription = Inscription {
            attribute: labels.policy_key.as_deref().zip(label.policy.as_deref()),
            threshold: label.threshold,
            share_key: labels.share_key.as_deref(),
        };
        if inscription.is_nothing() {
            regroup.add(context, &mark, spans, pieces, ready);
            return 0;
        }
        let (run, unparseable) = rewriter.rewrite(pieces, &inscription);
        regroup.add(context, &mark, spans, [run, &[]], ready);
        unparseable
    }

    /// Gives what has been gathered, if anything, as a batch.
    pub fn flush(&mut self, ready: &mut impl FnMut(Result<Batch, Unwritable>)) {
        self.regroup.flush(ready);
    }
}
