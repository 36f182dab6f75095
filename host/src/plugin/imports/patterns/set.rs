//! Compiled expressions. Instances that compile the same share them, over all plugins of the process.

use super::Refused;
use super::expression;
use super::together::Together;
use super::vm::Expression;
use crate::plugin::guest::{Pace, SLICE};
use regex_automata::MatchKind;
use regex_automata::hybrid::dfa::{Builder, Config, DFA};
use regex_automata::nfa::thompson::NFA;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Expressions in a set.
const PATTERNS_MAX: usize = 1000;
/// Text of all expressions of a set.
const TEXT_BYTES_MAX: usize = 256 << 10;
/// All compiled expressions of a set.
const SET_BYTES_MAX: usize = 16 << 20;
/// What a scan may remember of the set's automaton: for each byte of it, and at least and at most.
const SCAN_BYTES_PER_BYTE: usize = 8;
const SCAN_BYTES_MIN: usize = 128 << 10;
const SCAN_BYTES_MAX: usize = 2 << 20;
/// States of an expression times slots of its groups: the memory of a search.
const SEARCH_SLOTS_MAX: usize = 1 << 20;

/// Some expressions.
pub(super) struct Set {
    pub(super) each: Vec<Expression>,
    /// All of them in one automaton, which is built as it is walked.
    pub(super) all: DFA,
    memory_bytes: usize,
}

impl Set {
    /// Compiles a set, or finds it compiled.
    pub(super) async fn compile(
        patterns: Vec<String>,
        pace: &mut Pace<'_>,
    ) -> wasmtime::Result<Result<Arc<Self>, Refused>> {
        type Known = HashMap<Vec<String>, Weak<Set>>;
        static KNOWN: Mutex<Option<Known>> = Mutex::new(None);
        let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if patterns.len() > PATTERNS_MAX {
            return Ok(Err(format!("{} expressions in a set; {PATTERNS_MAX} are possible", patterns.len())));
        }
        if patterns.iter().map(String::len).sum::<usize>() > TEXT_BYTES_MAX {
            return Ok(Err(format!("the expressions of a set have more than {} KiB of text", TEXT_BYTES_MAX >> 10)));
        }
        let found = known().as_ref().and_then(|sets| sets.get(&patterns)?.upgrade());
        if let Some(set) = found {
            return Ok(Ok(set));
        }
        let set = match Self::compile_anew(&patterns, pace).await? {
            Ok(set) => Arc::new(set),
            Err(refused) => return Ok(Err(refused)),
        };
        let mut known = known();
        let sets = known.get_or_insert_default();
        sets.retain(|_, set| set.strong_count() > 0);
        sets.insert(patterns, Arc::downgrade(&set));
        Ok(Ok(set))
    }

    /// The expressions one by one, each in a piece that cannot be interrupted, and none of them on a worker.
    async fn compile_anew(patterns: &[String], pace: &mut Pace<'_>) -> wasmtime::Result<Result<Self, Refused>> {
        pace.leave_worker().await;
        let mut all = match Together::new(SET_BYTES_MAX) {
            Ok(all) => all,
            Err(refused) => return Ok(Err(refused)),
        };
        let (mut each, mut bytes) = (Vec::with_capacity(patterns.len()), 0);
        for (at, pattern) in patterns.iter().enumerate() {
            match Self::compile_one(pattern, &mut all) {
                Ok(expression) => {
                    bytes += expression.memory_bytes();
                    each.push(expression);
                }
                Err(reason) => return Ok(Err(format!("expression {at}, {:?}: {reason}", shown(pattern)))),
            }
            if bytes > SET_BYTES_MAX {
                let limit = SET_BYTES_MAX >> 20;
                return Ok(Err(format!("expression {at}: up to here the set needs more than {limit} MiB compiled")));
            }
            pace.spent(SLICE).await?;
        }
        let all = match all.build().and_then(automaton) {
            Ok(all) => all,
            Err(reason) => return Ok(Err(format!("the expressions together: {reason}"))),
        };
        pace.spent(SLICE).await?;
        let search = each.iter().map(|expression| 8 * expression.states() * expression.slots()).max().unwrap_or(0);
        let scan = all.get_config().get_cache_capacity();
        // The text is how others find the set.
        let text: usize = patterns.iter().map(|pattern| size_of::<String>() + pattern.len()).sum();
        let memory_bytes = text + bytes + all.memory_usage() + search + scan;
        Ok(Ok(Self { each, all, memory_bytes }))
    }

    fn compile_one(pattern: &str, all: &mut Together) -> Result<Expression, Refused> {
        let (program, is_anchored) = expression::compile(pattern)?;
        all.add(&program, is_anchored)?;
        let expression = Expression::new(program);
        if expression.states() * expression.slots() > SEARCH_SLOTS_MAX {
            return Err("it is too large for so many groups".to_owned());
        }
        Ok(expression)
    }

    /// What it costs an instance to use it, everything included.
    pub(super) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }
}

fn automaton(program: NFA) -> Result<DFA, Refused> {
    let scan = program.memory_usage().saturating_mul(SCAN_BYTES_PER_BYTE).clamp(SCAN_BYTES_MIN, SCAN_BYTES_MAX);
    let config = Config::new()
        .match_kind(MatchKind::All)
        .unicode_word_boundary(true)
        .cache_capacity(scan)
        .skip_cache_capacity_check(true)
        .minimum_cache_clear_count(None);
    Builder::new().configure(config).build_from_nfa(program).map_err(|error| error.to_string())
}

/// The beginning of an expression, for a message.
fn shown(pattern: &str) -> &str {
    crate::plugin::log::cut(pattern, 200)
}
