//! A processor made of plugins, whatever names them in the configuration: its place, its life, and batches into its stage. A
//! component that asks plugins in another way has the same place, and follows their files in the same way.

use super::directory::Watch;
use super::stage::Stage;
use crate::component::{BoxFuture, BuildError, Component, ConsumeError, Consumer, Context, Draft, Processor};
use crate::pdata::{Batch, Signal};
use crate::shutdown::Deadline;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tailrace_columns::Wants;

/// What the plugins of a processor have in common in metrics: its id, and its pipeline.
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

    /// What a plugin counts under there.
    pub fn labels<'a>(&'a self, plugin: &'a str) -> [(&'static str, &'a str); 3] {
        [("processor", &self.id), ("pipeline", &self.pipeline), ("plugin", plugin)]
    }
}

/// Plugins in a pipeline.
pub struct Plugins {
    context: Context,
    stage: Arc<Stage>,
    followed: Option<Followed>,
}

/// What lies at a path, followed from start to stop.
pub struct Followed {
    path: PathBuf,
    begin: Box<dyn Fn() -> io::Result<Watch> + Send + Sync>,
    watch: Mutex<Option<Watch>>,
}

impl Followed {
    /// What lies at `path`, from when `begin` is called.
    pub fn new(path: &Path, begin: impl Fn() -> io::Result<Watch> + Send + Sync + 'static) -> Self {
        Self { path: path.to_owned(), begin: Box::new(begin), watch: Mutex::default() }
    }

    /// Follows it from now on, if that is not done yet.
    ///
    /// # Errors
    /// If it cannot be watched.
    pub fn start(&self, context: &Context) -> Result<(), BuildError> {
        let mut watch = self.watch();
        if watch.is_none() {
            let fault = |error| context.error(format_args!("cannot watch {}: {error}", self.path.display()));
            *watch = Some((self.begin)().map_err(fault)?);
        }
        Ok(())
    }

    /// Follows it no longer.
    pub async fn stop(&self, deadline: Deadline) {
        let watch = self.watch().take();
        if watch.is_some() {
            // The thread of the directory may be compiling; it is waited for beside the runtime.
            let _ = deadline.bound(tokio::task::spawn_blocking(move || drop(watch))).await;
        }
    }

    fn watch(&self) -> std::sync::MutexGuard<'_, Option<Watch>> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        Self { context, stage, followed: Some(Followed::new(path, begin)) }
    }
}

impl Component for Plugins {
    fn start(&self) -> BoxFuture<'_, Result<(), BuildError>> {
        let started = self.followed.as_ref().map_or(Ok(()), |followed| followed.start(&self.context));
        Box::pin(std::future::ready(started))
    }

    fn shutdown(&self, deadline: Deadline) -> BoxFuture<'_, ()> {
        for member in self.stage.members().iter() {
            member.plugin().close();
        }
        Box::pin(async move {
            if let Some(followed) = &self.followed {
                followed.stop(deadline).await;
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
