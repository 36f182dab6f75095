//! Faults of a configuration: all of them at once, each with its place.

use super::Origin;
use std::fmt;

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
            write!(f, "{origin}: ")?;
        }
        f.write_str(severity)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// Faults in the order they were found.
#[derive(Clone, Debug, Default)]
pub struct Problems(Vec<Problem>);

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
        self.0.push(Problem { severity, origin: origin.cloned(), key, message });
    }

    /// Whether an error is among them.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts them in the order of their places, those without a place first; says the same only once.
    pub fn sort(&mut self) {
        fn place(problem: &Problem) -> Option<(&str, usize, usize)> {
            problem.origin.as_ref().map(|origin| (&*origin.source, origin.line, origin.column))
        }
        self.0.sort_by(|a, b| place(a).cmp(&place(b)));
        self.0.dedup_by(|a, b| place(a) == place(b) && a.key == b.key && a.message == b.message);
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
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
