//! The body of a log record: a text, or a map or list of whatever depth, of which single leaves change.

use crate::gather::Work;
use crate::rules::{Fate, Rules, Verdict, What};
use crate::summary::{Summary, Tally};
use actions::text;
use std::borrow::Cow;
use tailrace_sdk::otlp::view::{ArrayView, KvListView, put_attribute, put_value};
use tailrace_sdk::otlp::wire::put_len_field;
use tailrace_sdk::otlp::{Str, Value};

/// What becomes of a body, or of a part of it.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    value: Value<'a>,
    task: Task<'a>,
}

#[derive(Debug)]
enum Task<'a> {
    /// It stays.
    Keep,
    /// What the verdict about this text says; and how a summary calls it, if it is not the whole body.
    Judge(usize, String),
    /// Each entry, without those that are removed; and how many those are.
    Map(Vec<(Str<'a>, Plan<'a>)>, usize),
    List(Vec<Plan<'a>>),
}

/// On the way through a body.
struct Walk<'r, 'w, 'a> {
    rules: &'r mut Rules,
    work: &'w mut Work<'a>,
    /// What keys alone decided.
    tally: Tally,
}

/// How a summary calls the whole body.
const BODY: &str = "body";

impl<'a> Plan<'a> {
    /// What there is to do with a body; its texts are added to the work.
    pub(crate) fn of(body: Value<'a>, rules: &mut Rules, work: &mut Work<'a>) -> (Self, Tally) {
        let mut walk = Walk { rules, work, tally: Tally::default() };
        let plan = walk.plan(body, "");
        (plan, walk.tally)
    }

    /// Whether anything in it changes.
    pub(crate) fn changed(&self, verdicts: &[Verdict]) -> bool {
        match &self.task {
            Task::Keep => false,
            Task::Judge(text, _) => matches!(verdicts.get(*text), Some(Verdict::Masked(_))),
            Task::Map(entries, removed) => *removed > 0 || entries.iter().any(|(_, plan)| plan.changed(verdicts)),
            Task::List(items) => items.iter().any(|plan| plan.changed(verdicts)),
        }
    }

    /// Tells what the verdicts mean for the body.
    pub(crate) fn tell(&self, verdicts: &[Verdict], tally: &mut Tally) {
        match &self.task {
            Task::Keep => {}
            Task::Judge(text, name) => match verdicts.get(*text) {
                Some(Verdict::Masked(_)) => {
                    tally.masked.push(if name.is_empty() { BODY.to_owned() } else { name.clone() })
                }
                // The Collector says nothing about a whole body that is allowed.
                Some(Verdict::Allowed) if !name.is_empty() => tally.allowed.push(name.clone()),
                _ => {}
            },
            Task::Map(entries, _) => entries.iter().for_each(|(_, plan)| plan.tell(verdicts, tally)),
            Task::List(items) => items.iter().for_each(|plan| plan.tell(verdicts, tally)),
        }
    }

    /// Appends the payload of an `AnyValue` with the new value.
    pub(crate) fn write(&self, verdicts: &[Verdict], out: &mut Vec<u8>) {
        let mut inner = Vec::new();
        match &self.task {
            Task::Judge(text, _) => match verdicts.get(*text) {
                Some(Verdict::Masked(text)) => put_value(out, &text.as_str().into()),
                _ => put_value(out, &self.value),
            },
            Task::Keep => put_value(out, &self.value),
            Task::Map(entries, _) => {
                let mut value = Vec::new();
                for (key, plan) in entries {
                    value.clear();
                    plan.write(verdicts, &mut value);
                    put_attribute(&mut inner, 1, *key, &Value::new(&value));
                }
                put_value(out, &Value::KvList(KvListView::new(&inner)));
            }
            Task::List(items) => {
                let mut value = Vec::new();
                for plan in items {
                    value.clear();
                    plan.write(verdicts, &mut value);
                    put_len_field(&mut inner, 1, &value);
                }
                put_value(out, &Value::Array(ArrayView::new(&inner)));
            }
        }
    }
}

impl<'a> Walk<'_, '_, 'a> {
    fn plan(&mut self, value: Value<'a>, path: &str) -> Plan<'a> {
        let task = match value {
            Value::KvList(list) => {
                let (mut entries, mut removed) = (Vec::new(), 0);
                for entry in list.iter() {
                    let path = self.path(path, entry.key.to_str());
                    match self.entry(entry.key.to_str(), entry.value, path) {
                        Some(plan) => entries.push((entry.key, plan)),
                        None => removed += 1,
                    }
                }
                Task::Map(entries, removed)
            }
            Value::Array(items) => {
                let item = |(at, item)| {
                    let path = self.path(path, &format!("[{at}]"));
                    self.plan(item, &path)
                };
                Task::List(items.iter().enumerate().map(item).collect())
            }
            leaf => Task::Judge(self.work.text(text::of(&leaf), What::Look), path.to_owned()),
        };
        Plan { value, task }
    }

    /// The entry of a map; `None` if it is removed.
    fn entry(&mut self, key: &str, value: Value<'a>, path: String) -> Option<Plan<'a>> {
        match self.rules.fate(key) {
            Fate::Ignored => {
                self.tally.ignored += 1;
                Some(Plan { value, task: Task::Keep })
            }
            Fate::Redacted => {
                self.tally.redacted.push(path);
                None
            }
            // Other types than text are masked as if they were empty.
            Fate::Masked => {
                let text = Cow::Borrowed(value.as_str().unwrap_or_default());
                Some(Plan { value, task: Task::Judge(self.work.text(text, What::Mask), path) })
            }
            Fate::Look => Some(self.plan(value, &path)),
        }
    }

    /// How a part is called in a summary, if one is made that has names.
    fn path(&self, path: &str, step: &str) -> String {
        match (self.rules.summary, path) {
            (_, "") => step.to_owned(),
            (Summary::Debug, path) => format!("{path}.{step}"),
            // Without names in the summary it need only not be empty.
            (_, path) => path.to_owned(),
        }
    }
}
