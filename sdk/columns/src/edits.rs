//! The edits: what the plugin writes and the host checks before it believes a word.

use crate::Value;
use alloc::vec::Vec;
use core::fmt;

/// The columns of the record `edits`, owned; the fields are those of the contract.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits {
    /// Per edit: its row; ascending.
    pub rows: Vec<u32>,
    /// Per edit: code of the [`Action`].
    pub actions: Vec<u8>,
    /// Per edit: kind of the new value.
    pub kinds: Vec<u8>,
    /// Per edit: end of the new value in `data`.
    pub ends: Vec<u32>,
    /// The new values.
    pub data: Vec<u8>,
    /// What to add.
    pub additions: crate::Additions,
}

/// What an edit does; the codes are those of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Action {
    /// Sets a value.
    Set = 0,
    /// Removes the attribute.
    Remove = 1,
    /// Drops the item.
    Drop = 2,
}

/// One edit, checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edit<'a> {
    /// Its row.
    pub row: u32,
    /// What to do.
    pub action: Action,
    /// The new value; [`Value::Empty`] unless the action is [`Action::Set`].
    pub value: Value<'a>,
}

/// How much a plugin may write.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of one value.
    pub value_bytes: usize,
    /// Bytes of all values; of additions with their keys, and 64 more for each.
    pub data_bytes: usize,
}

/// Why edits are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadEdit {
    /// The columns have different lengths.
    Lengths,
    /// The values exceed the limit for all of them.
    TooMuch,
    /// There is no such row.
    NoRow(u32),
    /// The row is not after the row of the edit before.
    NotAscending(u32),
    /// The code of the action is unknown.
    UnknownAction(u32),
    /// The new value lies outside the data.
    OutOfRange(u32),
    /// The new value is larger than the limit.
    TooLarge(u32),
    /// The bytes are not a value of their kind, or a text is not UTF-8, or there is a value where none belongs.
    BadValue(u32),
    /// An addition names a resource, scope, metric or item that does not exist.
    NoOwner(u32),
    /// The key, the value or the action of an addition makes no sense.
    BadAddition(u32),
}

impl fmt::Display for BadEdit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lengths => f.write_str("the columns of its edits have different lengths"),
            Self::TooMuch => f.write_str("the values of its edits exceed the output limit"),
            Self::NoRow(row) => write!(f, "an edit names row {row}, which does not exist"),
            Self::NotAscending(row) => write!(f, "an edit of row {row} is not in ascending order"),
            Self::UnknownAction(row) => write!(f, "the edit of row {row} has an unknown action"),
            Self::OutOfRange(row) => write!(f, "the new value of row {row} lies outside the data"),
            Self::TooLarge(row) => write!(f, "the new value of row {row} is too large"),
            Self::BadValue(row) => write!(f, "the new value of row {row} is not of its kind (text must be UTF-8)"),
            Self::NoOwner(number) => write!(f, "addition {number} names an owner that does not exist"),
            Self::BadAddition(number) => {
                write!(f, "the key, the value or the action of addition {number} makes no sense")
            }
        }
    }
}

impl core::error::Error for BadEdit {}

impl Edits {
    /// Adds an edit; rows must come in ascending order.
    pub fn push(&mut self, row: u32, action: Action, value: &Value<'_>) {
        value.write(&mut self.data);
        self.rows.push(row);
        self.actions.push(action as u8);
        self.kinds.push(value.kind());
        self.ends.push(u32::try_from(self.data.len()).unwrap_or(u32::MAX));
    }

