//! Random policies of every type, with odd values.

use super::conditions::{About, Conditions};
use super::values::{INTS, KEYS, TEXTS, one, pattern, rarely};
use fastrand::Rng;
use serde_json::{Map, Value, json};

/// Every type of the Collector.
pub const TYPES: &[&str] = &[
    "always_sample",
    "latency",
    "numeric_attribute",
    "string_attribute",
    "boolean_attribute",
    "status_code",
    "probabilistic",
    "rate_limiting",
    "bytes_limiting",
    "span_count",
    "trace_state",
    "trace_flags",
    "ottl_condition",
    "and",
    "not",
    "drop",
    "composite",
];

/// What is sent to a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// Random traces; which of them come out is compared.
    Random,
    /// Equal traces in one request; how many of them come out is compared, since the Collector decides those of a tick in no order.
    Equal,
    /// Random traces, each whole in one request.
    Whole,
    /// The same, to a processor that makes senders wait.
    Blocking,
    /// Random traces that wait for their decision when both are told to end.
    Pending,
}

impl Traffic {
    /// All there are.
    pub const ALL: [Self; 5] = [Self::Random, Self::Equal, Self::Whole, Self::Blocking, Self::Pending];

    /// Its name in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Equal => "equal",
            Self::Whole => "whole",
            Self::Blocking => "blocking",
            Self::Pending => "pending",
        }
    }
}

/// Traces in one request of [`Traffic::Whole`].
pub const WHOLE_AT_ONCE: usize = 30;

/// A processor that is compared.
#[derive(Clone, Debug)]
pub struct Case {
    /// The type that it is about.
    pub kind: &'static str,
    /// Settings of the processor.
    pub settings: Value,
    /// Settings that only Tailrace gets: bounds at which it decides early, where the Collector forgets.
    pub ours: Value,
    /// What is sent to it.
    pub traffic: Traffic,
}

/// A random case about a type. With `consistent` the two use tracestates.
pub fn case(random: &mut Rng, kind: &'static str, times: &Times, consistent: bool) -> Case {
    let counted = match kind {
        "rate_limiting" | "bytes_limiting" => true,
        "composite" => random.bool(),
        "and" | "not" | "drop" => rarely(random, 3),
        _ => false,
    };
    let traffic = match random.u32(..12) {
        _ if counted => Traffic::Equal,
        0..=1 => Traffic::Whole,
        2 => Traffic::Pending,
        _ => Traffic::Random,
    };
    let policies = policies(random, kind, traffic);
    let mut settings = json!({"decision_wait": times.wait, "policies": policies});
    if traffic == Traffic::Pending {
        settings["decision_wait"] = "1h".into();
        if random.bool() {
            settings["drop_pending_traces_on_shutdown"] = random.bool().into();
        }
    }
    if rarely(random, 10) {
        settings["expected_new_traces_per_sec"] = (*one(random, &[0, 1, 1_000])).into();
    }
    if rarely(random, 3) && !consistent {
        settings["sample_on_first_match"] = random.bool().into();
    }
    if rarely(random, 6) && traffic != Traffic::Equal {
        settings["maximum_trace_size_bytes"] = (*one(random, &[0, 1, 300, 600, 1200])).into();
    }
    let on_ingest = rarely(random, 5) && traffic != Traffic::Equal;
    if on_ingest {
        settings["sampling_strategy"] = "span-ingest".into();
    }
    if rarely(random, 4) {
        // One that decides on ingest forgets with a small cache between two spans of one request, as chance has it.
        settings["decision_cache"] = match random.u32(..if on_ingest { 4 } else { 5 }) {
            4 => json!({"sampled_cache_size": 20, "non_sampled_cache_size": 20}),
            3 => json!({"sampled_cache_size": 0, "non_sampled_cache_size": -1}),
            0 => json!({"sampled_cache_size": 100_000, "non_sampled_cache_size": 100_000}),
            1 => json!({"sampled_cache_size": 100_000}),
            _ => json!({"non_sampled_cache_size": 100_000}),
        };
    }
    if counted && consistent {
        settings["num_shards"] = 1.into();
    } else if rarely(random, 6) {
        settings["num_shards"] = (*one(random, &[0, 1, 2, 7])).into();
    }
    if rarely(random, 4) && traffic != Traffic::Pending {
        settings["decision_wait_after_root_received"] = times.root_wait.clone().into();
    }
    let mut ours = json!({});
    if traffic == Traffic::Whole {
        // Enough for each request, so that no trace is decided before all of it has come.
        let shards = random.usize(1..3);
        ours = json!({"num_traces": shards * WHOLE_AT_ONCE + random.usize(..20), "num_shards": shards});
    }
    Case { kind, settings, ours, traffic }
}

