//! What items have in common: the resource and the scope.

use super::{Attributes, Str, messages, string};

/// A `ResourceSpans`, `ResourceMetrics` or `ResourceLogs` message, seen for its resource.
#[derive(Clone, Copy, Debug)]
pub struct ResourceView<'a>(&'a [u8]);

impl<'a> ResourceView<'a> {
    /// From the payload of the message ([`Resource::range`](crate::Resource::range)) or of its context.
    #[must_use]
    pub const fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    /// The payload.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The attributes of the resource. If the message holds several `resource` fields: of all of them, as readers merge them.
    pub fn attributes(self) -> impl Iterator<Item = super::KeyValue<'a>> + Clone {
        attributes(self.0, 1)
    }

    /// How many attributes the sender dropped.
    #[must_use]
    pub fn dropped_attributes_count(self) -> u32 {
        merged(self.0, |resource| super::last(resource, 2).and_then(|field| field.varint())).unwrap_or_default() as u32
    }

    /// Schema URL of the resource.
    #[must_use]
    pub fn schema_url(self) -> Str<'a> {
        string(self.0, 3)
    }
}

/// A `ScopeSpans`, `ScopeMetrics` or `ScopeLogs` message, seen for its scope.
#[derive(Clone, Copy, Debug)]
pub struct ScopeView<'a>(&'a [u8]);

impl<'a> ScopeView<'a> {
    /// From the payload of the message ([`Scope::range`](crate::Scope::range)) or of its context.
    #[must_use]
    pub const fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    /// The payload.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Name of the instrumentation scope.
    #[must_use]
    pub fn name(self) -> Str<'a> {
        Str::new(merged(self.0, |scope| super::last(scope, 1).and_then(|field| field.bytes())).unwrap_or_default())
    }

    /// Version of the instrumentation scope.
    #[must_use]
    pub fn version(self) -> Str<'a> {
        Str::new(merged(self.0, |scope| super::last(scope, 2).and_then(|field| field.bytes())).unwrap_or_default())
    }

    /// Attributes of the instrumentation scope, of all `scope` fields if there are several.
    pub fn attributes(self) -> impl Iterator<Item = super::KeyValue<'a>> + Clone {
        attributes(self.0, 3)
    }

    /// How many attributes the sender dropped.
    #[must_use]
    pub fn dropped_attributes_count(self) -> u32 {
        merged(self.0, |scope| super::last(scope, 4).and_then(|field| field.varint())).unwrap_or_default() as u32
    }

    /// Schema URL of the items.
    #[must_use]
    pub fn schema_url(self) -> Str<'a> {
        string(self.0, 3)
    }
}

/// The last thing that `get` finds in the messages of field 1.
fn merged<'a, T>(message: &'a [u8], get: impl Fn(&'a [u8]) -> Option<T>) -> Option<T> {
    messages(message, 1).filter_map(get).last()
}

fn attributes<'a>(message: &'a [u8], number: u32) -> impl Iterator<Item = super::KeyValue<'a>> + Clone {
    messages(message, 1).flat_map(move |inner| Attributes::new(inner, number))
}
