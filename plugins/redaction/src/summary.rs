//! The attributes that tell what was done.

use actions::settings::Faults;
use tailrace_sdk::otlp::{Edits, Target, Value};

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Summary {
    Silent,
    /// How many.
    Info,
    /// How many, and which.
    Debug,
}

/// Attributes that an allow list need not name, so that a summary survives a second look. As in the Collector, those about
/// allowed values and log bodies are not among them.
pub(crate) const ALLOWED_KEYS: [&str; 5] = [
    "redaction.redacted.keys",
    "redaction.redacted.count",
    "redaction.masked.keys",
    "redaction.masked.count",
    "redaction.ignored.count",
];

/// What all of them begin with.
pub(crate) const PREFIX: &str = "redaction.";

/// What was done with the attributes of one thing, or with one log body.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) redacted: Vec<String>,
    pub(crate) masked: Vec<String>,
    pub(crate) allowed: Vec<String>,
    pub(crate) ignored: usize,
}

impl Summary {
    /// Reads the setting.
    pub(crate) fn named(name: &str, faults: &mut Faults) -> Self {
        match name {
            "" | "silent" => Self::Silent,
            "info" => Self::Info,
            "debug" => Self::Debug,
            _ => {
                faults.add("summary", format!("{name:?} is no level; there are debug, info and silent"));
                Self::Silent
            }
        }
    }

    /// Adds the attributes. `there` is what an attribute has now, for what an earlier redaction has told.
    pub(crate) fn tell<'v>(
        self,
        tally: Tally,
        of_body: bool,
        target: Target,
        there: impl Fn(&str) -> Option<Value<'v>>,
        edits: &mut Edits<'_>,
    ) {
        let body = if of_body { "body." } else { "" };
        for (what, keys) in [("redacted", tally.redacted), ("masked", tally.masked), ("allowed", tally.allowed)] {
            let count = keys.len();
            if count > 0 && self == Self::Debug {
                let name = format!("{PREFIX}{body}{what}.keys");
                let before = there(&name).and_then(|value| value.as_str()).unwrap_or_default();
                let mut keys = keys;
                keys.extend(before.split(',').filter(|_| !before.is_empty()).map(str::to_owned));
                keys.sort_unstable();
                edits.set(target, &name, keys.join(",").as_str());
            }
            self.count(&format!("{PREFIX}{body}{what}.count"), count, target, &there, edits);
        }
        self.count(&format!("{PREFIX}{body}ignored.count"), tally.ignored, target, &there, edits);
    }

    fn count<'v>(
        self,
        name: &str,
        count: usize,
        target: Target,
        there: &impl Fn(&str) -> Option<Value<'v>>,
        edits: &mut Edits<'_>,
    ) {
        if count == 0 || self == Self::Silent {
            return;
        }
        let before = match there(name) {
            Some(Value::Int(before)) => before,
            _ => 0,
        };
        edits.set(target, name, before.saturating_add(i64::try_from(count).unwrap_or(i64::MAX)));
    }
}