/// A case in which senders wait until traces were decided.
pub fn blocking_case(random: &mut Rng, kind: &'static str) -> Case {
    let policies = policies(random, kind, Traffic::Blocking);
    // The Collector has room again only once decisions are in its caches.
    let settings = json!({
        "decision_wait": "1s", "policies": policies, "num_traces": random.u32(40..80), "block_on_overflow": true,
        "decision_cache": {"sampled_cache_size": 100_000, "non_sampled_cache_size": 100_000},
    });
    Case { kind, settings, ours: json!({}), traffic: Traffic::Blocking }
}

/// The waits of a processor.
#[derive(Clone, Debug)]
pub struct Times {
    /// `decision_wait`.
    pub wait: String,
    /// `decision_wait_after_root_received`.
    pub root_wait: String,
}

fn policies(random: &mut Rng, kind: &'static str, traffic: Traffic) -> Vec<Value> {
    let mut maker = Maker { random, traffic, numbers: 0 };
    let mut policies = vec![maker.policy(kind, 0)];
    if rarely(maker.random, 100) {
        // Another policy of the same name, or none.
        let mut more = maker.policy("always_sample", 0);
        more["name"] = (*one(maker.random, &["p1", ""])).into();
        policies.push(more);
    }
    if traffic == Traffic::Equal {
        if kind == "drop" {
            policies.push(maker.policy("always_sample", 0));
        } else if rarely(maker.random, 4) {
            let kind = UNIFORM[maker.random.usize(..UNIFORM.len())];
            let more = maker.policy(kind, 0);
            policies.insert(maker.random.usize(..=1), more);
        }
        return policies;
    }
    while rarely(maker.random, 4) {
        let kind = loop {
            let kind = *one(maker.random, TYPES);
            if !matches!(kind, "rate_limiting" | "bytes_limiting" | "composite") {
                break kind;
            }
        };
        let more = maker.policy(kind, 0);
        policies.insert(maker.random.usize(..=policies.len()), more);
    }
    policies
}

/// Types that say the same of all equal traces.
const UNIFORM: &[&str] = &["always_sample", "span_count"];

struct Maker<'r> {
    random: &'r mut Rng,
    traffic: Traffic,
    numbers: u32,
}

