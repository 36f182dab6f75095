//! Some traces of each value per minute, for a bounded number of values.
//!
//! The minute of a value begins with its first trace, so that any burst of less than a minute gives exactly as many as
//! allowed, whenever it comes. When there is no room for another value, those whose minute is over are forgotten; if that
//! is not enough, values without a place share one quota.

use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Nanoseconds.
const MINUTE: u64 = 60_000_000_000;
/// The shortest time between two searches for values whose minute is over: each looks at all values.
const SWEEP: u64 = 1_000_000_000;
/// Longer values are told apart by this many bytes.
const VALUE_BYTES_MAX: usize = 200;
/// Different values of one trace that are looked at.
const VALUES_PER_TRACE_MAX: usize = 32;
/// What [`Quota::save`] writes; another number is another shape.
const VERSION: u32 = 1;

/// Counts the traces of each value.
#[derive(Debug)]
pub struct Quota {
    per_minute: u32,
    max_values: usize,
    minutes: HashMap<Box<str>, Minute>,
    /// Of all values that have no place of their own.
    rest: Minute,
    /// When values were last forgotten, or could not be.
    swept: u64,
}

/// A minute of one value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Minute {
    /// When it began, in nanoseconds since 1970.
    start: u64,
    /// How many traces it has had.
    count: u32,
}

impl Minute {
    /// Whether it is over. A clock that was set back begins a new one too.
    fn is_over(&self, now: u64) -> bool {
        now < self.start || now - self.start >= MINUTE
    }

    /// How many traces this minute has had.
    fn count_at(&self, now: u64) -> u32 {
        if self.is_over(now) { 0 } else { self.count }
    }

    fn add(&mut self, now: u64) {
        if self.is_over(now) {
            *self = Self { start: now, count: 0 };
        }
        self.count += 1;
    }
}

/// What goes to the next instance.
#[derive(Serialize, Deserialize)]
struct Saved {
    version: u32,
    minutes: Vec<(Box<str>, Minute)>,
    rest: Minute,
}

impl Quota {
    /// So many of each value per minute, for at most so many values.
    pub fn new(per_minute: u32, max_values: usize) -> Self {
        Self { per_minute, max_values, minutes: HashMap::new(), rest: Minute::default(), swept: 0 }
    }

    /// Whether a trace with these values is wanted: if any of them has not had its share. It then counts for each of them.
    /// A trace without a value is not.
    pub fn take<'a>(&mut self, values: impl Iterator<Item = &'a str>, now: u64) -> bool {
        let mut distinct: Vec<&str> = Vec::new();
        for value in values.map(cut) {
            if !distinct.contains(&value) {
                distinct.push(value);
            }
            if distinct.len() == VALUES_PER_TRACE_MAX {
                break;
            }
        }
        for value in &distinct {
            self.place(value, now);
        }
        let wanted = distinct.iter().any(|value| self.minute(value).count_at(now) < self.per_minute);
        if wanted {
            let mut rest = false;
            for value in distinct {
                match self.minutes.get_mut(value) {
                    Some(minute) => minute.add(now),
                    None => rest = true,
                }
            }
            if rest {
                self.rest.add(now);
            }
        }
        wanted
    }

    /// Gives a value a place of its own, if there is room.
    fn place(&mut self, value: &str, now: u64) {
        if self.minutes.contains_key(value) {
            return;
        }
        if self.minutes.len() >= self.max_values && now.abs_diff(self.swept) >= SWEEP {
            self.minutes.retain(|_, minute| !minute.is_over(now));
            self.swept = now;
        }
        if self.minutes.len() < self.max_values {
            self.minutes.insert(value.into(), Minute { start: now, count: 0 });
        }
    }

    fn minute(&self, value: &str) -> &Minute {
        self.minutes.get(value).unwrap_or(&self.rest)
    }

    /// For the next instance.
    pub fn save(&self) -> Vec<u8> {
        let minutes = self.minutes.iter().map(|(value, minute)| (value.clone(), *minute)).collect();
        serde_json::to_vec(&Saved { version: VERSION, minutes, rest: self.rest }).unwrap_or_default()
    }

    /// From an older instance, which may have counted more values, or allowed more of each.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn restore(&mut self, state: &[u8]) -> Result<(), String> {
        let saved: Saved =
            serde_json::from_slice(state).map_err(|error| format!("the counts cannot be read: {error}"))?;
        if saved.version != VERSION {
            return Err(format!("the counts are of version {}, this plugin reads {VERSION}", saved.version));
        }
        self.minutes = saved.minutes.into_iter().take(self.max_values).collect();
        self.rest = saved.rest;
        Ok(())
    }
}

