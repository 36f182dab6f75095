//! Regular expressions with the crate that the host uses. Sets live as long as the process, which is a test.

use super::{Matches, Texts};
use regex::Regex;
use std::sync::{Arc, Mutex, PoisonError};

const PATTERNS_MAX: usize = 1000;
const BYTES_MAX: usize = 256 << 10;
/// Largest program of one expression, as in the host.
const PROGRAM_BYTES_MAX: usize = 1 << 20;

static SETS: Mutex<Vec<Arc<[Regex]>>> = Mutex::new(Vec::new());

pub(crate) fn compile_patterns(patterns: &[String]) -> Result<u32, String> {
    if patterns.len() > PATTERNS_MAX {
        return Err(format!("{} expressions in a set; {PATTERNS_MAX} are possible", patterns.len()));
    }
    if patterns.iter().map(String::len).sum::<usize>() > BYTES_MAX {
        return Err("the expressions of a set have more than 256 KiB of text".to_owned());
    }
    let compile = |(at, pattern): (usize, &String)| {
        let made = regex::RegexBuilder::new(pattern).size_limit(PROGRAM_BYTES_MAX).build();
        made.map_err(|error| format!("expression {at}, {pattern:?}: {error}"))
    };
    let set: Arc<[Regex]> = patterns.iter().enumerate().map(compile).collect::<Result<_, _>>()?;
    let mut sets = SETS.lock().unwrap_or_else(PoisonError::into_inner);
    sets.push(set);
    u32::try_from(sets.len() - 1).map_err(|_| "too many sets".to_owned())
}

fn set(number: u32) -> Arc<[Regex]> {
    let sets = SETS.lock().unwrap_or_else(PoisonError::into_inner);
    sets.get(number as usize).cloned().unwrap_or_default()
}

pub(crate) fn pattern_groups(number: u32, pattern: u32) -> Vec<String> {
    let set = set(number);
    let groups = set.get(pattern as usize).into_iter().flat_map(Regex::capture_names);
    groups.map(|name| name.unwrap_or_default().to_owned()).collect()
}

pub(crate) fn match_patterns(number: u32, texts: &Texts) -> Matches {
    let (set, mut matches) = (set(number), Matches::default());
    for (at, text) in (0..).zip(texts.iter()) {
        for (pattern, _) in (0..).zip(set.iter()).filter(|(_, regex)| regex.is_match(text)) {
            matches.texts.push(at);
            matches.patterns.push(pattern);
        }
    }
    matches
}

pub(crate) fn find_patterns(number: u32, texts: &Texts) -> Matches {
    let (set, mut matches) = (set(number), Matches::default());
    for (at, text) in (0..).zip(texts.iter()) {
        for (pattern, regex) in (0..).zip(set.iter()) {
            for found in regex.find_iter(text) {
                matches.texts.push(at);
                matches.patterns.push(pattern);
                matches.starts.push(found.start() as u32);
                matches.ends.push(found.end() as u32);
            }
        }
    }
    matches
}

pub(crate) fn capture_groups(number: u32, pattern: u32, text: &str) -> Vec<Option<(u32, u32)>> {
    let set = set(number);
    let Some(found) = set.get(pattern as usize).and_then(|regex| regex.captures(text)) else { return Vec::new() };
    found.iter().map(|group| group.map(|group| (group.start() as u32, group.end() as u32))).collect()
}
