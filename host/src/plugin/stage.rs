//! The place in a pipeline where plugins run: one, or several in a row.
//!
//! Holds nothing: a batch waits for a free instance, which is backpressure, and its answer is that of the next stage. What
//! a plugin drops is counted with reason `plugin`, what `error_mode: drop` drops with reason `plugin_error`, both only
//! once the rest of the batch has been taken.
//!
//! Plugins in a row share one scan, here and with the stages right behind: those tell what they will want to see
//! ([`Consumer::foresee`]) and take the batch before the edits are written ([`Consumer::consume_draft`]). A single plugin
//! with no other behind it goes the short way, [`Plugin::run`].

#[cfg(test)]
mod tests;

use super::chain::{Ahead, Step};
use super::{ErrorMode, Failed, Mood, Outcome, Plugin, RunError};
use crate::component::{BoxFuture, ConsumeError, Consumer, Context, Draft};
use crate::pdata::{Batch, Signal};
use crate::workers::lane::aside;
use arc_swap::{ArcSwap, ArcSwapOption};
use std::sync::Arc;
use std::time::Instant;
use tailrace_columns::{Union, Wants};

/// The ledger's reason for what a plugin dropped.
const DROPPED_BY_PLUGIN: &str = "plugin";
/// The ledger's reason for what was dropped because a call failed.
const DROPPED_BY_ERROR: &str = "plugin_error";

/// With more bytes to write than this, a millisecond's work, a batch is not written on a worker.
const LONG_BYTES: usize = 1 << 20;

/// Runs batches through its plugins.
pub struct Stage {
    context: Context,
    members: ArcSwap<Vec<Arc<Member>>>,
    next: Arc<dyn Consumer>,
    /// Whether the next stage goes on with drafts.
    shares: bool,
}

/// A plugin in a stage.
pub struct Member {
    /// What tells it from others of its stage; `None` if there are no others.
    label: Option<String>,
    plugin: Arc<Plugin>,
    born: Instant,
    /// What the last scan that it needed looked for.
    union: ArcSwapOption<Union>,
    mood: Mood,
}

impl Member {
    /// A plugin for a stage of several, known by `label`.
    pub fn new(label: impl Into<String>, plugin: Arc<Plugin>) -> Arc<Self> {
        Self::make(Some(label.into()), plugin)
    }

    fn make(label: Option<String>, plugin: Arc<Plugin>) -> Arc<Self> {
        let (union, mood) = (ArcSwapOption::empty(), Mood::default());
        Arc::new(Self { label, plugin, born: Instant::now(), union, mood })
    }

    /// When it was made.
    pub(super) fn born(&self) -> Instant {
        self.born
    }

    /// The plugin.
    pub fn plugin(&self) -> &Arc<Plugin> {
        &self.plugin
    }
}

impl Stage {
    /// With one plugin.
    pub fn single(context: Context, plugin: Arc<Plugin>, next: Arc<dyn Consumer>) -> Self {
        Self::new(context, vec![Member::make(None, plugin)], next)
    }

    /// With these plugins, in this order.
    pub fn new(context: Context, members: Vec<Arc<Member>>, next: Arc<dyn Consumer>) -> Self {
        let shares = context.signal.is_some_and(|signal| next.foresee(signal, &mut Vec::new()));
        Self { context, members: ArcSwap::from_pointee(members), next, shares }
    }

    /// Goes on with these plugins. Batches under way finish with those from before.
    pub fn set(&self, members: Vec<Arc<Member>>) {
        self.members.store(Arc::new(members));
    }

    /// The plugins.
    pub fn members(&self) -> Arc<Vec<Arc<Member>>> {
        self.members.load_full()
    }
}

impl Consumer for Stage {
    fn consume(&self, batch: Batch) -> BoxFuture<'_, Result<(), ConsumeError>> {
        Box::pin(async move {
            let members = self.members();
            match members.as_slice() {
                [only] if !self.shares => self.alone(only, batch).await,
                members => self.together(members, Draft::new(batch)).await,
            }
        })
    }

    fn consume_draft(&self, draft: Draft) -> BoxFuture<'_, Result<(), ConsumeError>> {
        Box::pin(async move { self.together(&self.members(), draft).await })
    }

    fn foresee(&self, signal: Signal, wants: &mut Vec<Arc<Wants>>) -> bool {
        self.look_ahead(&self.members.load(), signal, wants);
        true
    }
}

