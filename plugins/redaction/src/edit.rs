//! What was decided, as edits.

use crate::gather::{Task, Work};
use crate::rules::{Rules, Verdict};
use crate::summary::{PREFIX, Summary, Tally};
use std::collections::BTreeMap;
use tailrace_sdk::otlp::{Edits, Intrinsic, Target, Value};

/// The edits that the verdicts about the texts of `work` lead to.
pub(crate) fn edits(rules: &Rules, work: Work<'_>, verdicts: &[Verdict]) -> Edits<'static> {
    let mut edits = Edits::new();
    let tells = rules.summary != Summary::Silent;
    let mut told = work.told;
    let mut tallies: BTreeMap<Target, Tally> = BTreeMap::new();
    for attribute in work.attributes {
        let (target, key) = (attribute.target, attribute.key);
        let verdict = match attribute.task {
            Task::Judge(text) => verdicts.get(text),
            Task::Ignore | Task::Remove => None,
        };
        let masked = match (attribute.task, verdict) {
            (Task::Remove, _) => {
                edits.remove_found(target, attribute.record);
                None
            }
            (_, Some(Verdict::Masked(text))) => {
                edits.set_found(target, attribute.record, key, text.as_str());
                Some(text)
            }
            _ => None,
        };
        if !tells || (attribute.task != Task::Ignore && verdict == Some(&Verdict::Unchanged)) {
            continue;
        }
        if key.starts_with(PREFIX) {
            match (attribute.task, masked) {
                (Task::Remove, _) => drop(told.remove(&(target, key))),
                (_, Some(text)) => drop(told.insert((target, key), Value::from(text.as_str()))),
                _ => {}
            }
        }
        let tally = tallies.entry(target).or_default();
        match (attribute.task, verdict) {
            (Task::Ignore, _) => tally.ignored += 1,
            (Task::Remove, _) => tally.redacted.push(key.to_owned()),
            (_, Some(Verdict::Masked(_))) => tally.masked.push(key.to_owned()),
            (_, Some(Verdict::Allowed)) => tally.allowed.push(key.to_owned()),
            _ => {}
        }
    }
    for (target, tally) in tallies {
        rules.summary.tell(tally, false, target, |name| told.get(&(target, name)).copied(), &mut edits);
    }
    let mut body = Vec::new();
    for (number, plan, mut tally) in work.bodies {
        let target = Target::Item(number);
        if plan.changed(verdicts) {
            body.clear();
            plan.write(verdicts, &mut body);
            edits.set_intrinsic(target, Intrinsic::LogBody, Value::new(&body));
        }
        if tells {
            plan.tell(verdicts, &mut tally);
            rules.summary.tell(tally, true, target, |name| told.get(&(target, name)).copied(), &mut edits);
        }
    }
    edits
}
