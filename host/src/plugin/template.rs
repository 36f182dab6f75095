//! A component that is told once what it is to be, and becomes another one: how `tailrace plugin dev` makes plugins of interpreters
//! quickly.
//!
//! The template is an interpreter with everything in it but the author's part. It exports the interfaces of a plugin and waits: its
//! first `configure` gets, instead of a configuration, what it is to be. It is run up to there in this process; then its memory and its
//! globals become those that the new component starts with, and code stays as it is. So neither the interpreter nor the
//! functions of the component are compiled anew (see [`super::functions`]).
//!
//! A template is a guest like any other: it runs in the closed world of plugins, with limits of its own, and sees nothing but the text.
//! What comes out is looked at like any file: nobody trusts it more for having been made here.

use super::about;
use super::error::LoadError;
use super::instance::Instance;
use super::limits::Limits;
use super::log::tidy;
use super::program::{Candidate, Program};
use async_trait::async_trait;
use component_init_transform::Invoker;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Time for everything that runs in a template.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Memory for it: it is handed over as it is, so that is also the limit for what one call may hand back.
const MEMORY_BYTES: usize = 256 << 20;

type Running = Pin<Box<dyn Future<Output = anyhow::Result<Box<dyn Invoker>>> + Send>>;

/// A component that waits to be told what it is to be.
pub struct Template {
    component: Vec<u8>,
    /// The same with exports through which its memory and its globals can be read, compiled when it is first needed. They have the same
    /// names each time, so that what was compiled once serves again.
    readable: Mutex<Option<Arc<Program>>>,
}

impl Template {
    /// Of this component, which is not looked at yet.
    pub fn new(component: Vec<u8>) -> Self {
        Self { component, readable: Mutex::default() }
    }

    /// The component that it is after it was told `text`. Blocks; may be called inside and outside of a runtime.
    ///
    /// # Errors
    /// What it has against the text, or what went wrong in it.
    pub fn filled(&self, text: &str) -> Result<Vec<u8>, LoadError> {
        let known = self.readable.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let text = text.to_owned();
        let (tell, told) = std::sync::mpsc::channel();
        let run = move |readable: Vec<u8>| -> Running {
            Box::pin(async move {
                let compile = || about::compile_for_now(&Candidate::new(readable));
                let program = known.map_or_else(compile, Ok)?;
                // Who asked waits for it.
                let _ = tell.send(Arc::clone(&program));
                let instance = run(&program, &text).await?;
                Ok(Box::new(Reader(instance)) as Box<dyn Invoker>)
            })
        };
        let made = super::blocking(|| component_init_transform::initialize(&self.component, run))?;
        if let Ok(program) = told.try_recv() {
            *self.readable.lock().unwrap_or_else(PoisonError::into_inner) = Some(program);
        }
        made.map_err(|error| error.downcast().unwrap_or_else(|error| LoadError(format!("{error:#}"))))
    }
}

/// An instance that has been told `text`.
async fn run(program: &Arc<Program>, text: &str) -> Result<Instance, LoadError> {
    let (memory_bytes, output_bytes) = (MEMORY_BYTES, MEMORY_BYTES);
    let limits = Arc::new(Limits { start_timeout: TIMEOUT, memory_bytes, output_bytes, ..Limits::default() });
    let mut instance =
        Instance::new(program, &limits, &about::shared("template", &limits)).await.map_err(LoadError::new)?;
    match instance.configure(text).await.map_err(LoadError::new)? {
        Ok(_) => Ok(instance),
        Err(answer) => Err(LoadError(tidy(&answer))),
    }
}

/// Reads what an instance is now.
struct Reader(Instance);

#[async_trait]
impl Invoker for Reader {
    async fn call_s32(&mut self, function: &str) -> anyhow::Result<i32> {
        Ok(self.0.ask(function).await.map_err(LoadError::new)?)
    }

    async fn call_s64(&mut self, function: &str) -> anyhow::Result<i64> {
        Ok(self.0.ask(function).await.map_err(LoadError::new)?)
    }

    async fn call_f32(&mut self, function: &str) -> anyhow::Result<f32> {
        Ok(self.0.ask(function).await.map_err(LoadError::new)?)
    }

    async fn call_f64(&mut self, function: &str) -> anyhow::Result<f64> {
        Ok(self.0.ask(function).await.map_err(LoadError::new)?)
    }

    async fn call_list_u8(&mut self, function: &str) -> anyhow::Result<Vec<u8>> {
        Ok(self.0.ask(function).await.map_err(LoadError::new)?)
    }
}

#[cfg(test)]
mod tests;
