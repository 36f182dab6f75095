//! Whether a plugin fails, as the log tells it: a run of failures is one line, and so is its end. A plugin that fails and works in
//! turns gets a pair of lines every [`QUIET`] and not more; the counters and the status know the rest.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Time between two lines that say the same.
const QUIET: Duration = Duration::from_secs(10);

/// What the log says of a plugin.
#[derive(Debug, Default)]
pub struct Mood {
    /// Whether the log says that it fails. Good calls look at nothing else.
    said_failing: AtomicBool,
    said: Mutex<Said>,
}

#[derive(Debug, Default)]
struct Said {
    fails: Option<Instant>,
    works: Option<Instant>,
    /// Failures since the last line about one that nobody was told of.
    unsaid: u64,
}

impl Mood {
    /// A call went well; whether that is worth a line.
    pub fn works(&self) -> bool {
        self.said_failing.load(Relaxed) && {
            let mut said = self.said();
            self.said_failing.load(Relaxed) && is_due(&mut said.works) && self.said_failing.swap(false, Relaxed)
        }
    }

    /// A call failed. If that is worth a line: how many failures were not worth one since the last.
    pub fn fails(&self) -> Option<u64> {
        let mut said = self.said();
        if self.said_failing.load(Relaxed) || !is_due(&mut said.fails) {
            said.unsaid += 1;
            return None;
        }
        self.said_failing.store(true, Relaxed);
        Some(std::mem::take(&mut said.unsaid))
    }

    fn said(&self) -> std::sync::MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a line may be written, which then counts as written.
fn is_due(last: &mut Option<Instant>) -> bool {
    let now = Instant::now();
    let due = last.is_none_or(|last| now.saturating_duration_since(last) >= QUIET);
    if due {
        *last = Some(now);
    }
    due
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One trouble, one end of it: two lines, at once.
    #[tokio::test(start_paused = true)]
    async fn a_run_of_failures_is_one_line() {
        let mood = Mood::default();
        assert!(!mood.works());
        assert_eq!((mood.fails(), mood.fails(), mood.fails()), (Some(0), None, None));
        assert_eq!((mood.works(), mood.works()), (true, false));
    }

    /// In turns, a thousand times a second for a minute: a pair of lines every ten seconds, and every failure is told of in
    /// one of them but the last.
    #[tokio::test(start_paused = true)]
    async fn flapping_is_few_lines() {
        let mood = Mood::default();
        let (mut fails, mut works, mut told) = (0, 0, 0);
        for _ in 0..60_000 {
            if let Some(unsaid) = mood.fails() {
                fails += 1;
                told += unsaid + 1;
            }
            works += u32::from(mood.works());
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert_eq!((fails, works), (6, 6));
        assert_eq!(told, 50_001);
    }

    /// What it does in the end is said, though it began in a time in which nothing was said.
    #[tokio::test(start_paused = true)]
    async fn the_end_is_said() {
        let mood = Mood::default();
        for _ in 0..2 {
            mood.fails();
            mood.works();
        }
        assert_eq!(mood.fails(), None);
        tokio::time::advance(QUIET).await;
        assert_eq!(mood.fails(), Some(2));
        assert!(mood.works());
        mood.fails();
        tokio::time::advance(QUIET).await;
        assert!(mood.fails().is_some() && mood.works());
    }
}
