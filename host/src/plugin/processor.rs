//! A processor made of plugins, whatever names them in the configuration: its place, its life, and batches into its stage.

use super::directory::Watch;
use super::stage::Stage;
use crate::component::{BoxFuture, BuildError, Component, ConsumeError, Consumer, Context, Draft, Processor};
use crate::pdata::{Batch, Signal};
use crate::shutdown::Deadline;
use serde_json::Value;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tailrace_columns::Wants;

/// What tells a processor from others: its id, and its pipeline.
pub struct Place {
    id: String,
    pipeline: String,
}

impl Place {
    /// Of the component with this context.
    pub fn of(context: &Context) -> Self {
        let pipeline = context.pipeline.as_ref().map(ToString::to_string).unwrap_or_default();
        Self { id: context.id.to_string(), pipeline }
    }

    /// `wasm/redact@traces`.
    pub fn name(&self) -> String {
        if self.pipeline.is_empty() { self.id.clone() } else { format!("{}@{}", self.id, self.pipeline) }
    }

    /// What a plugin counts under there.
    pub fn labels<'a>(&'a self, plugin: &'a str) -> [(&'static str, &'a str); 3] {
        [("processor", &self.id), ("pipeline", &self.pipeline), ("plugin", plugin)]
    }

    /// Shows it in `GET /status`.
    pub fn show(&self, context: &Context, view: impl Fn() -> Value + Send + Sync + 'static) {
        context.telemetry.status().publish(&format!("processor:{}", self.name()), view);
    }
}

/// Plugins in a pipeline.
pub struct Plugins {
    context: Context,
    stage: Arc<Stage>,
    followed: Option<Followed>,
}

/// What is followed from start to shutdown.
struct Followed {
    path: PathBuf,
    begin: Box<dyn Fn() -> io::Result<Watch> + Send + Sync>,
    watch: Mutex<Option<Watch>>,
}

impl Plugins {
    /// Plugins that stay as they are.
    pub fn fixed(context: Context, stage: Arc<Stage>) -> Self {
        Self { context, stage, followed: None }
    }

    /// Plugins that follow what lies at `path`, from when `begin` is called until shutdown.
    pub fn following(
        context: Context,
        stage: Arc<Stage>,
        path: &Path,
        begin: impl Fn() -> io::Result<Watch> + Send + Sync + 'static,
    ) -> Self {
        let followed = Followed { path: path.to_owned(), begin: Box::new(begin), watch: Mutex::default() };
        Self { context, stage, followed: Some(followed) }
    }
}

impl Followed {
    fn watch(&self) -> std::sync::MutexGuard<'_, Option<Watch>> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Component for Plugins {
    fn start(&self) -> BoxFuture<'_, Result<(), BuildError>> {
        let begin = |followed: &Followed| {
            let watch = (followed.begin)().map_err(|error| {
                self.context.error(format_args!("cannot watch {}: {error}", followed.path.display()))
            })?;
            *followed.watch() = Some(watch);
            Ok(())
        };
        Box::pin(std::future::ready(self.followed.as_ref().map_or(Ok(()), begin)))
    }

    fn shutdown(&self, deadline: Deadline) -> BoxFuture<'_, ()> {
        for member in self.stage.members().iter() {
            member.plugin().close();
        }
        let watch = self.followed.as_ref().and_then(|followed| followed.watch().take());
        Box::pin(async move {
            if watch.is_some() {
                // The thread of the directory may be compiling; it is waited for beside the runtime.
                let _ = deadline.bound(tokio::task::spawn_blocking(move || drop(watch))).await;
            }
        })
    }
}

impl Processor for Plugins {}

impl Consumer for Plugins {
    fn consume(&self, batch: Batch) -> BoxFuture<'_, Result<(), ConsumeError>> {
        self.stage.consume(batch)
    }

    fn consume_draft(&self, draft: Draft) -> BoxFuture<'_, Result<(), ConsumeError>> {
        self.stage.consume_draft(draft)
    }

    fn foresee(&self, signal: Signal, wants: &mut Vec<Arc<Wants>>) -> bool {
        self.stage.foresee(signal, wants)
    }
}
