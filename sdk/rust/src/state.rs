//! What a plugin keeps when its instance is replaced.

use crate::Plugin;

/// A plugin that keeps something when its instance is replaced by a fresh one: because there is a new version or another
/// configuration, or because the instance is old. Only for plugins whose interest says
/// [`in_one_instance`](crate::Interest::in_one_instance); export it with `export!(Type: sampler, state)`.
///
/// Nothing is kept over an accident (an instance that trapped cannot be asked) or a restart of the host.
pub trait Stateful: Plugin {
    /// What to keep, at most `state_mib` of the plugin's limits. The instance gets no call after this.
    fn save(&mut self) -> Vec<u8>;

    /// Takes what an older instance, perhaps of an older version of the plugin, has saved.
    ///
    /// # Errors
    /// Why it cannot be used. It is logged, and the plugin starts fresh: leave `self` as it was.
    fn restore(&mut self, state: &[u8]) -> Result<(), String>;
}
