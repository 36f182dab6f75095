//! Hears what plugins write into their log, which in a collector goes to the log of the process.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// Where the lines of plugins come from.
const PLUGIN_LOG: &str = "tailrace::plugin::log";

/// What was heard since it was last asked. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub(in crate::cli::plugin) struct Hearing(Arc<Mutex<Vec<String>>>);

impl Hearing {
    /// Begins to hear, for the rest of the process: lines of plugins are kept, errors of the host go to standard error. If
    /// the process has a logger already, that one keeps everything and nothing is heard.
    pub(in crate::cli::plugin) fn begin() -> Self {
        static HEARING: OnceLock<Hearing> = OnceLock::new();
        let install = || {
            let hearing = Self::default();
            let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(hearing.clone()));
            hearing
        };
        HEARING.get_or_init(install).clone()
    }

    /// The lines since the last call of this, each with its level.
    pub(in crate::cli::plugin) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<S: Subscriber> Layer<S> for Hearing {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        let mut message = Message::default();
        if target == PLUGIN_LOG {
            event.record(&mut message);
            let line = format!("{} {}", level.as_str().to_ascii_lowercase(), message.0);
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        } else if level == Level::ERROR && target.starts_with("tailrace") {
            event.record(&mut message);
            eprintln!("{}", message.0);
        }
    }
}

/// The text of an event.
#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            // Writing to memory cannot fail.
            let _ = write!(self.0, "{value:?}");
        }
    }
}
