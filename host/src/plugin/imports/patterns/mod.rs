//! Regular expressions: `compile-patterns` and what is done with them.
//!
//! | file | what |
//! |---|---|
//! | `set` | compiled expressions, shared by all instances |
//! | `expression` | one expression: read, and compiled unless that would take too long |
//! | `together` | all expressions of a set as one program |
//! | `scan` | which expressions match in a text, in one pass |
//! | `vm` | where a match and its groups are |
//!
//! Everything works in slices against the clock of the call, since a guest chooses both the expression and the text. A search
//! looks at the clock every few hundred microseconds. Compiling does so after each expression, which may take a tenth of a
//! second, and is never done on a worker. What a set costs counts as memory of the instance.

mod expression;
mod scan;
mod set;
#[cfg(test)]
mod tests;
mod together;
mod vm;

use super::{TooMuch, each};
use crate::plugin::bindings::host::{Matches, Texts};
use crate::plugin::guest::{Pace, SLICE};
use crate::plugin::limits::Memory;
use scan::Scan;
use set::Set;
use std::sync::Arc;
use vm::{Scratch, Search};

/// Sets of one instance.
const SETS_MAX: usize = 64;
/// What a search costs, however short it is.
const SEARCH_STEPS: usize = 50;
/// Bytes of one match in what goes back to the guest.
const MATCH_BYTES: usize = 16;

/// Why a set is not compiled: the text for the author.
type Refused = String;

/// The sets of one instance.
#[derive(Default)]
pub(in crate::plugin) struct Patterns {
    sets: Vec<Held>,
    scratch: Scratch,
}

struct Held {
    set: Arc<Set>,
    scan: Option<Scan>,
}

impl Patterns {
    /// Compiles a set; its number, or what is wrong with it.
    pub(in crate::plugin) async fn compile(
        &mut self,
        patterns: Vec<String>,
        memory: &mut Memory,
        pace: &mut Pace<'_>,
    ) -> wasmtime::Result<Result<u32, String>> {
        let set = match Set::compile(patterns, pace).await? {
            Ok(set) => set,
            Err(refused) => return Ok(Err(refused)),
        };
        let known = self.sets.iter().position(|held| Arc::ptr_eq(&held.set, &set));
        let number = known.unwrap_or(self.sets.len());
        if known.is_none() {
            if number >= SETS_MAX {
                return Ok(Err(format!("this instance has {SETS_MAX} sets of expressions, and no room for another")));
            }
            if !memory.hold(set.memory_bytes()) {
                let mib = set.memory_bytes().div_ceil(1 << 20);
                return Ok(Err(format!("the set needs {mib} MiB, which is more than memory_mib leaves")));
            }
            self.sets.push(Held { set, scan: None });
        }
        Ok(u32::try_from(number).map_err(|_| "too many sets".to_owned()))
    }

    /// Names of groups.
    pub(in crate::plugin) fn groups(&self, set: u32, pattern: u32) -> Vec<String> {
        let expression = self.sets.get(set as usize).and_then(|held| held.set.each.get(pattern as usize));
        expression.map_or_else(Vec::new, |expression| expression.groups().map(str::to_owned).collect())
    }

    /// Which expressions match in which texts.
    pub(in crate::plugin) async fn matching(
        &mut self,
        set: u32,
        texts: &Texts,
        room: usize,
        pace: &mut Pace<'_>,
    ) -> wasmtime::Result<Matches> {
        let mut matches = nothing();
        let Some(mut pass) = self.pass(set, each(texts)) else { return Ok(matches) };
        while let Some((at, _)) = pass.next(pace).await? {
            for pattern in &pass.scan.hits {
                matches.texts.push(at);
                matches.patterns.push(*pattern);
            }
            enough(&matches, room)?;
        }
        Ok(matches)
    }

