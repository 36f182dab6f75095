//! Which expressions match anywhere in a text: one walk over the automaton of the set, a slice at a time.

use super::set::Set;
use super::vm::{Scratch, Search};
use crate::plugin::guest::{Pace, SLICE};
use regex_automata::Input;
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::Cache;

/// Steps that a new state of the automaton may cost for each state of the expressions.
const STEPS_PER_STATE: usize = 2;

/// What a scan has found, and what it keeps for the next one.
pub(super) struct Scan {
    cache: Cache,
    matched: Vec<bool>,
    /// The expressions that match, in ascending order.
    pub(super) hits: Vec<u32>,
}

/// The automaton cannot say; ask the expressions.
struct Unknown;

impl Scan {
    pub(super) fn new(set: &Set) -> Self {
        Self { cache: set.all.create_cache(), matched: vec![false; set.each.len()], hits: Vec::new() }
    }

    /// Fills `hits` for this text.
    pub(super) async fn scan(
        &mut self,
        set: &Set,
        text: &str,
        scratch: &mut Scratch,
        pace: &mut Pace<'_>,
    ) -> wasmtime::Result<()> {
        self.matched.fill(false);
        self.hits.clear();
        if self.walk(set, text, pace).await?.is_err() {
            self.hits.clear();
            for (at, expression) in (0..).zip(&set.each) {
                let mut search = Search::new(expression, text, 0, scratch).earliest();
                if pace.run(&mut search).await? {
                    self.hits.push(at);
                }
            }
        }
        self.hits.sort_unstable();
        Ok(())
    }

    async fn walk(&mut self, set: &Set, text: &str, pace: &mut Pace<'_>) -> wasmtime::Result<Result<(), Unknown>> {
        let Ok(mut state) = set.all.start_state_forward(&mut self.cache, &Input::new(text)) else {
            return Ok(Err(Unknown));
        };
        // As many bytes between two looks at the clock as cost a slice, if every one of them needs a new state.
        let worst = STEPS_PER_STATE * set.all.get_nfa().states().len() + 1;
        for slice in text.as_bytes().chunks((SLICE / worst).clamp(1, 16 << 10)) {
            let (before, mut steps) = ((self.cache.memory_usage(), self.cache.clear_count()), 0);
            for byte in slice {
                match set.all.next_state(&mut self.cache, state, *byte) {
                    Ok(next) => state = next,
                    Err(_) => return Ok(Err(Unknown)),
                }
                if !state.is_tagged() {
                    continue;
                }
                if state.is_quit() {
                    return Ok(Err(Unknown));
                }
                if state.is_match() {
                    steps += self.note(set, state);
                }
                if state.is_dead() || self.hits.len() == self.matched.len() {
                    return Ok(Ok(()));
                }
            }
            let grew = before != (self.cache.memory_usage(), self.cache.clear_count());
            pace.spent(steps + slice.len() * if grew { worst } else { 1 }).await?;
        }
        match set.all.next_eoi_state(&mut self.cache, state) {
            Ok(state) if state.is_match() => {
                self.note(set, state);
                Ok(Ok(()))
            }
            Ok(_) => Ok(Ok(())),
            Err(_) => Ok(Err(Unknown)),
        }
    }

    /// Notes what matches in this state; how many those are.
    fn note(&mut self, set: &Set, state: LazyStateID) -> usize {
        let count = set.all.match_len(&self.cache, state);
        for at in 0..count {
            let pattern = set.all.match_pattern(&self.cache, state, at);
            if let Some(matched) = self.matched.get_mut(pattern.as_usize())
                && !std::mem::replace(matched, true)
            {
                self.hits.push(pattern.as_u32());
            }
        }
        count
    }
}
