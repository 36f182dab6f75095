//! The projection: what the host writes and the plugin reads.

use crate::{Intrinsic, Level, Shape, Value};
use alloc::string::String;
use alloc::vec::Vec;

/// Set in an entry of `keys` that names an intrinsic.
pub const INTRINSIC: u32 = 1 << 31;

/// The columns of the record `projection`, owned; the fields are those of the contract.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// What there is in the batch, with or without rows.
    pub shape: Shape,
    /// Per row: which resource, scope, metric or item.
    pub owners: Vec<u32>,
    /// Per row: code of the [`Level`].
    pub levels: Vec<u8>,
    /// Per row: index of the name, or [`INTRINSIC`] plus index in the interest.
    pub keys: Vec<u32>,
    /// Per row: kind of the value.
    pub kinds: Vec<u8>,
    /// Per row: end of the value in `data`.
    pub ends: Vec<u32>,
    /// The values.
    pub data: Vec<u8>,
    /// Per name: its end in `names`.
    pub name_ends: Vec<u32>,
    /// The names.
    pub names: String,
}

impl Columns {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.owners.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.owners.is_empty()
    }

    /// Forgets all rows and names, and keeps the memory.
    pub fn clear(&mut self) {
        self.shape = Shape::default();
        self.owners.clear();
        self.levels.clear();
        self.keys.clear();
        self.kinds.clear();
        self.ends.clear();
        self.data.clear();
        self.name_ends.clear();
        self.names.clear();
    }

    /// Adds a name; its index is what [`Columns::push`] wants.
    pub fn name(&mut self, name: &str) -> u32 {
        self.names.push_str(name);
        self.name_ends.push(offset(self.names.len()));
        offset(self.name_ends.len() - 1)
    }

    /// Adds a row.
    pub fn push(&mut self, owner: u32, level: Level, key: u32, value: &Value<'_>) {
        value.write(&mut self.data);
        self.finish(owner, level, key, value.kind());
    }

    /// Adds a row whose value is already encoded as `kind` says.
    pub fn push_raw(&mut self, owner: u32, level: Level, key: u32, kind: u8, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
        self.finish(owner, level, key, kind);
    }

    fn finish(&mut self, owner: u32, level: Level, key: u32, kind: u8) {
        self.owners.push(owner);
        self.levels.push(level as u8);
        self.keys.push(key);
        self.kinds.push(kind);
        self.ends.push(offset(self.data.len()));
    }
}

/// Batches are far below 4 GiB (the door sees to that); beyond it an offset sticks at the end and reads as empty.
fn offset(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// How a row is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key<'a> {
    /// An attribute with this key.
    Attribute(&'a str),
    /// A field.
    Intrinsic(Intrinsic),
}

/// One row, read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row<'a> {
    /// Its number.
    pub index: u32,
    /// Which resource, scope, metric or item.
    pub owner: u32,
    /// Where the value lives.
    pub level: Level,
    /// What it is called.
    pub key: Key<'a>,
    /// What it is.
    pub value: Value<'a>,
}

/// Reads columns row by row. Rows whose level, key or kind this version does not know are passed over.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    columns: &'a Columns,
    intrinsics: &'a [Intrinsic],
}

impl<'a> Rows<'a> {
    /// Over `columns`, which were made for an interest that named `intrinsics` in this order.
    pub fn new(columns: &'a Columns, intrinsics: &'a [Intrinsic]) -> Self {
        Self { columns, intrinsics }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// The row with this number.
    pub fn get(&self, index: u32) -> Option<Row<'a>> {
        let columns = self.columns;
        let at = index as usize;
        let start = at.checked_sub(1).map_or(Some(0), |before| columns.ends.get(before).copied())?;
        let bytes = columns.data.get(start as usize..*columns.ends.get(at)? as usize)?;
        let key = *columns.keys.get(at)?;
        Some(Row {
            index,
            owner: *columns.owners.get(at)?,
            level: Level::from_code(*columns.levels.get(at)?)?,
            key: if key & INTRINSIC != 0 {
                Key::Intrinsic(*self.intrinsics.get((key ^ INTRINSIC) as usize)?)
            } else {
                Key::Attribute(self.name(key as usize)?)
            },
            value: Value::read(*columns.kinds.get(at)?, bytes)?,
        })
    }

    /// All rows.
    pub fn iter(&self) -> impl Iterator<Item = Row<'a>> + use<'a> {
        let rows = *self;
        (0..offset(rows.len())).filter_map(move |index| rows.get(index))
    }

    fn name(&self, index: usize) -> Option<&'a str> {
        let ends = &self.columns.name_ends;
        let start = index.checked_sub(1).map_or(Some(0), |before| ends.get(before).copied())?;
        self.columns.names.get(start as usize..*ends.get(index)? as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut columns = Columns::default();
        let email = columns.name("user.email");
        let port = columns.name("server.port");
        columns.push(0, Level::Resource, email, &Value::String("a@b.example"));
        columns.push(7, Level::Item, INTRINSIC, &Value::String("GET /"));
        columns.push(7, Level::Item, port, &Value::Int(-1));
        columns.push(7, Level::Event, port, &Value::Empty);
        columns.push(8, Level::Link, port, &Value::Bytes(&[0, 255]));
        let rows: Vec<_> = Rows::new(&columns, &[Intrinsic::SpanName]).iter().collect();
        let row = |index, owner, level, key, value| Row { index, owner, level, key, value };
        assert_eq!(
            rows,
            [
                row(0, 0, Level::Resource, Key::Attribute("user.email"), Value::String("a@b.example")),
                row(1, 7, Level::Item, Key::Intrinsic(Intrinsic::SpanName), Value::String("GET /")),
                row(2, 7, Level::Item, Key::Attribute("server.port"), Value::Int(-1)),
                row(3, 7, Level::Event, Key::Attribute("server.port"), Value::Empty),
                row(4, 8, Level::Link, Key::Attribute("server.port"), Value::Bytes(&[0, 255])),
            ]
        );
    }

    /// Whatever stands in the columns, reading them ends without a panic; rows that make no sense are passed over.
    #[test]
    fn nonsense_is_passed_over() {
        let columns = Columns {
            shape: Shape::default(),
            owners: alloc::vec![0, 1, 2, 3],
            levels: alloc::vec![0, 99, 2],
            keys: alloc::vec![9, 0, INTRINSIC | 5, 0],
            kinds: alloc::vec![1, 1, 1, 77],
            ends: alloc::vec![4, 2, u32::MAX, 1],
            data: alloc::vec![0xff; 4],
            name_ends: alloc::vec![u32::MAX],
            names: String::new(),
        };
        assert_eq!(Rows::new(&columns, &[]).iter().count(), 0);
    }
}
