//! The ledger from outside: accepted = sent + dropped by reason + held, sampled while data moves and exact at rest.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tailrace::telemetry::{Line, Telemetry};

/// The whole collector as one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Items that receivers said `Ok` to.
    pub accepted: i64,
    /// Items that backends acknowledged.
    pub sent: i64,
    /// Items let go of, by reason.
    pub dropped: BTreeMap<String, i64>,
    /// Items inside.
    pub held: i64,
}

impl Totals {
    /// Sums the lines of a ledger whose pipelines do not fan out.
    pub fn of(lines: &[Line]) -> Self {
        let mut totals = Self::default();
        for line in lines {
            if line.component.starts_with("receiver:") {
                totals.accepted += line.taken as i64;
            }
            if line.component.starts_with("exporter:") {
                totals.sent += line.handed_on as i64;
            }
            totals.held += line.held;
            for (reason, items) in &line.dropped {
                *totals.dropped.entry((*reason).to_owned()).or_default() += *items as i64;
            }
        }
        totals
    }

    /// Items let go of for any reason.
    pub fn dropped(&self) -> i64 {
        self.dropped.values().sum()
    }

    /// Items that are nowhere; negative when there are too many.
    pub fn gap(&self) -> i64 {
        self.accepted - self.sent - self.dropped() - self.held
    }

    /// Everything that ever moved: grows with each movement.
    fn movement(&self) -> i64 {
        self.accepted + self.sent + self.dropped()
    }
}

/// The ledger adds up for every component and as a whole, and nothing is held.
///
/// # Panics
/// When it does not.
pub fn assert_balanced(ledger: &[Line]) {
    for line in ledger {
        assert_eq!((line.gap(), line.held), (0, 0), "{line:?}");
    }
    let totals = Totals::of(ledger);
    assert_eq!((totals.gap(), totals.held), (0, 0), "{totals:?}");
}

/// Looks at the ledger all the time, from a thread of its own.
pub struct Watch {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Result<u64, String>>,
}

impl Watch {
    /// Starts to look. `in_motion` is how many items can be between two columns at one time: those of the requests
    /// whose answers are on their way.
    pub fn start(telemetry: &Telemetry, in_motion: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (telemetry, stopped) = (telemetry.clone(), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let mut samples = 0;
            while !stopped.load(Ordering::Relaxed) {
                let before = Totals::of(&telemetry.ledger().lines());
                let totals = Totals::of(&telemetry.ledger().lines());
                let after = Totals::of(&telemetry.ledger().lines());
                let moved = after.movement() - before.movement();
                if totals.gap().abs() > in_motion as i64 + moved {
                    return Err(format!("{} items are nowhere after {samples} samples: {totals:?}", totals.gap()));
                }
                samples += 1;
                std::thread::sleep(Duration::from_millis(2)); // The rate of sampling; nothing waits for it.
            }
            Ok(samples)
        });
        Self { stop, thread }
    }

    /// Stops looking.
    ///
    /// # Panics
    /// When the ledger did not add up at some moment, or nobody looked.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        let samples = self.thread.join().expect("the watch does not panic").unwrap_or_else(|fault| panic!("{fault}"));
        assert!(samples > 0, "no moment was looked at");
        println!("the ledger added up at {samples} moments");
    }
}
