//! Policies of every type: as YAML, and as what they mean over plain spans.

use crate::component::testing::TestSpan;
use fastrand::Rng;

/// What a policy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    Keep,
    No,
    Drop,
    Error,
}

fn keep_if(keep: bool) -> Says {
    if keep { Says::Keep } else { Says::No }
}

/// A question about a span; no answer where something does not fit.
type Question = (&'static str, &'static str, fn(&TestSpan) -> Option<bool>);

/// `span` or `spanevent`, the condition, and what it means.
const QUESTIONS: &[Question] = &[
    ("span", "status.code == STATUS_CODE_ERROR", |span| Some(span.error)),
    ("span", r#"attributes[\"n\"] + 1 > 5"#, |span| (span.number != 0).then(|| span.number + 1 > 5)),
    ("span", r#"IsRootSpan() and attributes[\"b\"] == nil"#, |span| Some(span.root && !span.flag)),
    ("span", r#"resource.attributes[\"service.name\"] == \"service-1\""#, |span| Some(span.resource == 1)),
    ("spanevent", r#"name == \"exception\""#, |span| Some(span.exception)),
];

/// A policy.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    Always,
    Latency { above: i64, up_to: i64 },
    Number { min: i64, max: i64, invert: bool },
    Service { regex: bool, invert: bool },
    Flag { value: bool, invert: bool },
    Status(&'static str),
    Share(u64),
    Count { min: usize, max: usize },
    Vendor,
    Flags,
    Ask { question: usize, propagate: bool },
    Bytes { enough: bool },
    Spans { rate: u64, burst: u64, filled: u64, at_ms: u64 },
    And(Vec<Rule>),
    Not(Box<Rule>),
    Veto(Vec<Rule>),
    Budget { total: usize, percent: usize, parts: Vec<(Rule, usize)>, second: u64 },
}

impl Rule {
    /// A random one. Limiters depend on the order in which traces are decided; not everybody knows it.
    pub(super) fn random(random: &mut Rng, limiters: bool, depth: u32) -> Self {
        let invert = random.bool();
        let parts = |random: &mut Rng| {
            (0..random.usize(1..4)).map(|_| Self::random(random, limiters, depth + 1)).collect::<Vec<_>>()
        };
        match random.u32(..if depth < 2 { 19 } else { 14 }) {
            0 if depth > 0 => Self::Always,
            0..=1 => {
                Self::Latency { above: random.i64(50..1_500), up_to: if invert { 0 } else { random.i64(1_500..2_000) } }
            }
            2 => Self::Number { min: random.i64(1..6), max: if random.bool() { 0 } else { random.i64(6..10) }, invert },
            3 => Self::Service { regex: random.bool(), invert },
            4 => Self::Flag { value: random.bool(), invert },
            5..=6 => Self::Status(if random.u8(..4) == 0 { "UNSET" } else { "ERROR" }),
            7 => Self::Share(random.choice([0, 25, 50, 100]).unwrap()),
            8 => Self::Count { min: random.usize(1..5), max: if invert { 0 } else { random.usize(5..8) } },
            9 => Self::Vendor,
            10 => Self::Flags,
            11..=12 => Self::Ask { question: random.usize(..QUESTIONS.len()), propagate: random.bool() },
            13 if limiters => {
                let (rate, burst) = (random.choice([0, 1, 2, 10]).unwrap(), random.u64(1..30));
                Self::Spans { rate, burst, filled: burst * 1_000, at_ms: 0 }
            }
            13 => Self::Bytes { enough: random.bool() },
            14 => Self::Not(Box::new(Self::random(random, limiters, depth + 1))),
            15 if depth == 0 => Self::Veto(parts(random)),
            16 if depth == 0 && limiters => {
                let parts = parts(random).into_iter().map(|part| (part, 0)).collect();
                Self::Budget {
                    total: random.usize(1..40),
                    percent: random.choice([0, 25, 50, 100]).unwrap(),
                    parts,
                    second: 0,
                }
            }
            _ => Self::And(parts(random)),
        }
    }

    /// Whether it votes before the others.
    pub(super) fn vetoes(&self) -> bool {
        matches!(self, Self::Veto(_))
    }

    /// As settings under this name.
    pub(super) fn yaml(&self, name: &str) -> String {
        let parts = |parts: &[Self]| {
            let parts = parts.iter().enumerate().map(|(number, part)| part.yaml(&format!("{name}-{number}")));
            parts.collect::<Vec<_>>().join(", ")
        };
        let (kind, block) = match self {
            Self::Always => ("always_sample", String::new()),
            Self::Latency { above, up_to } => {
                ("latency", format!("threshold_ms: {above}, upper_threshold_ms: {up_to}"))
            }
            Self::Number { min, max, invert } => {
                ("numeric_attribute", format!("key: n, min_value: {min}, max_value: {max}, invert_match: {invert}"))
            }
            Self::Service { regex, invert } => {
                let values = if *regex { "'-[02]$'" } else { "service-0, service-2" };
                let settings = format!("enabled_regex_matching: {regex}, invert_match: {invert}");
                ("string_attribute", format!("key: service.name, values: [{values}], {settings}"))
            }
            Self::Flag { value, invert } => {
                ("boolean_attribute", format!("key: b, value: {value}, invert_match: {invert}"))
            }
            Self::Status(status) => ("status_code", format!("status_codes: [{status}]")),
            Self::Share(percent) => ("probabilistic", format!("sampling_percentage: {percent}")),
            Self::Count { min, max } => ("span_count", format!("min_spans: {min}, max_spans: {max}")),
            Self::Vendor => ("trace_state", "key: vendor, values: [a, b]".to_owned()),
            Self::Flags => ("trace_flags", String::new()),
            Self::Ask { question, propagate } => {
                let (key, text, _) = QUESTIONS[*question];
                let mode = if *propagate { "propagate" } else { "ignore" };
                ("ottl_condition", format!("error_mode: {mode}, {key}: [\"{text}\"]"))
            }
            Self::Bytes { enough } => {
                let bytes = if *enough { 1_000_000_000 } else { 1 };
                ("bytes_limiting", format!("bytes_per_second: {bytes}, burst_capacity: {bytes}"))
            }
            Self::Spans { rate, burst, .. } => {
                ("rate_limiting", format!("spans_per_second: {rate}, burst_capacity: {burst}"))
            }
            Self::And(all) => ("and", format!("and_sub_policy: [{}]", parts(all))),
            Self::Veto(all) => ("drop", format!("drop_sub_policy: [{}]", parts(all))),
            Self::Not(one) => ("not", format!("not_sub_policy: {}", one.yaml(&format!("{name}-0")))),
            Self::Budget { total, percent, parts: all, .. } => {
                let rules: Vec<_> = all.iter().map(|(part, _)| part.clone()).collect();
                let share = format!("rate_allocation: [{{policy: {name}-0, percent: {percent}}}]");
                let settings = format!("max_total_spans_per_second: {total}, {share}");
                ("composite", format!("{settings}, composite_sub_policy: [{}]", parts(&rules)))
            }
        };
        format!("{{name: {name}, type: {kind}, {kind}: {{{block}}}}}")
    }

    /// What it says of a trace at a time.
    pub(super) fn says(&mut self, id: &[u8], spans: &[TestSpan], now_ms: u64) -> Says {
        let any = |wanted: &dyn Fn(&TestSpan) -> bool| spans.iter().any(wanted);
        match self {
            Self::Always => Says::Keep,
            Self::Latency { above, up_to } => {
                let start = spans.iter().map(|span| span.start_ms).min().unwrap_or(0);
                let end = spans.iter().map(|span| span.end_ms).max().unwrap_or(0);
                let took = end as i64 - start as i64;
                keep_if(took > *above && (*up_to == 0 || took <= *up_to))
            }
            // An attribute that is 0 is not there.
            Self::Number { min, max, invert } => {
                let within = |number: i64| number >= *min && (*max == 0 || number <= *max);
                keep_if(any(&|span| span.number != 0 && within(span.number)) != *invert)
            }
            Self::Service { invert, .. } => keep_if(any(&|span| span.resource % 2 == 0) != *invert),
            // An attribute is there when it is true.
            Self::Flag { value, invert } => keep_if(any(&|span| span.flag && *value) != *invert),
            Self::Status(status) => keep_if(any(&|span| span.error == (*status == "ERROR"))),
            Self::Share(percent) => {
                let id: &[u8] = if id.is_empty() { &[0; 16] } else { id };
                let bytes = b"default-hash-seed".iter().chain(id);
                let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
                let most = u128::from(u64::MAX) * u128::from(*percent) / 100;
                keep_if(u128::from(bytes.fold(0xcbf2_9ce4_8422_2325, step)) <= most)
            }
            Self::Count { min, max } => keep_if(spans.len() >= *min && (*max == 0 || spans.len() <= *max)),
            Self::Vendor => keep_if(any(&|span| matches!(span.vendor, "a" | "b"))),
            Self::Flags => keep_if(any(&|span| span.sampled)),
            Self::Ask { question, propagate } => {
                let answers: Vec<_> = spans.iter().map(QUESTIONS[*question].2).collect();
                let keep = answers.contains(&Some(true));
                if !keep && *propagate && answers.contains(&None) { Says::Error } else { keep_if(keep) }
            }
            Self::Bytes { enough } => keep_if(*enough),
            Self::Spans { rate, burst, filled, at_ms } => {
                // In thousandths of a span.
                *filled = (*filled + *rate * (now_ms - *at_ms)).min(*burst * 1_000);
                *at_ms = now_ms;
                let wanted = spans.len() as u64 * 1_000;
                let enough = wanted <= *filled;
                *filled -= if enough { wanted } else { 0 };
                keep_if(enough)
            }
            Self::And(parts) => all(parts, id, spans, now_ms),
            Self::Veto(parts) => match all(parts, id, spans, now_ms) {
                Says::Keep => Says::Drop,
                other => other,
            },
            Self::Not(part) => match part.says(id, spans, now_ms) {
                Says::Keep => Says::No,
                Says::No => Says::Keep,
                other => other,
            },
            Self::Budget { total, percent, parts, second } => {
                if *second != now_ms / 1_000 {
                    *second = now_ms / 1_000;
                    parts.iter_mut().for_each(|(_, used)| *used = 0);
                }
                let equal = *total / parts.len();
                for (number, (part, used)) in parts.iter_mut().enumerate() {
                    match part.says(id, spans, now_ms) {
                        Says::Keep => {
                            let share = if number == 0 && *percent > 0 { *total * *percent / 100 } else { equal };
                            let fits = *used + spans.len() <= share;
                            *used += if fits { spans.len() } else { 0 };
                            return keep_if(fits);
                        }
                        Says::Error => return Says::Error,
                        Says::No | Says::Drop => {}
                    }
                }
                Says::No
            }
        }
    }
}

/// The first that does not keep it has the word.
fn all(parts: &mut [Rule], id: &[u8], spans: &[TestSpan], now_ms: u64) -> Says {
    for part in parts {
        match part.says(id, spans, now_ms) {
            Says::Keep => {}
            other => return other,
        }
    }
    Says::Keep
}

/// Whether a trace is kept.
pub(super) fn keeps(rules: &mut [Rule], first_match: bool, id: &[u8], spans: &[TestSpan], now_ms: u64) -> bool {
    for rule in rules.iter_mut().filter(|rule| rule.vetoes()) {
        if rule.says(id, spans, now_ms) == Says::Drop {
            return false;
        }
    }
    let mut kept = false;
    for rule in rules.iter_mut().filter(|rule| !rule.vetoes()) {
        kept |= rule.says(id, spans, now_ms) == Says::Keep;
        if kept && first_match {
            break;
        }
    }
    kept
}
