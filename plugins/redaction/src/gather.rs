//! Everything of a batch that has to be looked at.

use crate::body::Plan;
use crate::rules::{Fate, Rules, Text, What};
use crate::summary::{PREFIX, Summary, Tally};
use actions::text;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use tailrace_sdk::otlp::view::LogRecordView;
use tailrace_sdk::otlp::{Index, KeySet, Target, Value, find};
use tailrace_sdk::{Batch, Signal};

/// What there is to do.
#[derive(Debug, Default)]
pub(crate) struct Work<'a> {
    /// The texts to be judged.
    pub(crate) texts: Vec<Text<'a>>,
    /// Attributes, in the order of the batch.
    pub(crate) attributes: Vec<Attribute<'a>>,
    /// Bodies of log records: the number of the record, what there is to do, and what keys alone decided.
    pub(crate) bodies: Vec<(u32, Plan<'a>, Tally)>,
    /// What earlier redactions have told, if there is to be a summary.
    pub(crate) told: BTreeMap<(Target, &'a str), Value<'a>>,
}

/// An attribute.
#[derive(Debug)]
pub(crate) struct Attribute<'a> {
    pub(crate) target: Target,
    pub(crate) record: Range<usize>,
    pub(crate) key: &'a str,
    pub(crate) task: Task,
}

/// What is to be done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Nothing; it is counted.
    Ignore,
    Remove,
    /// What the verdict about this text says.
    Judge(usize),
}

impl<'a> Work<'a> {
    /// Looks at every attribute and body.
    pub(crate) fn gather(rules: &mut Rules, batch: &Batch<'a>, index: &Index) -> Self {
        let mut work = Self::default();
        let mut keys = KeySet::new();
        keys.add_all();
        let tells = rules.summary != Summary::Silent;
        find(batch.signal(), batch.bytes(), index, &keys, |found| {
            if matches!(found.target, Target::Link { .. } | Target::Exemplar { .. } | Target::Metric(_)) {
                return;
            }
            let (key, value) = (found.attribute.key.to_str(), found.attribute.value);
            if tells && key.starts_with(PREFIX) {
                work.told.entry((found.target, key)).or_insert(value);
            }
            let what = match rules.fate(key) {
                Fate::Ignored if !tells => return,
                Fate::Ignored => Err(Task::Ignore),
                Fate::Redacted => Err(Task::Remove),
                Fate::Masked => Ok(What::MaskUnlessAllowed),
                Fate::Look => Ok(What::Look),
            };
            let task =
                what.map_or_else(|task| task, |what| Task::Judge(work.text(value_text(&value, rules.all_types), what)));
            work.attributes.push(Attribute { target: found.target, record: found.record, key, task });
        });
        if batch.signal() == Signal::Logs {
            for number in 0..index.len() {
                let Some(record) = index.item(batch.bytes(), number) else { continue };
                let (plan, tally) = Plan::of(LogRecordView::new(record).body(), rules, &mut work);
                work.bodies.push((u32::try_from(number).unwrap_or(u32::MAX), plan, tally));
            }
        }
        work
    }

    /// Adds a text; returns its number.
    pub(crate) fn text(&mut self, text: Cow<'a, str>, what: What) -> usize {
        self.texts.push(Text { text, what });
        self.texts.len() - 1
    }
}

/// The text of the value of an attribute. The Collector takes that of any other type than text for empty, unless all types are
/// asked for.
fn value_text<'a>(value: &Value<'a>, all_types: bool) -> Cow<'a, str> {
    if all_types { text::of(value) } else { Cow::Borrowed(value.as_str().unwrap_or_default()) }
}