    /// Every match.
    pub(in crate::plugin) async fn find(
        &mut self,
        set: u32,
        texts: &Texts,
        room: usize,
        pace: &mut Pace<'_>,
    ) -> wasmtime::Result<Matches> {
        let mut matches = nothing();
        let Some(mut pass) = self.pass(set, each(texts)) else { return Ok(matches) };
        while let Some((at, text)) = pass.next(pace).await? {
            for pattern in &pass.scan.hits {
                let Some(expression) = pass.set.each.get(*pattern as usize) else { continue };
                let (mut from, mut before) = (0, None);
                while from <= text.len() {
                    let mut search = Search::new(expression, text, from, pass.scratch);
                    if !pace.run(&mut search).await? {
                        break;
                    }
                    let Some((start, end)) = search.group(0) else { break };
                    let empty = start == end;
                    // An empty match right behind another match is none.
                    if !(empty && before == Some(end)) {
                        matches.texts.push(at);
                        matches.patterns.push(*pattern);
                        matches.starts.push(start);
                        matches.ends.push(end);
                        enough(&matches, room)?;
                    }
                    before = Some(end);
                    from = if empty { text.ceil_char_boundary(end as usize + 1) } else { end as usize };
                    if empty && end as usize >= text.len() {
                        break;
                    }
                }
            }
        }
        Ok(matches)
    }

    /// Begins to scan texts; nothing if there is no such set.
    fn pass<'a, I: Iterator<Item = Option<&'a str>>>(&mut self, set: u32, texts: I) -> Option<Pass<'_, I>> {
        let Held { set, scan } = self.sets.get_mut(set as usize)?;
        let scan = scan.get_or_insert_with(|| Scan::new(set));
        Some(Pass { set, scan, scratch: &mut self.scratch, texts: (0..).zip(texts) })
    }

    /// The groups of the first match.
    pub(in crate::plugin) async fn captures(
        &mut self,
        set: u32,
        pattern: u32,
        text: &str,
        pace: &mut Pace<'_>,
    ) -> wasmtime::Result<Vec<Option<(u32, u32)>>> {
        let expression = self.sets.get(set as usize).and_then(|held| held.set.each.get(pattern as usize));
        let Some(expression) = expression else { return Ok(Vec::new()) };
        let mut search = Search::new(expression, text, 0, &mut self.scratch).with_groups();
        if !pace.run(&mut search).await? {
            return Ok(Vec::new());
        }
        Ok((0..expression.slots() / 2).map(|group| search.group(group)).collect())
    }
}

/// A set on its way through texts.
struct Pass<'a, I> {
    set: &'a Set,
    scan: &'a mut Scan,
    scratch: &'a mut Scratch,
    texts: std::iter::Zip<std::ops::RangeFrom<u32>, I>,
}

impl<'a, I: Iterator<Item = Option<&'a str>>> Pass<'_, I> {
    /// Scans the next text; its number, and the text. What matches in it is in `scan.hits` then.
    async fn next(&mut self, pace: &mut Pace<'_>) -> wasmtime::Result<Option<(u32, &'a str)>> {
        for (at, text) in self.texts.by_ref() {
            pace.spent(10).await?;
            let Some(text) = text else { continue };
            self.scan.scan(self.set, text, self.scratch, pace).await?;
            return Ok(Some((at, text)));
        }
        Ok(None)
    }
}

impl Pace<'_> {
    /// Runs a search to its end; whether there is a match.
    async fn run(&mut self, search: &mut Search<'_>) -> wasmtime::Result<bool> {
        self.spent(SEARCH_STEPS).await?;
        let mut counted = 0;
        loop {
            let done = search.run(SLICE);
            let steps = search.steps();
            self.spent(steps - counted).await?;
            counted = steps;
            if let Some(matched) = done {
                return Ok(matched);
            }
        }
    }
}

fn nothing() -> Matches {
    Matches { texts: Vec::new(), patterns: Vec::new(), starts: Vec::new(), ends: Vec::new() }
}

fn enough(matches: &Matches, room: usize) -> Result<(), TooMuch> {
    let fits = matches.texts.len() <= room / MATCH_BYTES;
    if fits { Ok(()) } else { Err(TooMuch("matches of its expressions")) }
}
