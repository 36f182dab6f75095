//! Colour, where there is a terminal that wants it: `NO_COLOR` and `TERM=dumb` are respected.

use std::io::IsTerminal;

/// Whether what goes to a stream is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Paint(bool);

impl Paint {
    /// For standard output.
    pub(in crate::cli) fn stdout() -> Self {
        Self(std::io::stdout().is_terminal() && wanted())
    }

    /// For standard error.
    pub(in crate::cli) fn stderr() -> Self {
        Self(std::io::stderr().is_terminal() && wanted())
    }

    /// Without colour.
    #[cfg(test)]
    pub(in crate::cli) fn plain() -> Self {
        Self(false)
    }

    /// Whether there is any colour.
    pub(in crate::cli) fn is_on(self) -> bool {
        self.0
    }

    /// What matters.
    pub(in crate::cli) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    /// What does not.
    pub(in crate::cli) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    /// What went wrong, or away.
    pub(in crate::cli) fn red(self, text: &str) -> String {
        self.with("31", text)
    }

    /// What went well, or was added.
    pub(in crate::cli) fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    /// What is different.
    pub(in crate::cli) fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

fn wanted() -> bool {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !plain && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// A size for people.
pub(in crate::cli) fn bytes(bytes: usize) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

/// A time for people.
pub(in crate::cli) fn time(nanos: f64) -> String {
    match nanos {
        nanos if nanos < 1e4 => format!("{nanos:.0} ns"),
        nanos if nanos < 1e7 => format!("{:.1} us", nanos / 1e3),
        nanos if nanos < 1e10 => format!("{:.1} ms", nanos / 1e6),
        nanos => format!("{:.1} s", nanos / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_a_matter_of_the_stream() {
        assert_eq!(Paint(true).red("no"), "\x1b[31mno\x1b[0m");
        assert_eq!(Paint::plain().red("no"), "no");
    }

    #[test]
    fn units_fit_their_numbers() {
        assert_eq!(
            (bytes(12), bytes(123_456), bytes(12_345_678)),
            ("12 B".into(), "123.5 kB".into(), "12.3 MB".into())
        );
        assert_eq!((time(12.3), time(123_456.0), time(5e8)), ("12 ns".into(), "123.5 us".into(), "500.0 ms".into()));
    }
}