    /// How many edits there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none, and nothing to add.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.additions.is_empty()
    }

    /// Checks every number against a projection of `rows` rows.
    ///
    /// # Errors
    /// The first edit that cannot be.
    pub fn check(&self, rows: usize, limits: &Limits) -> Result<Vec<Edit<'_>>, BadEdit> {
        let count = self.rows.len();
        if [self.actions.len(), self.kinds.len(), self.ends.len()] != [count; 3] {
            return Err(BadEdit::Lengths);
        }
        if self.data.len() > limits.data_bytes {
            return Err(BadEdit::TooMuch);
        }
        let mut edits = Vec::with_capacity(count.min(rows));
        let mut start = 0;
        let mut next_row = 0;
        let columns = self.rows.iter().zip(&self.actions).zip(self.kinds.iter().zip(&self.ends));
        for ((&row, &action), (&kind, &end)) in columns {
            if row as usize >= rows {
                return Err(BadEdit::NoRow(row));
            }
            if row < next_row {
                return Err(BadEdit::NotAscending(row));
            }
            let end = end as usize;
            let bytes = self.data.get(start..end).ok_or(BadEdit::OutOfRange(row))?;
            if bytes.len() > limits.value_bytes {
                return Err(BadEdit::TooLarge(row));
            }
            let value = Value::read(kind, bytes).ok_or(BadEdit::BadValue(row))?;
            let action = match action {
                0 => Action::Set,
                1 => Action::Remove,
                2 => Action::Drop,
                _ => return Err(BadEdit::UnknownAction(row)),
            };
            let fits = match value {
                Value::Empty => action != Action::Set,
                value => action == Action::Set && value.can_be_set(),
            };
            if !fits {
                return Err(BadEdit::BadValue(row));
            }
            edits.push(Edit { row, action, value });
            start = end;
            next_row = row + 1;
        }
        Ok(edits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const LIMITS: Limits = Limits { value_bytes: 4, data_bytes: 6 };

    fn edits(rows: &[u32], actions: &[u8], kinds: &[u8], ends: &[u32], data: &[u8]) -> Edits {
        Edits {
            rows: rows.to_vec(),
            actions: actions.to_vec(),
            kinds: kinds.to_vec(),
            ends: ends.to_vec(),
            data: data.to_vec(),
            additions: crate::Additions::default(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let mut edits = Edits::default();
        edits.push(0, Action::Remove, &Value::Empty);
        edits.push(2, Action::Set, &Value::String("***"));
        edits.push(3, Action::Set, &Value::Bool(true));
        edits.push(9, Action::Drop, &Value::Empty);
        let read = edits.check(10, &LIMITS).unwrap();
        assert_eq!(
            read,
            [
                Edit { row: 0, action: Action::Remove, value: Value::Empty },
                Edit { row: 2, action: Action::Set, value: Value::String("***") },
                Edit { row: 3, action: Action::Set, value: Value::Bool(true) },
                Edit { row: 9, action: Action::Drop, value: Value::Empty },
            ]
        );
    }

    /// Each way of lying in the columns is found and named.
    #[test]
    fn lies_are_found() {
        let check = |lie: Edits, expected| assert_eq!(lie.check(3, &LIMITS), Err(expected));
        check(edits(&[0, 1], &[1], &[0, 0], &[0, 0], &[]), BadEdit::Lengths);
        check(edits(&[], &[], &[], &[], &[0; 7]), BadEdit::TooMuch);
        check(edits(&[3], &[1], &[0], &[0], &[]), BadEdit::NoRow(3));
        check(edits(&[u32::MAX], &[1], &[0], &[0], &[]), BadEdit::NoRow(u32::MAX));
        check(edits(&[1, 1], &[1, 1], &[0, 0], &[0, 0], &[]), BadEdit::NotAscending(1));
        check(edits(&[2, 0], &[1, 1], &[0, 0], &[0, 0], &[]), BadEdit::NotAscending(0));
        check(edits(&[0], &[3], &[0], &[0], &[]), BadEdit::UnknownAction(0));
        check(edits(&[0], &[0], &[1], &[9], &[b'x'; 3]), BadEdit::OutOfRange(0));
        check(edits(&[0, 1], &[0, 0], &[1, 1], &[3, 2], &[b'x'; 3]), BadEdit::OutOfRange(1));
        check(edits(&[0], &[0], &[1], &[5], &[b'x'; 5]), BadEdit::TooLarge(0));
        check(edits(&[0], &[0], &[1], &[2], &[0xc3, 0x28]), BadEdit::BadValue(0));
        check(edits(&[0], &[0], &[3], &[3], &[0; 3]), BadEdit::BadValue(0));
        check(edits(&[0], &[0], &[2], &[1], &[2]), BadEdit::BadValue(0));
        check(edits(&[0], &[0], &[6], &[1], &[0]), BadEdit::BadValue(0));
        check(edits(&[0], &[0], &[0], &[0], &[]), BadEdit::BadValue(0));
        check(edits(&[0], &[1], &[1], &[1], b"x"), BadEdit::BadValue(0));
        check(edits(&[0], &[0], &[99], &[1], b"x"), BadEdit::BadValue(0));
        assert_eq!(edits(&[], &[], &[], &[], &[]).check(0, &LIMITS), Ok(vec![]));
    }
}
