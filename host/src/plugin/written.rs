//! Where the settings of a plugin are written, so that what is wrong with it or with its configuration is said with file, line and key.

use super::{LoadError, PluginConfig, config_json, faults};
use crate::component::{BuildError, Context};
use crate::yaml::{Node, Problems, Section};
use std::fmt::Display;
use std::path::Path;

/// The block with `module` and `config` of a plugin, if it was read from a configuration. Two are equal if a plugin gets the same
/// from them, wherever they stand.
#[derive(Clone, Debug, Default)]
pub struct Written(Option<Block>);

#[derive(Clone, Debug)]
struct Block {
    path: String,
    node: Node,
}

impl PartialEq for Written {
    fn eq(&self, other: &Self) -> bool {
        let gets = |written: &Self| written.0.as_ref().map(Block::config);
        gets(self) == gets(other)
    }
}

impl Written {
    /// In this block.
    pub fn at(section: &Section<'_>) -> Self {
        Self(Some(Block { path: section.path.to_owned(), node: section.node.clone() }))
    }

    /// What the plugin gets: what stands under `config`, which was read as `config`.
    pub fn config(&self, config: &serde_json::Value) -> PluginConfig {
        self.0.as_ref().map_or_else(|| config_json(config).into(), Block::config)
    }

    /// Something is wrong with what `key` says.
    pub fn error(&self, context: &Context, key: &str, message: impl Display) -> BuildError {
        let Some(block) = &self.0 else { return context.error(message) };
        let mut problems = Problems::default();
        Section { path: &block.path, node: &block.node }.fault(key, message.to_string(), &mut problems);
        context.faults(&problems)
    }

    /// The plugin in `file` cannot be loaded, or has something against its configuration.
    pub fn refused(&self, context: &Context, file: &Path, error: &LoadError) -> BuildError {
        let unusable =
            || self.error(context, "module", format_args!("cannot use {} as a plugin: {error}", file.display()));
        let (Some(answer), Some(block)) = (error.about_configuration(), &self.0) else { return unusable() };
        let path = format!("{}::config", block.path);
        // Without any configuration the place is that of the block.
        let (path, node) = match block.node.get("config") {
            Some(node) => (&path, node),
            None => (&block.path, &block.node),
        };
        context.faults(&faults(&Section { path, node }, answer, &format!(" (says {})", file.display())))
    }
}

impl Block {
    fn config(&self) -> PluginConfig {
        PluginConfig::written(self.node.get("config"))
    }
}
