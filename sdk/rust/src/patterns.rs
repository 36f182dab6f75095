//! Regular expressions, compiled and run by the host at native speed and shared by all instances of a plugin.
//!
//! ```
//! use tailrace_sdk::patterns::Patterns;
//!
//! let cards = Patterns::compile([r"\b4\d{3}(?:[ -]?\d{4}){3}\b", r"\b3[47]\d{13}\b"])?;
//! assert!(cards.is_match("card 4111 1111 1111 1111"));
//! assert_eq!(cards.replace("card 4111 1111 1111 1111", |_| "****".into()), "card ****");
//!
//! let user = Patterns::compile(["^/users/(?P<id>[0-9]+)/"])?;
//! let captures = user.captures(0, "/users/42/orders").unwrap();
//! assert_eq!(captures.name("id"), Some("42"));
//! # Ok::<(), String>(())
//! ```
//!
//! The syntax is that of RE2 (no look-around, no back-references), so the time for a text grows with its length and no
//! text is a bad one. Compile in `Plugin::new`: an instance can have 64 sets, each of 1000 expressions and 256 KiB. A call
//! to the host costs as much as some short matches, so ask about all texts of a batch at once ([`Patterns::find_all`],
//! [`Patterns::matches_all`]) where you can.

use crate::{host, texts};
use std::borrow::Cow;
use std::ops::Range;

/// A set of expressions. A copy of it is the same set.
#[derive(Clone, Debug)]
pub struct Patterns {
    set: u32,
    len: usize,
}

/// Where an expression matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// Which of the texts.
    pub text: usize,
    /// Which of the expressions.
    pub pattern: usize,
    /// Where in the text, in bytes.
    pub range: Range<usize>,
}

/// The groups of one match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captures<'t> {
    text: &'t str,
    names: Vec<String>,
    groups: Vec<Option<Range<usize>>>,
}

impl Patterns {
    /// Compiles a set.
    ///
    /// # Errors
    /// The expression, and what is wrong with it.
    pub fn compile<S: Into<String>>(patterns: impl IntoIterator<Item = S>) -> Result<Self, String> {
        let patterns: Vec<String> = patterns.into_iter().map(Into::into).collect();
        Ok(Self { set: host::compile_patterns(&patterns)?, len: patterns.len() })
    }

    /// How many expressions it has.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none, and so matches nothing.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether any of them matches anywhere in a text.
    pub fn is_match(&self, text: &str) -> bool {
        self.matches(text).next().is_some()
    }

    /// The expressions that match anywhere in a text, in ascending order.
    pub fn matches(&self, text: &str) -> impl Iterator<Item = usize> + use<> {
        self.pairs(&texts::columns(&[text])).map(|(_, pattern)| pattern)
    }

    /// For each text the expressions that match anywhere in it; one call for all.
    pub fn matches_all<T: AsRef<str>>(&self, texts: &[T]) -> Vec<Vec<usize>> {
        let mut matching = vec![Vec::new(); texts.len()];
        for (text, pattern) in self.pairs(&texts::columns(texts)) {
            if let Some(patterns) = matching.get_mut(text) {
                patterns.push(pattern);
            }
        }
        matching
    }

    fn pairs(&self, texts: &host::Texts) -> impl Iterator<Item = (usize, usize)> + use<> {
        let found = match self.len {
            0 => host::Matches { texts: vec![], patterns: vec![], starts: vec![], ends: vec![] },
            _ => host::match_patterns(self.set, texts),
        };
        found.texts.into_iter().zip(found.patterns).map(|(text, pattern)| (text as usize, pattern as usize))
    }

    /// Every match of every expression in a text: by expression, then by place. Matches of one expression do not overlap,
    /// those of two may.
    pub fn find(&self, text: &str) -> Vec<Match> {
        self.find_all(&[text])
    }