/// The first bytes of a value, up to a whole character.
fn cut(value: &str) -> &str {
    value.get(..value.floor_char_boundary(VALUE_BYTES_MAX)).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const START: u64 = 1_700_000_000 * SECOND;

    fn taken(quota: &mut Quota, value: &str, times: usize, now: u64) -> usize {
        (0..times).filter(|_| quota.take([value].into_iter(), now)).count()
    }

    /// A busy route and a quiet one have the same share; the next minute brings it again, and not a moment before.
    #[test]
    fn each_value_has_its_share_of_every_minute() {
        let mut quota = Quota::new(10, 100);
        assert_eq!(taken(&mut quota, "/busy", 5000, START), 10);
        assert_eq!(taken(&mut quota, "/quiet", 3, START + SECOND), 3);
        assert_eq!(taken(&mut quota, "/busy", 5000, START + 59 * SECOND), 0);
        assert_eq!(taken(&mut quota, "/busy", 5000, START + 60 * SECOND), 10);
        assert_eq!(taken(&mut quota, "/quiet", 100, START + 60 * SECOND), 7, "its minute is not over");
    }

    /// A steady stream over an hour gives the share of each minute.
    #[test]
    fn a_steady_stream_gives_so_many_per_minute() {
        let mut quota = Quota::new(10, 100);
        let seconds = 0..3600;
        let kept: usize = seconds.map(|second| taken(&mut quota, "/steady", 5, START + second * SECOND)).sum();
        assert_eq!(kept, 600);
    }

    /// A trace is an example of each of its routes: one that is new makes it wanted, and it counts for all.
    #[test]
    fn a_trace_counts_for_each_of_its_values() {
        let mut quota = Quota::new(1, 100);
        assert!(quota.take(["/cart", "/pay", "/cart"].into_iter(), START));
        assert!(!quota.take(["/pay"].into_iter(), START), "the trace before was one of /pay too");
        assert!(quota.take(["/pay", "/new"].into_iter(), START));
        assert!(!quota.take(["/new"].into_iter(), START));
        assert!(!quota.take(std::iter::empty(), START), "a trace without a route");
    }

    /// Routes without end cost no memory without end: those beyond the limit share one quota, until minutes are over.
    #[test]
    fn values_are_bounded() {
        let mut quota = Quota::new(2, 10);
        let kept = (0..1000).map(|number| taken(&mut quota, &format!("/item/{number}"), 5, START)).sum::<usize>();
        assert_eq!(kept, 10 * 2 + 2);
        assert_eq!(quota.minutes.len(), 10);
        assert_eq!(taken(&mut quota, "/late", 5, START + 61 * SECOND), 2, "old values have made room");
        assert_eq!(quota.minutes.len(), 1);
    }

    #[test]
    fn long_values_are_cut_at_a_character() {
        let mut quota = Quota::new(1, 10);
        let long = "ü".repeat(5000);
        assert!(quota.take([long.as_str()].into_iter(), START));
        assert!(quota.minutes.keys().all(|value| value.len() <= VALUE_BYTES_MAX && !value.is_empty()));
        assert!(!quota.take([long.as_str()].into_iter(), START));
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_stop_it() {
        let mut quota = Quota::new(1, 10);
        assert_eq!(taken(&mut quota, "/a", 5, START), 1);
        assert_eq!(taken(&mut quota, "/a", 5, START - 3600 * SECOND), 1);
        assert_eq!(taken(&mut quota, "/a", 5, START - 3599 * SECOND), 0);
    }

    /// The next instance goes on where this one stopped, also with a smaller limit; what it cannot read it refuses.
    #[test]
    fn counts_survive_a_swap() {
        let mut old = Quota::new(10, 100);
        assert_eq!(taken(&mut old, "/a", 7, START), 7);
        let mut new = Quota::new(10, 100);
        new.restore(&old.save()).unwrap();
        assert_eq!(taken(&mut new, "/a", 100, START + SECOND), 3);
        assert_eq!(taken(&mut old, "/b", 1, START), 1);
        let mut small = Quota::new(10, 1);
        small.restore(&old.save()).unwrap();
        assert_eq!(small.minutes.len(), 1);
        assert!(small.restore(b"nonsense").unwrap_err().contains("cannot be read"));
        let newer = r#"{"version": 2, "minutes": [], "rest": {"start": 0, "count": 0}}"#;
        assert!(small.restore(newer.as_bytes()).unwrap_err().contains("version 2"));
        assert_eq!(small.minutes.len(), 1, "it is as it was");
    }
}