impl Stage {
    /// A single plugin with no other behind it.
    async fn alone(&self, member: &Member, batch: Batch) -> Result<(), ConsumeError> {
        let items = batch.items();
        match member.plugin.run(&batch).await {
            Ok(outcome) => {
                self.works(member);
                match outcome {
                    Outcome::Unchanged => self.next.consume(batch).await,
                    Outcome::Replaced(new) => {
                        let dropped = items.saturating_sub(new.items());
                        self.next.consume(new).await?;
                        self.context.account.dropped(DROPPED_BY_PLUGIN, dropped);
                        Ok(())
                    }
                    Outcome::Dropped { .. } => {
                        self.context.account.dropped(DROPPED_BY_PLUGIN, items);
                        Ok(())
                    }
                }
            }
            Err(failed) => {
                self.fails(member, &failed);
                match failed.mode {
                    ErrorMode::Propagate => Err(self.refusal(member, failed)),
                    ErrorMode::Ignore => self.next.consume(batch).await,
                    ErrorMode::Drop => {
                        self.context.account.dropped(DROPPED_BY_ERROR, items);
                        Ok(())
                    }
                }
            }
        }
    }

    /// Several plugins in a row, of which perhaps some were in the stages before, and some come in those behind.
    async fn together(&self, members: &[Arc<Member>], mut draft: Draft) -> Result<(), ConsumeError> {
        let account = &self.context.account;
        let items = draft.items();
        let signal = draft.signal();
        for (at, member) in members.iter().enumerate() {
            let behind = members.get(at + 1..).unwrap_or_default();
            let union = |own: &Arc<Wants>| {
                let mut wants = vec![Arc::clone(own)];
                self.look_ahead(behind, signal, &mut wants);
                member.union_of(&wants)
            };
            match member.plugin.run_draft(&mut draft, union).await {
                Ok(step) => {
                    self.works(member);
                    if let Step::Dropped { .. } = step {
                        account.dropped(DROPPED_BY_PLUGIN, items);
                        return Ok(());
                    }
                }
                Err(failed) => {
                    self.fails(member, &failed);
                    match failed.mode {
                        ErrorMode::Propagate => return Err(self.refusal(member, failed)),
                        // What it would have edited is left out, what others edited stays.
                        ErrorMode::Ignore => {}
                        ErrorMode::Drop => {
                            account.dropped(DROPPED_BY_PLUGIN, items.saturating_sub(draft.items()));
                            account.dropped(DROPPED_BY_ERROR, draft.items());
                            return Ok(());
                        }
                    }
                }
            }
        }
        let dropped = items.saturating_sub(draft.items());
        if self.shares {
            self.next.consume_draft(draft).await?;
        } else {
            let is_long = draft.bytes_to_write() > LONG_BYTES;
            let write = async move {
                let start = Instant::now();
                (draft.into_batch(), start.elapsed())
            };
            let (batch, took) = if is_long { aside(Box::pin(write)).await } else { write.await };
            let batch = batch.map_err(|error| ConsumeError::permanent(error.to_string()))?;
            if let Some(last) = members.last() {
                last.plugin.spent(took);
            }
            self.next.consume(batch).await?;
        }
        account.dropped(DROPPED_BY_PLUGIN, dropped);
        Ok(())
    }

    /// What `members` and the stages behind will want to see, up to the first that needs the batch written.
    fn look_ahead(&self, members: &[Arc<Member>], signal: Signal, wants: &mut Vec<Arc<Wants>>) {
        for member in members {
            match member.plugin.ahead(signal) {
                Ahead::Wants(more) => wants.push(more),
                Ahead::Skips => {}
                Ahead::Stops => return,
            }
        }
        if self.shares {
            self.next.foresee(signal, wants);
        }
    }

    fn works(&self, member: &Member) {
        if member.mood.works() {
            tracing::info!(processor = %self.context.id, plugin = member.label, "the plugin works again");
        }
    }

    fn fails(&self, member: &Member, failed: &Failed) {
        if let Some(unsaid) = member.mood.fails() {
            let (processor, plugin, error, mode) = (&self.context.id, &member.label, &failed.error, failed.mode);
            tracing::warn!(%processor, plugin, ?mode, unsaid, "the plugin fails: {error}");
        }
    }

    /// What the sender hears. An accident may not happen again, a plugin's answer says for itself.
    fn refusal(&self, member: &Member, failed: Failed) -> ConsumeError {
        let message = match &member.label {
            Some(label) => format!("{}: {label}: {}", self.context.id, failed.error),
            None => format!("{}: {}", self.context.id, failed.error),
        };
        match failed.error {
            RunError::Accident(_) | RunError::Retryable(_) => ConsumeError::retryable(message),
            RunError::Permanent(_) => ConsumeError::permanent(message),
        }
    }
}

impl Member {
    /// The union of these; the one from last time if they are the same.
    fn union_of(&self, wants: &[Arc<Wants>]) -> Arc<Union> {
        if let Some(known) = self.union.load().as_ref()
            && known.is_of(wants)
        {
            return Arc::clone(known);
        }
        let union = Arc::new(Union::of(wants));
        self.union.store(Some(Arc::clone(&union)));
        union
    }
}
