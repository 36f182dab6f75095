//! Paths of keys: how a fault says where it is inside a section.

use super::{Node, Origin};
use std::fmt;

/// The way from the section down to a node, as a chain on the stack of the reader.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trail<'a> {
    up: Option<&'a Trail<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

impl<'a> Trail<'a> {
    /// Begins at a section.
    pub(super) fn root(path: &'a str) -> Self {
        Self { up: None, step: Step::Key(path) }
    }

    /// The beginning of a section without a path.
    fn is_nothing(&self) -> bool {
        self.up.is_none() && matches!(self.step, Step::Key(""))
    }

    /// One key further down.
    pub(super) fn key(&'a self, name: &'a str) -> Self {
        Self { up: Some(self), step: Step::Key(name) }
    }

    /// One item of the list further down.
    pub(super) fn index(&'a self, index: usize) -> Self {
        Self { up: Some(self), step: Step::Index(index) }
    }
}

impl fmt::Display for Trail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(up) = self.up {
            up.fmt(f)?;
        }
        match self.step {
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Key(name) if self.up.is_none_or(Self::is_nothing) => f.write_str(name),
            Step::Key(name) => write!(f, "::{name}"),
        }
    }
}

/// What a path written by a component (`policies[0].latency.threshold_ms`) leads to.
pub(super) struct Found<'a> {
    /// Place of the deepest node of the path that is written down.
    pub(super) origin: &'a Origin,
    /// The path as messages write it: `policies[0]::latency::threshold_ms`.
    pub(super) path: String,
    /// The node, if all of the path is written down.
    pub(super) node: Option<&'a Node>,
}

/// Follows `key` from `node`. Keys that contain dots are found when written down as they are.
pub(super) fn find<'a>(section: &str, node: &'a Node, key: &str) -> Found<'a> {
    let mut path = section.to_owned();
    let mut node = node;
    let mut rest = key;
    while !rest.is_empty() {
        rest = rest.strip_prefix("::").or_else(|| rest.strip_prefix('.')).unwrap_or(rest);
        let Some((next, step, behind)) = step_down(node, rest) else {
            let rest = rest.replace('.', "::");
            path.push_str(if rest.starts_with('[') || path.is_empty() { "" } else { "::" });
            path.push_str(&rest);
            return Found { origin: &node.origin, path, node: None };
        };
        path.push_str(if step.starts_with('[') || path.is_empty() { "" } else { "::" });
        path.push_str(step);
        (node, rest) = (next, behind);
    }
    Found { origin: &node.origin, path, node: Some(node) }
}

/// The child that `rest` begins with, the text of that step, and what is left.
fn step_down<'a, 'r>(node: &'a Node, rest: &'r str) -> Option<(&'a Node, &'r str, &'r str)> {
    if let Some(bracket) = rest.strip_prefix('[') {
        let (digits, behind) = bracket.split_once(']')?;
        let child = node.items().get(digits.parse::<usize>().ok()?)?;
        let step = rest.get(..digits.len() + 2)?;
        return Some((child, step, behind));
    }
    let fits = |name: &str| {
        let behind = rest.strip_prefix(name)?;
        let ends = behind.is_empty() || behind.starts_with(['.', '[']) || behind.starts_with("::");
        (ends && !name.is_empty()).then_some(behind)
    };
    let longest =
        node.entries().iter().filter(|(key, _)| fits(&key.name).is_some()).max_by_key(|(key, _)| key.name.len());
    let (key, child) = longest?;
    Some((child, rest.get(..key.name.len())?, fits(&key.name)?))
}
