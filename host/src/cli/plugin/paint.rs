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
    three_digits(bytes as f64, ["B", "kB", "MB"])
}

/// A time for people.
pub(in crate::cli) fn time(nanos: f64) -> String {
    three_digits(nanos, ["ns", "us", "ms", "s"])
}

/// A number in the unit that fits it, each a thousand of the one before, with three digits: more are noise.
fn three_digits<const N: usize>(number: f64, units: [&str; N]) -> String {
    let (mut number, mut units, mut whole) = (number, units.iter().peekable(), true);
    while let Some(unit) = units.next() {
        // What would be shown as a thousand is one of the next unit.
        if number >= 999.5 && units.peek().is_some() {
            (number, whole) = (number / 1e3, false);
            continue;
        }
        let digits = match number {
            _ if whole => 0,
            number if number < 9.995 => 2,
            number if number < 99.95 => 1,
            _ => 0,
        };
        return format!("{number:.digits$} {unit}");
    }
    number.to_string()
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
        assert_eq!((bytes(12), bytes(123_456), bytes(12_345_678)), ("12 B".into(), "123 kB".into(), "12.3 MB".into()));
        assert_eq!((bytes(0), bytes(1000), bytes(1_234_567)), ("0 B".into(), "1.00 kB".into(), "1.23 MB".into()));
        assert_eq!((bytes(999_499), bytes(999_500)), ("999 kB".into(), "1.00 MB".into()));
        assert_eq!((time(12.3), time(9_934.0), time(5e8)), ("12 ns".into(), "9.93 us".into(), "500 ms".into()));
        assert_eq!((time(99.96e3), time(2e12)), ("100 us".into(), "2000 s".into()));
    }
}
