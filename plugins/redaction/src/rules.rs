//! The rules: what becomes of an attribute because of its key, and of a text because of what is in it.

use crate::mask::Mask;
use crate::settings::Settings;
use crate::summary::Summary;
use actions::pattern;
use actions::settings::Faults;
use hashbrown::{HashMap, HashSet};
use std::borrow::Cow;
use tailrace_sdk::patterns::{Match, Patterns};

/// How many keys are remembered. Whoever sends more different ones makes it slower, not larger.
const KEYS_MAX: usize = 4096;
/// Longer keys are looked at each time.
const KEY_BYTES_MAX: usize = 256;

/// The rules of one configuration.
#[derive(Debug)]
pub(crate) struct Rules {
    /// `None` if all keys are.
    allowed_keys: Option<HashSet<String>>,
    ignored_keys: HashSet<String>,
    ignored_key_patterns: Patterns,
    blocked_key_patterns: Patterns,
    allowed_values: Patterns,
    blocked_values: Patterns,
    mask: Mask,
    pub(crate) all_types: bool,
    pub(crate) summary: Summary,
    known: HashMap<String, Fate>,
    /// Whether every key has the same fate, [`Fate::Look`].
    keys_do_not_matter: bool,
}

/// What becomes of an attribute because of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It passes.
    Ignored,
    /// It is removed.
    Redacted,
    /// Its value is masked.
    Masked,
    /// Its value is looked at.
    Look,
}

/// A text, and what is to be done with it.
#[derive(Debug)]
pub(crate) struct Text<'a> {
    pub(crate) text: Cow<'a, str>,
    pub(crate) what: What,
}

/// What is to be done with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// What is blocked in it is masked, unless it is allowed.
    Look,
    /// All of it is masked, unless it is allowed.
    MaskUnlessAllowed,
    /// All of it is masked.
    Mask,
}

/// What became of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allowed,
    Unchanged,
    Masked(String),
}

impl Rules {
    /// Checks the settings.
    ///
    /// # Errors
    /// Every fault, a line each, behind its key.
    pub(crate) fn new(settings: &Settings) -> Result<Self, String> {
        let mut faults = Faults::default();
        settings.check(&mut faults);
        let mut compile = |key: &str, patterns: &[String]| {
            let compiled = pattern::compile(patterns);
            compiled.map_err(|(at, error)| faults.add(&format!("{key}[{at}]"), error)).ok()
        };
        let compiled = [
            compile("ignored_key_patterns", &settings.ignored_key_patterns),
            compile("blocked_key_patterns", &settings.blocked_key_patterns),
            compile("allowed_values", &settings.allowed_values),
            compile("blocked_values", &settings.blocked_values),
        ];
        let mask = Mask::new(settings, &mut faults);
        let summary = Summary::named(&settings.summary, &mut faults);
        faults.into_result()?;
        let [Some(ignored_key_patterns), Some(blocked_key_patterns), Some(allowed_values), Some(blocked_values)] =
            compiled
        else {
            return Err("the patterns do not compile".to_owned());
        };
        // A host that cannot hash so is found now, not at the first secret.
        mask.all(&[""]).map_err(|error| format!("hash_function: {error}"))?;
        let allowed_keys = (!settings.allow_all_keys).then(|| {
            let own = crate::summary::ALLOWED_KEYS.iter().map(|key| (*key).to_owned());
            settings.allowed_keys.iter().cloned().chain(own).collect()
        });
        let ignored_keys: HashSet<_> = settings.ignored_keys.iter().cloned().collect();
        let no_patterns = ignored_key_patterns.is_empty() && blocked_key_patterns.is_empty();
        Ok(Self {
            keys_do_not_matter: settings.allow_all_keys && ignored_keys.is_empty() && no_patterns,
            allowed_keys,
            ignored_keys,
            ignored_key_patterns,
            blocked_key_patterns,
            allowed_values,
            blocked_values,
            mask,
            all_types: settings.redact_all_types,
            summary,
            known: HashMap::new(),
        })
    }

    /// What becomes of an attribute with this key, or of the entry of a map in a log body.
    pub(crate) fn fate(&mut self, key: &str) -> Fate {
        if self.keys_do_not_matter {
            return Fate::Look;
        }
        if let Some(fate) = self.known.get(key) {
            return *fate;
        }
        let fate = self.find_fate(key);
        if key.len() <= KEY_BYTES_MAX {
            if self.known.len() >= KEYS_MAX {
                self.known.clear();
            }
            self.known.insert(key.to_owned(), fate);
        }
        fate
    }

    fn find_fate(&self, key: &str) -> Fate {
        if self.ignored_keys.contains(key) || self.ignored_key_patterns.is_match(key) {
            Fate::Ignored
        } else if self.allowed_keys.as_ref().is_some_and(|allowed| !allowed.contains(key)) {
            Fate::Redacted
        } else if self.blocked_key_patterns.is_match(key) {
            Fate::Masked
        } else {
            Fate::Look
        }
    }

