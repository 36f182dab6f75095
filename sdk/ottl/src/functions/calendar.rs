//! Parts of a date, in UTC.

use super::{Call, expected};
use crate::prelude::*;
use crate::{EvalError, Value};

type Answer<'a> = Result<Value<'a>, EvalError>;

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400 * SECOND;
/// From the first of January of year 1 to 1970, in nanoseconds.
const YEAR_1: i128 = 62_135_596_800 * SECOND as i128;

fn time(call: &Call<'_, '_>) -> Result<i64, EvalError> {
    match call.value(0)? {
        Value::Time(nanos) => Ok(nanos),
        other => Err(expected("a time", &other)),
    }
}

/// Year, month and day of so many days since 1970, in the Gregorian calendar.
fn date(days: i64) -> (i64, i64, i64) {
    // Years that begin in March end with the leap day; eras of 400 years are all alike.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// A time as in `2023-11-14T22:13:20.12Z`, its fraction as short as it can be.
pub(crate) fn rfc3339(nanos: i64) -> String {
    let (year, month, day) = date(nanos.div_euclid(DAY));
    let part = |unit: i64, count: i64| nanos.div_euclid(unit).rem_euclid(count);
    let (hour, minute, second) = (part(3_600 * SECOND, 24), part(60 * SECOND, 60), part(SECOND, 60));
    let fraction = format!(".{:09}", part(1, SECOND));
    let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

macro_rules! of_date {
    ($($name:ident: $part:tt,)*) => {
        $(pub(super) fn $name<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
            Ok(Value::Int(date(time(call)?.div_euclid(DAY)).$part))
        })*
    };
}
of_date! {
    year: 0,
    month: 1,
    day: 2,
}

macro_rules! of_day {
    ($($name:ident: $unit:expr, $count:expr,)*) => {
        $(pub(super) fn $name<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
            Ok(Value::Int(time(call)?.div_euclid($unit).rem_euclid($count)))
        })*
    };
}
of_day! {
    hour: 3_600 * SECOND, 24,
    minute: 60 * SECOND, 60,
    second: SECOND, 60,
    nanosecond: 1, SECOND,
}

/// The day of the week: 0 is Sunday.
pub(super) fn weekday<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    // The first of January of 1970 was a Thursday.
    Ok(Value::Int((time(call)?.div_euclid(DAY) + 4).rem_euclid(7)))
}

/// A time cut to a multiple of a length of time, counted from year 1.
pub(super) fn truncate<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let nanos = time(call)?;
    let step = match call.value(1)? {
        Value::Duration(step) => step,
        other => return Err(expected("a duration", &other)),
    };
    if step <= 0 {
        return Ok(Value::Time(nanos));
    }
    let rest = (i128::from(nanos) + YEAR_1).rem_euclid(step.into());
    Ok(Value::Time(nanos.saturating_sub(i64::try_from(rest).unwrap_or(i64::MAX))))
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn dates() {
        for (days, expected) in [
            (0, (1970, 1, 1)),
            (-1, (1969, 12, 31)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (19_675, (2023, 11, 14)),
            (-719_162, (1, 1, 1)),
        ] {
            assert_eq!(date(days), expected, "{days}");
        }
    }
}
