//! Plugins that work on single attributes.

use crate::{Failure, Intrinsic, Level, Plugin, Signal, Value};
use std::borrow::Cow;
use tailrace_columns::{Action, Additions, Columns, Edits, Key, Put, Row, Rows};

/// A plugin that reads, changes or removes single attributes, or drops items because of them.
///
/// Implement [`attribute`](Self::attribute) if each attribute can be judged alone, or [`group`](Self::group) to see
/// all values of one span, log record, data point, resource, scope or metric together. The host finds the values and
/// makes the changes: what you return can be wrong, but never malformed.
pub trait Attributes: Plugin {
    /// What to do with one of the attributes (or fields) that the interest names.
    fn attribute(&mut self, attribute: &Attribute<'_>) -> Edit {
        let _ = attribute;
        Edit::Keep
    }

    /// What to do with what belongs together. Asks [`attribute`](Self::attribute) for each value, unless you
    /// implement it.
    fn group(&mut self, group: &mut Group<'_>) -> Result<(), Failure> {
        for at in 0..group.len() {
            let Some(attribute) = group.get(at) else { continue };
            let edit = self.attribute(&attribute);
            group.edit(at, edit);
        }
        Ok(())
    }
}

/// One value that the plugin asked for: an attribute, or a field of the item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attribute<'a> {
    /// Where it lives.
    pub level: Level,
    /// What it is.
    pub value: Value<'a>,
    key: Key<'a>,
}

impl<'a> Attribute<'a> {
    /// The key of the attribute, or the name of the field (`span.name`).
    pub fn key(&self) -> &'a str {
        match self.key {
            Key::Attribute(key) => key,
            Key::Intrinsic(intrinsic) => intrinsic.name(),
        }
    }

    /// The field that it is, if it is no attribute.
    pub fn intrinsic(&self) -> Option<Intrinsic> {
        if let Key::Intrinsic(intrinsic) = self.key { Some(intrinsic) } else { None }
    }
}

/// What to do with an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// Leave it as it is.
    Keep,
    /// Give it this value.
    Set(NewValue),
    /// Remove it. A field cannot be removed.
    Remove,
    /// Drop the item that it belongs to; for a resource, scope or metric, every item in it.
    DropItem,
}

impl Edit {
    /// Gives it a value: text, a number, true or false, or bytes.
    pub fn set(value: impl Into<NewValue>) -> Self {
        Self::Set(value.into())
    }
}

/// A value that a plugin sets.
#[derive(Clone, Debug, PartialEq)]
pub enum NewValue {
    /// Text.
    String(Cow<'static, str>),
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Double(f64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// An array or a map: an encoded `AnyValue`, as [`Value::Nested`] has it and [`crate::otlp::view::put_value`] writes it.
    Nested(Vec<u8>),
}

impl NewValue {
    fn as_value(&self) -> Value<'_> {
        match self {
            Self::String(text) => Value::String(text),
            Self::Bool(truth) => Value::Bool(*truth),
            Self::Int(number) => Value::Int(*number),
            Self::Double(number) => Value::Double(*number),
            Self::Bytes(bytes) => Value::Bytes(bytes),
            Self::Nested(message) => Value::Nested(message),
        }
    }
}

impl TryFrom<Value<'_>> for NewValue {
    type Error = NoValue;

    /// Copies a value that another attribute has.
    fn try_from(value: Value<'_>) -> Result<Self, NoValue> {
        Ok(match value {
            Value::String(text) => text.to_owned().into(),
            Value::Bool(truth) => truth.into(),
            Value::Int(number) => number.into(),
            Value::Double(number) => number.into(),
            Value::Bytes(bytes) => bytes.to_owned().into(),
            Value::Nested(message) => Self::Nested(message.to_owned()),
            Value::Empty => return Err(NoValue),
        })
    }
}

/// A missing value cannot be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoValue;

impl std::fmt::Display for NoValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a missing value cannot be set")
    }
}

impl std::error::Error for NoValue {}

macro_rules! new_value_from {
    ($($from:ty => $case:ident,)*) => {
        $(impl From<$from> for NewValue {
            fn from(value: $from) -> Self {
                Self::$case(value.into())
            }
        })*
    };
}
new_value_from! {
    &'static str => String,
    String => String,
    bool => Bool,
    i64 => Int,
    f64 => Double,
    Vec<u8> => Bytes,
}