    /// Every match in each text; one call for all. In the order of the texts, then as in [`find`](Self::find).
    pub fn find_all<T: AsRef<str>>(&self, texts: &[T]) -> Vec<Match> {
        if self.is_empty() {
            return Vec::new();
        }
        let found = host::find_patterns(self.set, &texts::columns(texts));
        let ranges = found.starts.iter().zip(&found.ends).map(|(start, end)| *start as usize..*end as usize);
        let places = found.texts.iter().zip(&found.patterns).zip(ranges);
        places
            .map(|((text, pattern), range)| Match { text: *text as usize, pattern: *pattern as usize, range })
            .collect()
    }

    /// The text with every match replaced. Where matches of several expressions overlap, what they cover together is
    /// replaced once, as a match of the one that begins first: nothing that any of them matched is left over.
    pub fn replace<'t>(&self, text: &'t str, with: impl FnMut(&Match) -> String) -> Cow<'t, str> {
        replaced(text, self.find(text), with)
    }

    /// Each text with every match replaced, as [`replace`](Self::replace) does; one call for all.
    pub fn replace_all<'t>(&self, texts: &[&'t str], mut with: impl FnMut(&Match) -> String) -> Vec<Cow<'t, str>> {
        let mut found = self.find_all(texts).into_iter().peekable();
        let each = (0..).zip(texts).map(|(at, text)| {
            let here = std::iter::from_fn(|| found.next_if(|one| one.text == at)).collect();
            replaced(text, here, &mut with)
        });
        each.collect()
    }

    /// The groups of the first match of one expression in a text.
    pub fn captures<'t>(&self, pattern: usize, text: &'t str) -> Option<Captures<'t>> {
        let number = u32::try_from(pattern).ok()?;
        let groups = host::capture_groups(self.set, number, text);
        if groups.is_empty() {
            return None;
        }
        let groups = groups.into_iter().map(|group| group.map(|(start, end)| start as usize..end as usize)).collect();
        Some(Captures { text, names: self.names(pattern), groups })
    }

    /// The names of the groups of an expression: group 0, the whole match, first; "" for one without a name.
    pub fn names(&self, pattern: usize) -> Vec<String> {
        u32::try_from(pattern).map_or_else(|_| Vec::new(), |pattern| host::pattern_groups(self.set, pattern))
    }
}

impl<'t> Captures<'t> {
    /// Group `number`, unless it took no part in the match; 0 is the whole match.
    pub fn get(&self, number: usize) -> Option<&'t str> {
        self.text.get(self.range(number)?)
    }

    /// The group with this name, unless it took no part in the match.
    pub fn name(&self, name: &str) -> Option<&'t str> {
        self.get(self.names.iter().position(|known| known == name)?)
    }

    /// Where group `number` is.
    pub fn range(&self, number: usize) -> Option<Range<usize>> {
        self.groups.get(number)?.clone()
    }

    /// Every named group that took part, with its text.
    pub fn named(&self) -> impl Iterator<Item = (&str, &'t str)> {
        let named = self.names.iter().enumerate().filter(|(_, name)| !name.is_empty());
        named.filter_map(|(number, name)| Some((name.as_str(), self.get(number)?)))
    }
}

/// A text with these places replaced.
fn replaced<'t>(text: &'t str, mut found: Vec<Match>, mut with: impl FnMut(&Match) -> String) -> Cow<'t, str> {
    found.sort_by_key(|one| (one.range.start, std::cmp::Reverse(one.range.end), one.pattern));
    found.dedup_by(|next, before| {
        // Two empty matches side by side are two; one at the end of another match is part of it.
        let covered = next.range.start < before.range.end || next.range == before.range;
        if covered {
            before.range.end = before.range.end.max(next.range.end);
        }
        covered
    });
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for one in &found {
        out.push_str(text.get(at..one.range.start).unwrap_or_default());
        out.push_str(&with(one));
        at = one.range.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    Cow::Owned(out)
}
