//! The filters and plugins of all policies, and which bit of a trace's state, or which answer, belongs to which.

use super::attribute::ValueFilter;
use super::{Facts, Kept, Matches, Span, SpanFilter};
use crate::processors::tail_sampling::ot::Upstream;
use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;
use tailrace_otlp::{KeySet, KeyValue, ResourceView, StatusCode, Value};

/// Which bit of the state belongs to a filter.
#[derive(Clone, Copy, Debug)]
pub struct Bit(u32);

impl Bit {
    /// Whether it is among those that are set.
    pub fn is_in(self, matches: Matches) -> bool {
        matches >> self.0 & 1 == 1
    }
}

/// Which of the answers of plugins belongs to a policy.
#[derive(Clone, Copy, Debug)]
pub struct Slot(usize);

impl Slot {
    /// Its place in the answers.
    pub fn number(self) -> usize {
        self.0
    }
}

/// A plugin that a policy wants asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    /// Name of the policy, behind those of the policies that it is part of.
    pub policy: String,
    /// Which plugin, and how it runs.
    pub settings: super::wasm::Config,
}

/// What all policies want to know: their filters and their plugins. Attributes are walked once, however many filters ask for some.
#[derive(Default)]
pub struct Layout {
    filters: Vec<(u32, Box<dyn SpanFilter>)>,
    sizes: bool,
    keys: KeySet,
    key_names: Vec<String>,
    /// For each entry of `keys` the filters on its value.
    values: Vec<Vec<(u32, Box<dyn ValueFilter>)>>,
    bits: u32,
    wishes: Vec<Wish>,
    /// Names of the policies that are being built, from the outermost in.
    names: Vec<String>,
    shards: usize,
    use_tracestate: bool,
    reads_trace_state: bool,
    kept: Kept,
}

impl Layout {
    /// How many filters the state of a trace has room for.
    pub const FILTERS_MAX: usize = Matches::BITS as usize;

    /// For policies of so many shards, which sample consistently if `use_tracestate`.
    pub fn new(shards: usize, use_tracestate: bool) -> Self {
        Self { shards, use_tracestate, ..Self::default() }
    }

    /// The same for policies that follow on others.
    pub fn after(self, before: &Self) -> Self {
        Self { kept: Kept::after(&before.kept), ..self }
    }

    /// State of the policy that is being built: that of the policy before with its name and these settings, or a new one.
    pub fn keep<T: Any + Send + Sync>(&mut self, settings: &dyn Debug, make: impl FnOnce(&Self) -> T) -> Arc<T> {
        let mut kept = std::mem::take(&mut self.kept);
        let state = kept.keep(&self.name(), settings, || make(self));
        self.kept = kept;
        state
    }

    /// How many shards will ask.
    pub fn shards(&self) -> usize {
        self.shards.max(1)
    }

    /// Whether policies that choose by chance do so consistently with other samplers, and say with which threshold.
    pub fn uses_tracestate(&self) -> bool {
        self.use_tracestate
    }

    /// What samplers before this one said is to be among the facts.
    pub fn read_trace_state(&mut self) {
        self.reads_trace_state = true;
    }

    /// Registers a filter.
    pub fn filter(&mut self, filter: impl SpanFilter + 'static) -> Bit {
        let bit = self.bit();
        self.filters.push((bit, Box::new(filter)));
        Bit(bit)
    }

    /// Registers a filter on the value of an attribute: of the resource or, if that does not meet it, of a span.
    pub fn attribute(&mut self, key: &str, filter: impl ValueFilter + 'static) -> Bit {
        let bit = self.bit();
        let known = self.key_names.iter().position(|known| known == key);
        let entry = known.unwrap_or_else(|| {
            self.keys.add(key);
            self.key_names.push(key.to_owned());
            self.values.push(Vec::new());
            self.values.len() - 1
        });
        if let Some(filters) = self.values.get_mut(entry) {
            filters.push((bit, Box::new(filter)));
        }
        Bit(bit)
    }

    /// Registers a plugin that is asked about every trace before the votes.
    pub fn sampler(&mut self, settings: &super::wasm::Config) -> Slot {
        self.wishes.push(Wish { policy: self.name(), settings: settings.clone() });
        Slot(self.wishes.len() - 1)
    }

    /// Name of the policy that is being built, behind those of the policies that it is part of.
    fn name(&self) -> String {
        let named = self.names.iter().filter(|name| !name.is_empty()).map(String::as_str);
        named.collect::<Vec<_>>().join(".")
    }

    /// Builds something of the policy of this name.
    pub fn within<T>(&mut self, name: &str, build: impl FnOnce(&mut Self) -> T) -> T {
        self.names.push(name.to_owned());
        let built = build(self);
        self.names.pop();
        built
    }

    /// The plugins, by [`Slot`].
    pub fn wishes(&self) -> &[Wish] {
        &self.wishes
    }

    /// Counts what is around the spans: [`Facts::around`].
    pub fn want_sizes(&mut self) {
        self.sizes = true;
    }

    /// Whether somebody asks for sizes.
    pub fn wants_sizes(&self) -> bool {
        self.sizes
    }

    fn bit(&mut self) -> u32 {
        self.bits += 1;
        self.bits - 1
    }

    /// Whether more filters were registered than there is room for; such a layout must not be used.
    pub fn overflows(&self) -> bool {
        self.bits as usize > Self::FILTERS_MAX
    }

    /// The filters on attributes that a resource meets; all of its spans meet them then.
    pub fn of_resource(&self, resource: ResourceView<'_>) -> Matches {
        if self.values.is_empty() {
            0
        } else {
            self.met(resource.attributes(), |filter, value| filter.matches_of_resource(value))
        }
    }

    /// What is to be remembered of `span`, whose resource meets `of_resource`.
    pub fn facts(&self, span: &Span<'_>, of_resource: Matches) -> Facts {
        let met = self.filters.iter().map(|(bit, filter)| bit_if(filter.matches(span), *bit));
        let mut matches = met.fold(of_resource, |all, bit| all | bit);
        if !self.values.is_empty() {
            matches |= self.met(span.view.attributes(), |filter, value| filter.matches(value));
        }
        let upstream = match self.reads_trace_state {
            true => Upstream::of(span.view.trace_state().as_bytes()),
            false => Upstream::default(),
        };
        Facts {
            start_ns: if span.start_ns == 0 && span.end_ns == 0 { u64::MAX } else { span.start_ns },
            end_ns: span.end_ns,
            bytes: span.bytes,
            spans: 1,
            errors: u32::from(span.status == StatusCode::Error),
            root: span.root,
            matches,
            upstream,
        }
    }

    /// The filters that some attributes meet. Of several with one key the first counts.
    fn met<'a>(
        &self,
        attributes: impl Iterator<Item = KeyValue<'a>>,
        matches_value: impl Fn(&dyn ValueFilter, &Value<'a>) -> bool,
    ) -> Matches {
        let (mut matches, mut seen) = (0, 0_u128);
        for attribute in attributes {
            let Some(entry) = self.keys.find(attribute.key.as_bytes()) else { continue };
            if seen >> entry & 1 == 1 {
                continue;
            }
            seen |= 1 << entry;
            let filters = self.values.get(entry).into_iter().flatten();
            let met = filters.map(|(bit, filter)| bit_if(matches_value(filter.as_ref(), &attribute.value), *bit));
            matches = met.fold(matches, |all, bit| all | bit);
        }
        matches
    }
}

fn bit_if(met: bool, bit: u32) -> Matches {
    Matches::from(met) << bit
}
