//! `string_attribute`: keeps traces in which a text is one of several, or matches one of several regular expressions.
//!
//! ```yaml
//! - name: important
//!   type: string_attribute
//!   string_attribute:
//!     key: service.name
//!     values: [checkout, "pay.*"]
//!     enabled_regex_matching: true   # without it, values are compared as they are
//!     cache_max_size: 128            # answers remembered for regular expressions
//!     invert_match: false
//! ```
//! Expressions have the syntax of RE2 and match anywhere in the text. As in the Collector an empty text matches nothing, with one
//! exception: expressions see an attribute of the resource that is empty, or no text, as an empty text.

use super::attribute::{self, ValueFilter};
use super::{Fault, Layout, Policy, PolicyConfig};
use regex::bytes::{RegexSet, RegexSetBuilder};
use serde::Deserialize;
use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use tailrace_otlp::Value;

/// Answers remembered if nothing is said, as in the Collector.
const CACHE_SIZE: usize = 128;
/// Longest text whose answer is remembered: others would fill the memory, and match in passing.
const CACHED_BYTES_MAX: usize = 1024;
/// Memory of the compiled expressions of a policy, in bytes.
const COMPILED_BYTES_MAX: usize = 10 << 20;

/// Which texts.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The attribute, of the resource or of a span.
    pub key: String,
    /// Texts, or regular expressions.
    pub values: Vec<String>,
    /// Whether `values` are regular expressions.
    pub enabled_regex_matching: bool,
    /// How many answers are remembered for regular expressions; 0 and less are 128.
    pub cache_max_size: i64,
    /// Keep the traces in which nothing matches.
    pub invert_match: bool,
}

/// Compiles expressions; the error is one line.
fn expressions(values: &[String]) -> Result<RegexSet, String> {
    let built = RegexSetBuilder::new(values.iter().map(|value| tailrace_pattern::translate(value)))
        .size_limit(COMPILED_BYTES_MAX)
        .build();
    built.map_err(|error| tailrace_pattern::reason(&error.to_string()).to_owned())
}

impl Config {
    fn check_expressions(&self, fault: &mut Fault<'_, '_>) {
        let mut wrong = false;
        for (i, value) in self.values.iter().enumerate() {
            if let Err(why) = expressions(std::slice::from_ref(value)) {
                fault.at(&format!("values[{i}]"), format!("{value:?} is no regular expression: {why}"));
                wrong = true;
            }
        }
        if let (false, Err(why)) = (wrong, expressions(&self.values)) {
            fault.at("values", why);
        }
    }
}

impl PolicyConfig for Config {
    fn check(&self, fault: &mut Fault<'_, '_>) {
        attribute::check_key(&self.key, fault);
        if self.values.is_empty() {
            fault.warn("values", "is empty: nothing matches");
        }
        if self.enabled_regex_matching {
            self.check_expressions(fault);
        }
    }

    fn build(&self, layout: &mut Layout) -> Box<dyn Policy> {
        let invert = self.invert_match;
        match expressions(&self.values) {
            Ok(expressions) if self.enabled_regex_matching => {
                let room = usize::try_from(self.cache_max_size).ok().filter(|size| *size > 0).unwrap_or(CACHE_SIZE);
                attribute::policy(layout, &self.key, Matches { expressions, known: Mutex::default(), room }, invert)
            }
            _ => {
                let values = self.values.iter().map(|value| value.as_bytes().into()).collect();
                attribute::policy(layout, &self.key, OneOf(values), invert)
            }
        }
    }
}

/// The bytes of a text that can match.
fn text<'a>(value: &Value<'a>) -> Option<&'a [u8]> {
    if let Value::String(text) = value { Some(text.as_bytes()).filter(|text| !text.is_empty()) } else { None }
}

struct OneOf(HashSet<Box<[u8]>>);

impl ValueFilter for OneOf {
    fn matches(&self, value: &Value<'_>) -> bool {
        text(value).is_some_and(|text| self.0.contains(text))
    }
}

struct Matches {
    expressions: RegexSet,
    /// Answers that are known. Whoever finds it in use asks the expressions instead of waiting.
    known: Mutex<HashMap<Box<[u8]>, bool>>,
    room: usize,
}

impl ValueFilter for Matches {
    fn matches(&self, value: &Value<'_>) -> bool {
        text(value).is_some_and(|text| self.matches_text(text))
    }

    fn matches_of_resource(&self, value: &Value<'_>) -> bool {
        self.matches_text(text(value).unwrap_or_default())
    }
}

impl Matches {
    fn matches_text(&self, text: &[u8]) -> bool {
        if text.len() > CACHED_BYTES_MAX {
            return self.expressions.is_match(text);
        }
        if let Ok(known) = self.known.try_lock()
            && let Some(answer) = known.get(text)
        {
            return *answer;
        }
        let answer = self.expressions.is_match(text);
        if let Ok(mut known) = self.known.try_lock() {
            // Few texts come often; when there is no more room, those are soon back.
            if known.len() >= self.room {
                known.clear();
            }
            known.insert(text.into(), answer);
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Sample, vote};
    use super::*;

    fn check(config: &Config, value: &str, expected: bool) {
        let inverse = Config { invert_match: true, ..config.clone() };
        let sample = Sample::with("k", Value::from(value));
        assert_eq!((vote(config, &sample), vote(&inverse, &sample)), (expected, !expected), "{value:?}");
    }

    #[test]
    fn exact_values() {
        let config =
            Config { key: "k".into(), values: vec!["a".into(), "b.*".into(), String::new()], ..Config::default() };
        for (value, expected) in [("a", true), ("aa", false), ("b.*", true), ("bcd", false), ("", false)] {
            check(&config, value, expected);
        }
        assert!(!vote(&config, &Sample::with("other", Value::from("a"))));
        assert!(!vote(&config, &Sample::with("k", Value::Int(1))));
    }

    #[test]
    fn regular_expressions_match_anywhere() {
        let values = vec!["^pay".into(), "out$".into()];
        let config = Config { key: "k".into(), values, enabled_regex_matching: true, ..Config::default() };
        for (value, expected) in [("payment", true), ("checkout", true), ("repay", false), ("", false)] {
            check(&config, value, expected);
        }
        // As in Go: digits are those of ASCII.
        let config = Config { values: vec![r"^\d$".into(), r"^\Qa.b\E$".into()], ..config };
        for (value, expected) in [("7", true), ("\u{667}", false), ("a.b", true), ("acb", false)] {
            check(&config, value, expected);
        }
    }

    /// The cache changes no answer, however small it is.
    #[test]
    fn a_full_cache_starts_afresh() {
        let mut layout = Layout::default();
        let config = Config {
            key: "k".into(),
            values: vec!["[02468]$".into()],
            enabled_regex_matching: true,
            cache_max_size: 3,
            ..Config::default()
        };
        config.build(&mut layout);
        for round in 0..40 {
            let (number, sample) = (round % 7, Sample::with("k", Value::from(&*format!("item {}", round % 7))));
            assert_eq!(layout.facts_of(&sample.spans()[0]).matches == 1, number % 2 == 0, "{number}");
        }
    }
}
