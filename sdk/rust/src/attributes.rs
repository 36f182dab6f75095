//! Plugins that work on single attributes.

use crate::{Failure, Intrinsic, Level, Plugin, Signal, Value};
use std::borrow::Cow;
use tailrace_columns::{Action, Columns, Edits, Key, Row, Rows};

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
}

impl NewValue {
    fn as_value(&self) -> Value<'_> {
        match self {
            Self::String(text) => Value::String(text),
            Self::Bool(truth) => Value::Bool(*truth),
            Self::Int(number) => Value::Int(*number),
            Self::Double(number) => Value::Double(*number),
            Self::Bytes(bytes) => Value::Bytes(bytes),
        }
    }
}

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
    rows: &'a [Row<'a>],
    edits: &'a mut Vec<Edit>,
}

impl<'a> Group<'a> {
    /// Traces, metrics or logs.
    pub fn signal(&self) -> Signal {
        self.signal
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
        self.rows.get(at).map(|row| Attribute { level: row.level, value: row.value, key: row.key })
    }

    /// All values, with their places.
    pub fn iter(&self) -> impl Iterator<Item = (usize, Attribute<'a>)> + use<'a> {
        let attribute = |row: &Row<'a>| Attribute { level: row.level, value: row.value, key: row.key };
        self.rows.iter().map(attribute).enumerate()
    }

    /// The first value with this key or name.
    pub fn find(&self, key: &str) -> Option<Attribute<'a>> {
        self.iter().map(|(_, attribute)| attribute).find(|attribute| attribute.key() == key)
    }

    /// Decides about the value at this place; the last decision counts.
    pub fn edit(&mut self, at: usize, edit: Edit) {
        if let Some(decided) = self.edits.get_mut(at) {
            *decided = edit;
        }
    }

    /// Drops the item; for a resource, scope or metric, every item in it.
    pub fn drop_item(&mut self) {
        self.edit(0, Edit::DropItem);
    }
}

/// Runs a plugin over columns: what the export and the tests have in common.
pub(crate) fn apply<P: Attributes>(
    plugin: &mut P,
    intrinsics: &[Intrinsic],
    signal: Signal,
    columns: &Columns,
) -> Result<Edits, Failure> {
    let mut edits = Edits::default();
    let mut decided = Vec::new();
    let rows: Vec<_> = Rows::new(columns, intrinsics).iter().collect();
    for rows in rows.chunk_by(|a, b| a.owner == b.owner && owner_kind(a.level) == owner_kind(b.level)) {
        decided.clear();
        decided.resize(rows.len(), Edit::Keep);
        plugin.group(&mut Group { signal, rows, edits: &mut decided })?;
        for (row, edit) in rows.iter().zip(&decided) {
            match edit {
                Edit::Keep => {}
                Edit::Set(value) => edits.push(row.index, Action::Set, &value.as_value()),
                Edit::Remove => edits.push(row.index, Action::Remove, &Value::Empty),
                Edit::DropItem => edits.push(row.index, Action::Drop, &Value::Empty),
            }
        }
    }
    Ok(edits)
}

/// What the owner of a row on this level is: the same number for levels whose owners are items.
fn owner_kind(level: Level) -> u8 {
    match level {
        Level::Item | Level::Event | Level::Link | Level::Exemplar => Level::Item as u8,
        other => other as u8,
    }
}