/// The values that belong to one span, log record, data point, resource, scope or metric, and the edits to them.
#[derive(Debug)]
pub struct Group<'a> {
    signal: Signal,
    level: Level,
    owner: u32,
    rows: &'a [Row<'a>],
    above: Above<'a>,
    edits: &'a mut Vec<Edit>,
    added: &'a mut Added,
}

/// The rows of what a group lies in.
#[derive(Clone, Copy, Debug, Default)]
struct Above<'a> {
    resource: &'a [Row<'a>],
    scope: &'a [Row<'a>],
    metric: &'a [Row<'a>],
}

impl<'a> Group<'a> {
    /// Traces, metrics or logs.
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// What this is: [`Level::Resource`], [`Level::Scope`], [`Level::Metric`], or [`Level::Item`] for a span, log record or
    /// data point with its events, links and exemplars.
    pub fn level(&self) -> Level {
        self.level
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The value at this place.
    pub fn get(&self, at: usize) -> Option<Attribute<'a>> {
        self.rows.get(at).map(attribute)
    }

    /// All values, with their places.
    pub fn iter(&self) -> impl Iterator<Item = (usize, Attribute<'a>)> + use<'a> {
        self.rows.iter().map(attribute).enumerate()
    }

    /// The first value with this key or name of this itself, not of an event, link or exemplar in it.
    pub fn find(&self, key: &str) -> Option<Attribute<'a>> {
        let own = self.rows.iter().filter(|row| row.level == self.level);
        own.map(attribute).find(|attribute| attribute.key() == key)
    }

    /// The first value with this key or name of the resource that this comes from, if the plugin asked for it there.
    pub fn of_resource(&self, key: &str) -> Option<Attribute<'a>> {
        find(self.above.resource, key)
    }

    /// The first value with this key or name of the scope that this comes from.
    pub fn of_scope(&self, key: &str) -> Option<Attribute<'a>> {
        find(self.above.scope, key)
    }

    /// The first value with this key or name of the metric that this data point belongs to.
    pub fn of_metric(&self, key: &str) -> Option<Attribute<'a>> {
        find(self.above.metric, key)
    }

    /// Decides about the value at this place; the last decision counts.
    pub fn edit(&mut self, at: usize, edit: Edit) {
        if let Some(decided) = self.edits.get_mut(at) {
            *decided = edit;
        }
    }

    /// Gives the attribute `key` of this span, log record, data point, resource, scope or metric a value, whether it is
    /// there or not.
    pub fn set(&mut self, key: &str, value: impl Into<NewValue>) {
        let value = value.into();
        match self.own(key) {
            Some(at) => self.edit(at, Edit::Set(value)),
            None => self.added.push(self.owner, self.level, Put::Set, key, &value.as_value()),
        }
    }

    /// Gives the attribute `key` a value, if it is not there. Attributes that the plugin did not ask for are looked at too.
    pub fn set_if_absent(&mut self, key: &str, value: impl Into<NewValue>) {
        if self.own(key).is_none() {
            self.added.push(self.owner, self.level, Put::Insert, key, &value.into().as_value());
        }
    }

    /// Removes the attribute `key`, if the plugin asked for it and it is there.
    pub fn remove(&mut self, key: &str) {
        if let Some(at) = self.own(key) {
            self.edit(at, Edit::Remove);
        }
    }

    /// Drops the item; for a resource, scope or metric, every item in it.
    pub fn drop_item(&mut self) {
        if self.rows.is_empty() {
            self.added.push(self.owner, self.level, Put::Drop, "", &Value::Empty);
        } else {
            self.edit(0, Edit::DropItem);
        }
    }

    /// The place of the attribute `key` of this itself, not of an event, link or exemplar in it.
    fn own(&self, key: &str) -> Option<usize> {
        self.rows.iter().position(|row| row.level == self.level && row.key == Key::Attribute(key))
    }
}

pub(crate) fn attribute<'a>(row: &Row<'a>) -> Attribute<'a> {
    Attribute { level: row.level, value: row.value, key: row.key }
}

fn find<'a>(rows: &[Row<'a>], key: &str) -> Option<Attribute<'a>> {
    rows.iter().map(attribute).find(|attribute| attribute.key() == key)
}

