//! Go's durations: `300ms`, `1.5h`, `2h45m`.

use serde::de::{self, Deserialize, Deserializer, Visitor};
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::time::Duration;

/// Name by which the reader knows that a duration is wanted.
pub(super) const MARKER: &str = "$tailrace::yaml::GoDuration";

const SECOND: u128 = 1_000_000_000;
/// Go keeps nanoseconds in 63 bits.
const NANOS_MAX: u128 = i64::MAX as u128;

/// A time span as the Collector writes it: decimal numbers with units from `ns` to `h`, never negative.
///
/// A bare number is refused unless it is 0: the Collector takes it as nanoseconds, which nobody means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GoDuration(pub Duration);

/// Why a text is no duration.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum DurationError {
    /// No number with a unit, or something behind it.
    #[error("{0:?} is no duration such as \"300ms\" or \"1h30m\"")]
    Invalid(String),
    /// A number without a unit.
    #[error("{0:?} needs a unit, as in \"{0}s\"")]
    NoUnit(String),
    /// A unit that does not exist.
    #[error("{0:?} has the unknown unit {1:?}; units are ns, us, ms, s, m, h")]
    Unit(String, String),
    /// Before now.
    #[error("{0:?} is negative")]
    Negative(String),
    /// More than 292 years.
    #[error("{0:?} is too long")]
    TooLong(String),
}

impl GoDuration {
    /// Whole seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    /// Whole milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// As the standard library has it.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl Deref for GoDuration {
    type Target = Duration;

    fn deref(&self) -> &Duration {
        &self.0
    }
}

impl From<Duration> for GoDuration {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl From<GoDuration> for Duration {
    fn from(duration: GoDuration) -> Self {
        duration.0
    }
}

impl FromStr for GoDuration {
    type Err = DurationError;

    /// Grammar of Go's `time.ParseDuration`.
    fn from_str(text: &str) -> Result<Self, DurationError> {
        let invalid = || DurationError::Invalid(text.to_owned());
        let too_long = || DurationError::TooLong(text.to_owned());
        let (negative, mut rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if rest.is_empty() {
            return Err(invalid());
        }
        if rest == "0" {
            return Ok(Self::default());
        }
        let mut nanos: u128 = 0;
        while !rest.is_empty() {
            let (whole, behind) = split_digits(rest);
            let (part, behind) = behind.strip_prefix('.').map_or(("", behind), split_digits);
            if whole.is_empty() && part.is_empty() {
                return Err(invalid());
            }
            let end = behind.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(behind.len());
            let (unit, behind) = behind.split_at_checked(end).ok_or_else(invalid)?;
            let unit = match unit {
                "ns" => 1,
                "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
                "ms" => 1_000_000,
                "s" => SECOND,
                "m" => 60 * SECOND,
                "h" => 3600 * SECOND,
                "" => return Err(DurationError::NoUnit(text.to_owned())),
                other => return Err(DurationError::Unit(text.to_owned(), other.to_owned())),
            };
            let count: u128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| too_long())? };
            nanos = count.checked_mul(unit).and_then(|more| nanos.checked_add(more)).ok_or_else(too_long)?;
            nanos = nanos.checked_add(fraction(part, unit)).ok_or_else(too_long)?;
            if nanos > NANOS_MAX {
                return Err(too_long());
            }
            rest = behind;
        }
        if negative && nanos > 0 {
            return Err(DurationError::Negative(text.to_owned()));
        }
        Ok(Self(Duration::from_nanos(u64::try_from(nanos).map_err(|_| too_long())?)))
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// Nanoseconds of `0.<digits>` units, what is smaller cut off.
fn fraction(digits: &str, unit: u128) -> u128 {
    // An hour has less than 10^13 nanoseconds; digits beyond that cannot matter.
    let digits = digits.get(..digits.len().min(15)).unwrap_or_default();
    let scale = digits.bytes().fold(1, |scale: u128, _| scale * 10);
    let value = digits.bytes().fold(0, |value: u128, digit| value * 10 + u128::from(digit - b'0'));
    value * unit / scale
}

impl fmt::Display for GoDuration {
    /// As Go prints it: `1h30m0s`, `1.5s`, `20ms`, `0s`; what it prints parses back to the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        if nanos == 0 {
            return f.write_str("0s");
        }
        if nanos < SECOND {
            let (unit, name) = match nanos {
                0..1_000 => (1, "ns"),
                1_000..1_000_000 => (1_000, "\u{b5}s"),
                _ => (1_000_000, "ms"),
            };
            decimal(f, nanos, unit)?;
            return f.write_str(name);
        }
        let (minutes, rest) = (nanos / (60 * SECOND), nanos % (60 * SECOND));
        let (hours, minutes) = (minutes / 60, minutes % 60);
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if hours > 0 || minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        decimal(f, rest, SECOND)?;
        f.write_str("s")
    }
}

/// `nanos / unit` without trailing zeros.
fn decimal(f: &mut fmt::Formatter<'_>, nanos: u128, unit: u128) -> fmt::Result {
    write!(f, "{}", nanos / unit)?;
    let rest = nanos % unit;
    if rest == 0 {
        return Ok(());
    }
    let width = unit.ilog10() as usize;
    let digits = format!("{rest:0width$}");
    write!(f, ".{}", digits.trim_end_matches('0'))
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;

        impl<'de> Visitor<'de> for Words {
            type Value = GoDuration;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as \"300ms\" or \"1h30m\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<GoDuration, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<GoDuration, E> {
                match number {
                    0 => Ok(GoDuration::default()),
                    _ => Err(E::custom(DurationError::NoUnit(number.to_string()))),
                }
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<GoDuration, E> {
                Err(E::custom(DurationError::Negative(number.to_string())))
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<GoDuration, D::Error> {
                inner.deserialize_any(self)
            }
        }

        deserializer.deserialize_newtype_struct(MARKER, Words)
    }
}