impl Maker<'_> {
    fn policy(&mut self, kind: &'static str, depth: u32) -> Value {
        self.numbers += 1;
        let mut policy = json!({"name": format!("p{}", self.numbers), "type": kind});
        if let Some(block) = self.block(kind, depth) {
            policy[kind] = block;
        }
        policy
    }

    /// Sometimes absent.
    fn set(&mut self, block: &mut Map<String, Value>, key: &str, value: Value) {
        if !rarely(self.random, 6) {
            block.insert(key.to_owned(), value);
        }
    }

    fn int(&mut self, of: &[i64]) -> Value {
        (*one(self.random, of)).into()
    }

    fn key(&mut self) -> Value {
        (*one(self.random, KEYS)).into()
    }

    fn block(&mut self, kind: &'static str, depth: u32) -> Option<Value> {
        if rarely(self.random, 60) {
            return None;
        }
        let mut block = Map::new();
        match kind {
            "always_sample" | "trace_flags" => return None,
            "latency" => {
                let low = self.int(&[-5, 0, 1, 10, 99, 100, 1_000, 2_000, 10_000, i64::MAX]);
                let high = self.int(&[0, 0, -1, 50, 100, 1_000, 3_000, 100_000]);
                self.set(&mut block, "threshold_ms", low);
                self.set(&mut block, "upper_threshold_ms", high);
            }
            "numeric_attribute" => {
                let (key, low, high) = (self.key(), self.int(INTS), self.int(INTS));
                let invert = self.random.bool();
                self.set(&mut block, "key", key);
                self.set(&mut block, "min_value", low);
                self.set(&mut block, "max_value", high);
                self.set(&mut block, "invert_match", invert.into());
            }
            "string_attribute" => self.string_attribute(&mut block),
            "boolean_attribute" => {
                let (key, value, invert) = (self.key(), self.random.bool(), self.random.bool());
                self.set(&mut block, "key", key);
                self.set(&mut block, "value", value.into());
                self.set(&mut block, "invert_match", invert.into());
            }
            "status_code" => {
                let words = ["OK", "ERROR", "UNSET", "OK", "ERROR", "UNSET", "ok", "Error", ""];
                let most = if rarely(self.random, 4) { words.len() } else { 6 };
                let count = if rarely(self.random, 10) { 0 } else { self.random.usize(1..3) };
                let codes: Vec<_> = (0..count).map(|_| *one(self.random, &words[..most])).collect();
                block.insert("status_codes".to_owned(), codes.into());
            }
            "probabilistic" => {
                let percent =
                    *one(self.random, &[-5.0, 0.0, 1e-9, 0.5, 10.0, 33.333, 50.0, 90.0, 99.999_999, 100.0, 150.0]);
                let salt = *one(self.random, &["", "default-hash-seed", "salt", "ü"]);
                self.set(&mut block, "sampling_percentage", percent.into());
                self.set(&mut block, "hash_salt", salt.into());
            }
            "rate_limiting" | "bytes_limiting" => {
                let (rate, scale) =
                    if kind == "rate_limiting" { ("spans_per_second", 1) } else { ("bytes_per_second", 60) };
                // At most two tokens flow in while the traces are decided: less than a trace.
                let burst = *one(self.random, &[-1, 0, 0, 1, 4, 5, 23, 100, 1_000]);
                let tokens = *one(self.random, &[-1, 0, 1, 2]);
                self.set(&mut block, rate, tokens.into());
                self.set(&mut block, "burst_capacity", (burst * scale).into());
            }
            "span_count" => {
                let max = i64::from(i32::MAX);
                let (low, high) = (self.int(&[-1, 0, 1, 2, 3, 5, 9, 70]), self.int(&[0, 0, 1, 2, 3, 5, -2, max]));
                self.set(&mut block, "min_spans", low);
                self.set(&mut block, "max_spans", high);
            }
            "trace_state" => {
                let key = *one(self.random, &["vendor", "vendor", "other", "tenant@sys", "ot", "Vendor", ""]);
                let values: Vec<_> = (0..self.random.usize(..4))
                    .map(|_| *one(self.random, &["a", "b", "", "a=b", " a", "th:8;rv:abcdefabcdefab"]))
                    .collect();
                self.set(&mut block, "key", key.into());
                self.set(&mut block, "values", values.into());
            }
            "ottl_condition" => self.ottl_condition(&mut block),
            "and" => {
                let parts = self.parts(depth, &["composite", "drop", "and"]);
                block.insert("and_sub_policy".to_owned(), parts.into());
            }
            "drop" => {
                let parts = self.parts(depth, &["composite", "drop", "and"]);
                block.insert("drop_sub_policy".to_owned(), parts.into());
            }
            "not" => {
                let part = self.part(depth, &["composite", "drop", "and", "not"]);
                block.insert("not_sub_policy".to_owned(), part);
            }
            _ => self.composite(&mut block, depth),
        }
        Some(block.into())
    }

    fn string_attribute(&mut self, block: &mut Map<String, Value>) {
        let regex = self.random.bool();
        let words: Vec<String> = (0..self.random.usize(..4))
            .map(|_| {
                let word = if regex { pattern(self.random) } else { *one(self.random, TEXTS) };
                word.to_owned()
            })
            .collect();
        let (key, cache, invert) = (self.key(), self.int(&[-1, 0, 1, 128]), self.random.bool());
        self.set(block, "key", key);
        self.set(block, "values", words.into());
        self.set(block, "enabled_regex_matching", regex.into());
        self.set(block, "cache_max_size", cache);
        self.set(block, "invert_match", invert.into());
    }

    fn ottl_condition(&mut self, block: &mut Map<String, Value>) {
        let mode = *one(self.random, &["ignore", "silent", "propagate", "ignore", "propagate", "IGNORE"]);
        if self.random.bool() {
            block.insert("error_mode".to_owned(), mode.into());
        }
        for (key, about) in [("span", About::Span), ("spanevent", About::Event)] {
            let count = if self.random.bool() { self.random.usize(1..3) } else { 0 };
            let random = &mut *self.random;
            let conditions: Vec<_> = (0..count)
                .map(|_| {
                    let depth = random.u32(..3);
                    Conditions { random, about }.condition(depth)
                })
                .collect();
            if count > 0 {
                block.insert(key.to_owned(), conditions.into());
            }
        }
    }

    /// A policy inside another, about equal traces.
    fn counted_part(&mut self, depth: u32) -> Value {
        let kind = match self.random.u32(..4) {
            0 => *one(self.random, UNIFORM),
            1 => "bytes_limiting",
            _ => "rate_limiting",
        };
        self.policy(kind, depth + 1)
    }

    /// A policy inside another: one of those types rarely.
    fn part(&mut self, depth: u32, unusual: &[&str]) -> Value {
        if self.traffic == Traffic::Equal {
            return self.counted_part(depth);
        }
        loop {
            let kind = *one(self.random, TYPES);
            let timed = matches!(kind, "rate_limiting" | "bytes_limiting" | "composite");
            let nested = matches!(kind, "and" | "not" | "drop");
            if timed || depth > 1 && nested || unusual.contains(&kind) && !rarely(self.random, 10) {
                continue;
            }
            let mut part = self.policy(kind, depth + 1);
            if rarely(self.random, 8) {
                part.as_object_mut().expect("a policy").remove("name");
            }
            return part;
        }
    }

    fn parts(&mut self, depth: u32, unusual: &[&str]) -> Vec<Value> {
        let count = if rarely(self.random, 15) { 0 } else { self.random.usize(1..4) };
        (0..count).map(|_| self.part(depth, unusual)).collect()
    }

    fn composite(&mut self, block: &mut Map<String, Value>, depth: u32) {
        let equal = self.traffic == Traffic::Equal;
        let count = self.random.usize(1..4);
        let mut parts = Vec::new();
        for number in 0..count {
            let mut part = if equal {
                // On equal traces all of one kind say the same.
                let kind = *one(self.random, &["always_sample", "span_count"]);
                self.policy(kind, depth + 1)
            } else {
                self.part(depth, &["composite", "drop", "not"])
            };
            part["name"] = format!("s{number}").into();
            parts.push(part);
        }
        let mut order: Vec<_> = (0..count).map(|number| format!("s{number}")).collect();
        if rarely(self.random, 4) {
            self.random.shuffle(&mut order);
        }
        let total = if equal { self.int(&[-1, 0, 4, 5, 23, 50, 100, 1_000]) } else { 1_000_000_000.into() };
        let mut rates = Vec::new();
        for name in &order {
            if self.random.bool() {
                let percent = if equal { self.int(&[-1, 0, 1, 30, 50, 100, 150]) } else { 50.into() };
                rates.push(json!({"policy": name, "percent": percent}));
            }
        }
        if rarely(self.random, 10) {
            rates.push(json!({"policy": "unknown", "percent": 10}));
        }
        if rarely(self.random, 10) {
            order.pop();
        }
        self.set(block, "max_total_spans_per_second", total);
        self.set(block, "policy_order", order.into());
        block.insert("composite_sub_policy".to_owned(), parts.into());
        self.set(block, "rate_allocation", rates.into());
    }
}
