//! Faults of a configuration: all of them at once, each with its place, in one line.
//!
//! What is shown may come from a file that a stranger wrote (the sidecar of a plugin), so neither the number of faults nor
//! their length is his choice, and none of his characters ends a line or steers a terminal.

use super::Origin;
use std::borrow::Cow;
use std::fmt;

/// Errors that are kept, and warnings. Of more only the number is told.
const KEPT_MAX: usize = 200;
/// Characters of a key, and of a message, that are shown.
const KEY_CHARS: usize = 200;
const MESSAGE_CHARS: usize = 2000;

/// Whether a fault stops the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can, but something should be changed.
    Warning,
}

/// One fault: `file:line:column: error: key: message (did you mean "x"?)`.
#[derive(Clone, Debug)]
pub struct Problem {
    /// How bad.
    pub severity: Severity,
    /// Where, if it is about something that is written down.
    pub origin: Option<Origin>,
    /// Path of the key, as in `exporters::otlp/tempo::sending_queue::queue_size`.
    pub key: String,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(
            f,
            match self.severity {
                Severity::Error => "error: ",
                Severity::Warning => "warning: ",
            },
        )
    }
}

impl Problem {
    /// The same where the reader knows how bad it is: `file:line:column: key: message`.
    pub fn without_severity(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = self.write(&mut text, "");
        text
    }

    fn write(&self, f: &mut impl fmt::Write, severity: &str) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{}: ", in_one_line(&origin.to_string(), MESSAGE_CHARS))?;
        }
        f.write_str(severity)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", in_one_line(&self.key, KEY_CHARS))?;
        }
        f.write_str(&in_one_line(&self.message, MESSAGE_CHARS))
    }
}

/// `text` in so many characters, and those that end a line or that a terminal obeys written as escapes.
fn in_one_line(text: &str, chars: usize) -> Cow<'_, str> {
    let obeyed =
        |c: char| c.is_control() && c != '\t' || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}');
    let end = text.char_indices().nth(chars).map(|(end, _)| end);
    if end.is_none() && !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let mut line = String::new();
    for c in text.chars().take(chars) {
        if obeyed(c) { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line.push_str(if end.is_some() { "..." } else { "" });
    Cow::Owned(line)
}

/// Faults in the order they were found.
#[derive(Clone, Debug, Default)]
pub struct Problems {
    kept: Vec<Problem>,
    errors: Count,
    warnings: Count,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    kept: usize,
    left_out: usize,
}

impl Problems {
    /// Records an error.
    pub fn error(&mut self, origin: Option<&Origin>, key: impl Into<String>, message: impl Into<String>) {
        self.push(Severity::Error, origin, key.into(), message.into());
    }

    /// Records a warning.
    pub fn warning(&mut self, origin: Option<&Origin>, key: impl Into<String>, message: impl Into<String>) {
        self.push(Severity::Warning, origin, key.into(), message.into());
    }

    fn push(&mut self, severity: Severity, origin: Option<&Origin>, key: String, message: String) {
        let count = match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        if count.kept >= KEPT_MAX {
            count.left_out += 1;
            return;
        }
        count.kept += 1;
        self.kept.push(Problem { severity, origin: origin.cloned(), key, message });
    }

    /// Whether an error is among them.
    pub fn has_errors(&self) -> bool {
        self.errors.kept > 0
    }

    /// How many more there are, if not all of them are kept: a line.
    pub fn left_out(&self) -> Option<String> {
        let count = self.errors.left_out + self.warnings.left_out;
        (count > 0).then(|| format!("... and {count} more"))
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Puts them in the order of their places, those without a place first; says the same only once.
    pub fn sort(&mut self) {
        fn place(problem: &Problem) -> Option<(&str, usize, usize)> {
            problem.origin.as_ref().map(|origin| (&*origin.source, origin.line, origin.column))
        }
        self.kept.sort_by(|a, b| place(a).cmp(&place(b)));
        self.kept.dedup_by(|a, b| place(a) == place(b) && a.key == b.key && a.message == b.message);
    }

    /// Each that is kept.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.kept.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.kept.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        self.left_out().map_or(Ok(()), |more| write!(f, "\n{more}"))
    }
}

/// The name among `known` that somebody who wrote `name` most likely meant.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of very many faults the first are told, and how many there are besides; an error is never lost behind warnings.
    #[test]
    fn the_number_is_bounded() {
        let mut problems = Problems::default();
        for number in 0..250 {
            problems.warning(None, format!("key{number}"), "old");
        }
        assert!(!problems.has_errors());
        for number in 0..300 {
            problems.error(None, format!("key{number}"), "unknown");
        }
        assert!(problems.has_errors());
        let text = problems.to_string();
        assert_eq!(text.lines().count(), 2 * KEPT_MAX + 1);
        assert!(text.contains("error: key0: unknown") && text.ends_with("\n... and 150 more"), "{text}");
    }

    /// Keys and values come from a file: they stay in their line, and are cut.
    #[test]
    fn each_is_one_line() {
        let mut problems = Problems::default();
        problems.error(None, "x\n2026 ERROR \u{1b}[2J\u{202e}", "größer\r\u{2028}");
        problems.error(None, "k".repeat(1_000_000), "m".repeat(1_000_000));
        let text = problems.to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], r"error: x\n2026 ERROR \u{1b}[2J\u{202e}: größer\r\u{2028}");
        assert!(lines.len() == 2 && lines[1].len() < 2300 && lines[1].ends_with("m..."), "{}", lines[1].len());
    }
}
