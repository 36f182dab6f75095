//! What a plugin wants to see.

use crate::attributes::Asked;
use crate::{Intrinsic, Level, Signal};

/// What a plugin wants to see. It sees nothing else through [`crate::Attributes`], and it is not called for batches
/// that have none of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    pub(crate) signals: Vec<Signal>,
    pub(crate) attributes: Vec<Selector>,
    pub(crate) levels: Vec<Level>,
    pub(crate) intrinsics: Vec<Intrinsic>,
    pub(crate) every: Vec<Level>,
    pub(crate) single: bool,
}

/// Which attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selector {
    Exact(String),
    Prefix(String),
    All,
}

impl Interest {
    /// In attributes with these keys. A key that ends in `*` stands for every key that begins so; `*` alone for all.
    pub fn in_attributes<K: AsRef<str>>(keys: impl IntoIterator<Item = K>) -> Self {
        Self::default().and_attributes(keys)
    }

    /// In a field.
    pub fn in_intrinsic(intrinsic: Intrinsic) -> Self {
        Self::default().and_intrinsic(intrinsic)
    }

    /// For a [`crate::Processor`]: in every batch.
    pub fn in_every_batch() -> Self {
        Self::default()
    }

    /// Also in attributes with these keys; see [`Interest::in_attributes`].
    #[must_use]
    pub fn and_attributes<K: AsRef<str>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        self.attributes.extend(keys.into_iter().map(|key| match key.as_ref() {
            "*" => Selector::All,
            key => match key.strip_suffix('*') {
                Some(prefix) => Selector::Prefix(prefix.to_owned()),
                None => Selector::Exact(key.to_owned()),
            },
        }));
        self
    }

    /// Also in a field.
    #[must_use]
    pub fn and_intrinsic(mut self, intrinsic: Intrinsic) -> Self {
        if !self.intrinsics.contains(&intrinsic) {
            self.intrinsics.push(intrinsic);
        }
        self
    }

    /// Only in batches of these signals.
    #[must_use]
    pub fn of(mut self, signals: impl IntoIterator<Item = Signal>) -> Self {
        self.signals.extend(signals);
        self
    }

    /// Attributes only at these levels.
    #[must_use]
    pub fn at(mut self, levels: impl IntoIterator<Item = Level>) -> Self {
        self.levels.extend(levels);
        self
    }

    /// For [`crate::Attributes`]: show every group of this level ([`Level::Item`], [`Level::Resource`], [`Level::Scope`] or
    /// [`Level::Metric`]), also those in which nothing of interest occurs. For plugins that add attributes. They are called
    /// for every batch.
    #[must_use]
    pub fn and_every(mut self, level: Level) -> Self {
        self.every.push(level);
        self
    }

    /// The plugin must run in one instance only, its calls one after another.
    #[must_use]
    pub fn in_one_instance(mut self) -> Self {
        self.single = true;
        self
    }

    pub(crate) fn asked(&self) -> Asked {
        Asked { intrinsics: self.intrinsics.clone(), every: self.every.clone() }
    }
}