    /// What becomes of each text.
    ///
    /// # Errors
    /// If the host cannot hash.
    pub(crate) fn judge(&self, texts: &[Text<'_>]) -> Result<Vec<Verdict>, String> {
        let mut verdicts = vec![Verdict::Unchanged; texts.len()];
        if !self.allowed_values.is_empty() && !texts.is_empty() {
            let all: Vec<&str> = texts.iter().map(|one| &*one.text).collect();
            for ((verdict, matching), one) in verdicts.iter_mut().zip(self.allowed_values.matches_all(&all)).zip(texts)
            {
                if !matching.is_empty() && one.what != What::Mask {
                    *verdict = Verdict::Allowed;
                }
            }
        }
        let open = |verdicts: &[Verdict], masked: bool| -> Vec<usize> {
            let pairs = verdicts.iter().zip(texts).enumerate();
            let wanted = |(_, (verdict, one)): &(usize, (&Verdict, &Text<'_>))| {
                **verdict == Verdict::Unchanged && (one.what != What::Look) == masked
            };
            pairs.filter(wanted).map(|(at, _)| at).collect()
        };
        let text = |at: &usize| texts.get(*at).map_or("", |one| &*one.text);
        let whole = open(&verdicts, true);
        let masked = self.mask.whole(&whole.iter().map(text).collect::<Vec<_>>())?;
        let look = open(&verdicts, false);
        let looked_at = self.without_blocked(&look.iter().map(text).collect::<Vec<_>>())?;
        let masked = whole.into_iter().zip(masked.into_iter().map(Some));
        for (at, text) in masked.chain(look.into_iter().zip(looked_at)) {
            if let (Some(verdict), Some(text)) = (verdicts.get_mut(at), text) {
                *verdict = Verdict::Masked(text);
            }
        }
        Ok(verdicts)
    }

    /// Each text with what is blocked masked; `None` if it did not change. The expressions come one after the other: a later
    /// one sees what those before it left.
    fn without_blocked(&self, texts: &[&str]) -> Result<Vec<Option<String>>, String> {
        let mut new: Vec<Option<String>> = vec![None; texts.len()];
        // Which texts are left to do, and from which expression on.
        let mut left: Vec<(usize, usize)> = (0..texts.len()).map(|at| (at, 0)).collect();
        while !left.is_empty() && !self.blocked_values.is_empty() {
            let now: Vec<&str> = left.iter().map(|(at, _)| current(texts, &new, *at)).collect();
            let mut found = self.blocked_values.find_all(&now).into_iter().peekable();
            let mut hits: Vec<(usize, Vec<Match>)> = Vec::new();
            for (number, (at, from)) in left.iter().enumerate() {
                let here = std::iter::from_fn(|| found.next_if(|one| one.text == number));
                // By expression: the first one that matches has its turn.
                let mut here: Vec<_> = here.filter(|one| one.pattern >= *from).collect();
                if let Some(first) = here.first().map(|one| one.pattern) {
                    here.retain(|one| one.pattern == first);
                    hits.push((*at, here));
                }
            }
            let secrets: Vec<&str> = hits
                .iter()
                .flat_map(|(at, here)| {
                    let text = current(texts, &new, *at);
                    here.iter().map(move |one| text.get(one.range.clone()).unwrap_or_default())
                })
                .collect();
            let mut masks = self.mask.all(&secrets)?.into_iter();
            let replaced: Vec<_> = hits
                .iter()
                .map(|(at, here)| {
                    let (text, mut out, mut end) = (current(texts, &new, *at), String::new(), 0);
                    for one in here {
                        out.push_str(text.get(end..one.range.start).unwrap_or_default());
                        out.push_str(&masks.next().unwrap_or_default());
                        end = one.range.end;
                    }
                    out.push_str(text.get(end..).unwrap_or_default());
                    out
                })
                .collect();
            left.clear();
            for ((at, here), text) in hits.into_iter().zip(replaced) {
                let next = here.first().map_or(0, |one| one.pattern) + 1;
                if next < self.blocked_values.len() {
                    left.push((at, next));
                }
                if let Some(slot) = new.get_mut(at) {
                    *slot = Some(text);
                }
            }
        }
        // A match may have been replaced by itself: stars by stars.
        for (text, before) in new.iter_mut().zip(texts) {
            text.take_if(|text| text == before);
        }
        Ok(new)
    }
}

/// A text as it is by now.
fn current<'t>(texts: &[&'t str], new: &'t [Option<String>], at: usize) -> &'t str {
    match new.get(at) {
        Some(Some(text)) => text,
        _ => texts.get(at).copied().unwrap_or_default(),
    }
}
