//! Dates and times of day in UTC, for people and file names. Pure.

use std::fmt;
use std::time::{Duration, SystemTime};

/// An instant in the Gregorian calendar, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Utc {
    /// Year.
    pub year: i64,
    /// Month, from 1.
    pub month: u32,
    /// Day of the month, from 1.
    pub day: u32,
    /// Hour of the day.
    pub hour: u32,
    /// Minute of the hour.
    pub minute: u32,
    /// Second of the minute.
    pub second: u32,
    /// Nanosecond of the second.
    pub nano: u32,
}

impl Utc {
    /// From the time since 1970.
    pub fn from_unix(time: Duration) -> Self {
        let (days, second) = ((time.as_secs() / 86_400) as i64, (time.as_secs() % 86_400) as u32);
        // Eras of 400 years that begin on the first of March of the year 0, so that leap days end their years.
        let since_year_0 = days + 719_468;
        let era = since_year_0 / 146_097;
        let day_of_era = since_year_0 % 146_097;
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        Self {
            year: era * 400 + year_of_era + i64::from(month <= 2),
            month: month as u32,
            day: (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u32,
            hour: second / 3_600,
            minute: second / 60 % 60,
            second: second % 60,
            nano: time.subsec_nanos(),
        }
    }

    /// `2023-11-10T22:49:03.500Z`, to the millisecond, as RFC 3339 has it.
    pub fn rfc3339(&self) -> String {
        let Self { year, month, day, hour, minute, second, nano } = self;
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", nano / 1_000_000)
    }

    /// Now.
    pub fn now() -> Self {
        Self::from_unix(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
    }
}

impl fmt::Display for Utc {
    /// `2023-11-10 22:49:03.5 +0000 UTC`, as Go prints a time.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second, nano } = self;
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")?;
        if *nano > 0 {
            let digits = format!("{nano:09}");
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        f.write_str(" +0000 UTC")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_dates() {
        let check = |seconds, expected: &str| {
            assert_eq!(Utc::from_unix(Duration::from_secs(seconds)).to_string(), expected);
        };
        check(0, "1970-01-01 00:00:00 +0000 UTC");
        check(951_782_400, "2000-02-29 00:00:00 +0000 UTC");
        check(951_868_799, "2000-02-29 23:59:59 +0000 UTC");
        check(1_699_678_143, "2023-11-11 04:49:03 +0000 UTC");
        check(4_107_542_400, "2100-03-01 00:00:00 +0000 UTC");
        let fraction = Utc::from_unix(Duration::from_nanos(1_500_000_000));
        assert_eq!(fraction.to_string(), "1970-01-01 00:00:01.5 +0000 UTC");
    }
}