/// What is to be added, and the index of each key.
#[derive(Debug, Default)]
struct Added {
    additions: Additions,
    /// Few, so that a search is cheaper than a map.
    keys: Vec<String>,
}

impl Added {
    fn push(&mut self, owner: u32, level: Level, put: Put, key: &str, value: &Value<'_>) {
        let known = self.keys.iter().position(|known| known == key);
        let key = match (put, known) {
            (Put::Drop, _) => 0,
            (_, Some(known)) => u32::try_from(known).unwrap_or(u32::MAX),
            (_, None) => {
                self.keys.push(key.to_owned());
                self.additions.name(key)
            }
        };
        self.additions.push(owner, level, put, key, value);
    }
}

/// Runs a plugin over columns: what the export and the tests have in common.
pub(crate) fn apply<P: Attributes>(
    plugin: &mut P,
    asked: &Asked,
    signal: Signal,
    columns: &Columns,
) -> Result<Edits, Failure> {
    let rows: Vec<_> = Rows::new(columns, &asked.intrinsics).iter().collect();
    let shape = &columns.shape;
    let mut walk = Walk {
        plugin,
        signal,
        every: &asked.every,
        rest: &rows,
        above: Above::default(),
        decided: Vec::new(),
        edits: Edits::default(),
        added: Added::default(),
    };
    let count = |level| u32::try_from(shape.count(level)).unwrap_or(u32::MAX);
    for resource in 0..count(Level::Resource) {
        walk.above = Above::default();
        walk.above.resource = walk.group(Level::Resource, resource)?;
        for scope in shape.scopes(resource) {
            (walk.above.scope, walk.above.metric) = (&[], &[]);
            walk.above.scope = walk.group(Level::Scope, scope)?;
            for child in shape.children(scope) {
                if signal != Signal::Metrics {
                    walk.group(Level::Item, child)?;
                    continue;
                }
                walk.above.metric = &[];
                walk.above.metric = walk.group(Level::Metric, child)?;
                for point in shape.points(child) {
                    walk.group(Level::Item, point)?;
                }
            }
        }
    }
    walk.edits.additions = walk.added.additions;
    Ok(walk.edits)
}

/// What a plugin asked for, as far as its rows have to be understood.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// Fields, in the order in which the columns name them.
    pub(crate) intrinsics: Vec<Intrinsic>,
    /// Levels whose groups are shown also without any value.
    pub(crate) every: Vec<Level>,
}

/// On the way through a batch, in its order.
struct Walk<'a, P> {
    plugin: &'a mut P,
    signal: Signal,
    every: &'a [Level],
    /// Rows that were not shown yet.
    rest: &'a [Row<'a>],
    above: Above<'a>,
    decided: Vec<Edit>,
    edits: Edits,
    added: Added,
}

impl<'a, P: Attributes> Walk<'a, P> {
    /// Shows one group, if there is anything to show; returns its rows.
    fn group(&mut self, level: Level, owner: u32) -> Result<&'a [Row<'a>], Failure> {
        let more = |row: &&Row<'_>| row.owner == owner && owner_kind(row.level) == level;
        let (rows, rest) = self.rest.split_at(self.rest.iter().take_while(more).count());
        self.rest = rest;
        if rows.is_empty() && !self.every.contains(&level) {
            return Ok(rows);
        }
        self.decided.clear();
        self.decided.resize(rows.len(), Edit::Keep);
        let (edits, added) = (&mut self.decided, &mut self.added);
        self.plugin.group(&mut Group { signal: self.signal, level, owner, rows, above: self.above, edits, added })?;
        for (row, edit) in rows.iter().zip(&self.decided) {
            match edit {
                Edit::Keep => {}
                Edit::Set(value) => self.edits.push(row.index, Action::Set, &value.as_value()),
                Edit::Remove => self.edits.push(row.index, Action::Remove, &Value::Empty),
                Edit::DropItem => self.edits.push(row.index, Action::Drop, &Value::Empty),
            }
        }
        Ok(rows)
    }
}

/// What the owner of a row on this level is.
fn owner_kind(level: Level) -> Level {
    match level {
        Level::Item | Level::Event | Level::Link | Level::Exemplar => Level::Item,
        other => other,
    }
}
