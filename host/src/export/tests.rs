//! Queue, retry and timeout around scripted senders, on a paused clock. After every story the ledger must add up.

use super::testing::{Rig as Books, batch, context, names};
use super::*;
use crate::component::ConsumeError;
use crate::pdata::{Batch, Signal};
use crate::shutdown::Deadline;
use crate::workers::Workers;
use crate::yaml::GoDuration;
use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

mod model;
mod stories;

/// What a backend does with one attempt.
#[derive(Clone, Debug)]
enum Act {
    Take,
    Reject(u64),
    Fail(ConsumeError),
    /// Take it after this time.
    Slow(Duration),
    Hang,
    Panic,
}

fn unavailable() -> Act {
    Act::Fail(ConsumeError::retryable("unavailable"))
}

type Script = Box<dyn FnMut(&Batch) -> Act + Send>;

/// A backend that follows a script and keeps a diary.
struct Backend {
    script: Mutex<Script>,
    diary: Arc<Mutex<Diary>>,
}

#[derive(Default)]
struct Diary {
    /// When attempts began, since the start.
    attempts: Vec<(Duration, Batch)>,
    taken: Vec<Batch>,
}

impl Sender for Backend {
    async fn send(&self, batch: Batch) -> Result<Sent, ConsumeError> {
        let act = (self.script.lock().unwrap())(&batch);
        self.diary.lock().unwrap().attempts.push((since_start(), batch.clone()));
        match act {
            Act::Take => {}
            Act::Reject(rejected) => {
                self.diary.lock().unwrap().taken.push(batch);
                return Ok(Sent { rejected, message: "too old".into() });
            }
            Act::Fail(error) => return Err(error),
            Act::Slow(time) => tokio::time::sleep(time).await,
            Act::Hang => std::future::pending().await,
            Act::Panic => panic!("the script says so"),
        }
        self.diary.lock().unwrap().taken.push(batch);
        Ok(Sent::all())
    }
}

thread_local! {
    static BEGAN: std::cell::Cell<Option<Instant>> = const { std::cell::Cell::new(None) };
}

fn since_start() -> Duration {
    BEGAN.get().map(|began| began.elapsed()).unwrap_or_default()
}

/// An exporter around a scripted backend, with its books.
struct Rig {
    books: Books,
    diary: Arc<Mutex<Diary>>,
}

impl Deref for Rig {
    type Target = Books;

    fn deref(&self) -> &Books {
        &self.books
    }
}

impl Rig {
    async fn start(settings: &SendSettings, script: impl FnMut(&Batch) -> Act + Send + 'static) -> Self {
        BEGAN.set(Some(Instant::now()));
        let context = context(Signal::Traces);
        let diary = Arc::new(Mutex::default());
        let backend = Backend { script: Mutex::new(Box::new(script)), diary: Arc::clone(&diary) };
        let exporter = exporter(context.clone(), settings, backend);
        Self { books: Books::start(context, exporter).await, diary }
    }

    fn taken(&self) -> Vec<Vec<String>> {
        self.diary.lock().unwrap().taken.iter().map(names).collect()
    }

    fn attempts(&self) -> Vec<Duration> {
        self.diary.lock().unwrap().attempts.iter().map(|(at, _)| *at).collect()
    }
}

fn queued(change: impl FnOnce(&mut QueueSettings)) -> SendSettings {
    let mut queue = QueueSettings { num_consumers: 1, ..QueueSettings::default() };
    change(&mut queue);
    SendSettings { queue: Some(queue), retry: Some(steady()), timeout: Duration::from_secs(5) }
}

/// Retries every second without jitter, for a minute.
fn steady() -> RetrySettings {
    RetrySettings {
        initial_interval: GoDuration(Duration::from_secs(1)),
        randomization_factor: 0.0,
        multiplier: 1.0,
        max_interval: GoDuration(Duration::from_secs(1)),
        max_elapsed_time: GoDuration(Duration::from_secs(60)),
        ..RetrySettings::default()
    }
}

/// Lets everything run until only time can move things on.
async fn quiet() {
    tokio::time::sleep(Duration::from_nanos(1)).await;
}
