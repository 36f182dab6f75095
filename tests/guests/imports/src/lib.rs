//! A guest of the tests: it does to the host what its configuration says, and puts the answer into every attribute
//! `victim`, which may hold the question.

use serde::Deserialize;
use tailrace_sdk::hash::{Algorithm, digest, digest_all, hex};
use tailrace_sdk::metrics::{Counter, Gauge, Histogram};
use tailrace_sdk::patterns::Patterns;
use tailrace_sdk::{Attribute, Attributes, Edit, Interest, Plugin, Value, clock};

/// What to do.
#[derive(Deserialize)]
struct Config {
    #[serde(rename = "do")]
    what: String,
    /// Expressions to compile.
    #[serde(default)]
    patterns: Vec<String>,
    /// How many or how long.
    #[serde(default)]
    size: usize,
}

struct Imports {
    config: Config,
    patterns: Patterns,
    seen: Counter,
    last: Gauge,
    lengths: Histogram,
}

impl Plugin for Imports {
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        Ok(Self {
            patterns: Patterns::compile(config.patterns.clone())?,
            seen: Counter::open("imports_seen"),
            last: Gauge::with_labels("imports_last_length", &[("unit", "bytes")]),
            lengths: Histogram::open("imports_lengths"),
            config,
        })
    }

    fn interest(&self) -> Interest {
        Interest::in_attributes(["victim"])
    }
}

impl Attributes for Imports {
    fn attribute(&mut self, attribute: &Attribute<'_>) -> Edit {
        match attribute.value {
            Value::String(question) => {
                Edit::set(self.answer(question).unwrap_or_else(|error| format!("error: {error}")))
            }
            _ => Edit::Keep,
        }
    }
}

impl Imports {
    fn answer(&self, question: &str) -> Result<String, String> {
        let size = self.config.size;
        Ok(match self.config.what.as_str() {
            "count" => {
                self.seen.add(1);
                self.last.set(question.len());
                self.lengths.record(question.len());
                "counted".to_owned()
            }
            // As many series as it can get, under names that come from telemetry.
            "flood" => {
                for number in 0..size {
                    Counter::open(&format!("flood_{question}_{number}")).add(1);
                }
                "flooded".to_owned()
            }
            // Calls as quickly as it can.
            "record" => {
                let before = clock::now();
                for _ in 0..size {
                    self.seen.add(1);
                }
                (clock::now() - before).to_string()
            }
            // `algorithm key text`
            "hash" => {
                let mut words = question.splitn(3, ' ');
                let mut word = || words.next().unwrap_or_default();
                let (algorithm, key, text): (Algorithm, _, _) = (word().parse()?, word(), word());
                hex(&digest(algorithm, key.as_bytes(), text)?)
            }
            "hash many" => digest_all(Algorithm::Sha512, b"", &vec![question; size])?.len().to_string(),
            "hash long" => {
                let long = question.repeat(size);
                loop {
                    digest(Algorithm::Sha3_256, b"", &long)?;
                }
            }
            "match" => format!("{:?}", self.patterns.matches(question).collect::<Vec<_>>()),
            "find" => {
                let found = self.patterns.find(question);
                let show = |one: &tailrace_sdk::patterns::Match| format!("{}:{:?}", one.pattern, one.range);
                found.iter().map(show).collect::<Vec<_>>().join(" ")
            }
            "capture" => match self.patterns.captures(0, question) {
                Some(captures) => captures.named().map(|(name, text)| format!("{name}={text} ")).collect(),
                None => "none".to_owned(),
            },
            "replace" => self.patterns.replace(question, |_| "****".to_owned()).into_owned(),
            "find in long" => self.patterns.find(&question.repeat(size)).len().to_string(),
            "match in long" => self.patterns.is_match(&question.repeat(size)).to_string(),
            "match often" => {
                let (texts, before) = (vec![question; 1000], clock::now());
                for _ in 0..size {
                    self.patterns.matches_all(&texts);
                }
                ((clock::now() - before) / size as u64).to_string()
            }
            "compile more" => {
                let mut sets = 0;
                let error = loop {
                    match Patterns::compile([format!("{question} {sets}")]) {
                        Ok(_) => sets += 1,
                        Err(error) => break error,
                    }
                };
                format!("{sets}: {error}")
            }
            other => return Err(format!("I do not know how to {other}")),
        })
    }
}

tailrace_sdk::export!(Imports: attributes);
