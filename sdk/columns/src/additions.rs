//! The additions: what the plugin writes where there is no row to edit, and the host checks before it believes a word.

use crate::{BadEdit, Level, Limits, Shape, Value};
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

/// The columns of the record `additions`, owned; the fields are those of the contract.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Additions {
    /// Per addition: which resource, scope, metric or item.
    pub owners: Vec<u32>,
    /// Per addition: code of the [`Level`].
    pub levels: Vec<u8>,
    /// Per addition: code of what to do, see [`Put`].
    pub actions: Vec<u8>,
    /// Per addition: index of the key among the names.
    pub keys: Vec<u32>,
    /// Per addition: kind of the value.
    pub kinds: Vec<u8>,
    /// Per addition: end of the value in `data`.
    pub ends: Vec<u32>,
    /// The values.
    pub data: Vec<u8>,
    /// Per name: its end in `names`.
    pub name_ends: Vec<u32>,
    /// The keys.
    pub names: String,
}

/// What an addition does; the codes are those of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Put {
    /// Sets the attribute, whether it is there or not.
    Set = 0,
    /// Sets the attribute only if it is not there.
    Insert = 1,
    /// Drops the item, or every item of the resource, scope or metric.
    Drop = 2,
}

/// One addition, checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Addition<'a> {
    /// Which resource, scope, metric or item.
    pub owner: u32,
    /// What `owner` counts: resource, scope, item or metric.
    pub level: Level,
    /// What to do.
    pub put: Put,
    /// The key; empty if the item is dropped.
    pub key: &'a str,
    /// The value; [`Value::Empty`] if the item is dropped.
    pub value: Value<'a>,
}

/// What an addition counts of the limit for all of them, besides its key and value: about what it costs the host.
const COST: usize = 64;

impl Additions {
    /// Adds a key; its index is what [`Additions::push`] wants. Each key should be added once.
    pub fn name(&mut self, key: &str) -> u32 {
        self.names.push_str(key);
        self.name_ends.push(offset(self.names.len()));
        offset(self.name_ends.len() - 1)
    }

    /// Adds an addition.
    pub fn push(&mut self, owner: u32, level: Level, put: Put, key: u32, value: &Value<'_>) {
        value.write(&mut self.data);
        self.owners.push(owner);
        self.levels.push(level as u8);
        self.actions.push(put as u8);
        self.keys.push(key);
        self.kinds.push(value.kind());
        self.ends.push(offset(self.data.len()));
    }

    /// How many additions there are.
    pub fn len(&self) -> usize {
        self.owners.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.owners.is_empty()
    }

    /// Checks every number against the shape of the batch.
    ///
    /// # Errors
    /// The first addition that cannot be.
    pub fn check(&self, shape: &Shape, limits: &Limits) -> Result<Vec<Addition<'_>>, BadEdit> {
        let count = self.owners.len();
        let lengths = [self.levels.len(), self.actions.len(), self.keys.len(), self.kinds.len(), self.ends.len()];
        if lengths != [count; 5] {
            return Err(BadEdit::Lengths);
        }
        if self.data.len().saturating_add(self.names.len()) > limits.data_bytes {
            return Err(BadEdit::TooMuch);
        }
        // A key is written once here and as often as it is used into the batch.
        let mut written = count.saturating_mul(COST);
        if written > limits.data_bytes {
            return Err(BadEdit::TooMuch);
        }
        let mut additions = Vec::with_capacity(count);
        let mut start = 0;
        let owners = self.owners.iter().zip(&self.levels).zip(&self.actions);
        let values = self.keys.iter().zip(&self.kinds).zip(&self.ends);
        for (number, (((&owner, &level), &action), ((&key, &kind), &end))) in owners.zip(values).enumerate() {
            let number = offset(number);
            let level = match Level::from_code(level) {
                Some(level @ (Level::Resource | Level::Scope | Level::Item | Level::Metric)) => level,
                _ => return Err(BadEdit::NoOwner(number)),
            };
            if owner as usize >= shape.count(level) {
                return Err(BadEdit::NoOwner(number));
            }
            let end = end as usize;
            let bytes = self.data.get(start..end).ok_or(BadEdit::BadAddition(number))?;
            start = end;
            if bytes.len() > limits.value_bytes {
                return Err(BadEdit::BadAddition(number));
            }
            let value = Value::read(kind, bytes).ok_or(BadEdit::BadAddition(number))?;
            let put = match action {
                0 => Put::Set,
                1 => Put::Insert,
                2 if value == Value::Empty => {
                    additions.push(Addition { owner, level, put: Put::Drop, key: "", value });
                    continue;
                }
                _ => return Err(BadEdit::BadAddition(number)),
            };
            let key = self.key(key).filter(|key| !key.is_empty()).ok_or(BadEdit::BadAddition(number))?;
            if !value.can_be_set() {
                return Err(BadEdit::BadAddition(number));
            }
            written = written.saturating_add(key.len()).saturating_add(bytes.len());
            if written > limits.data_bytes {
                return Err(BadEdit::TooMuch);
            }
            additions.push(Addition { owner, level, put, key, value });
        }
        Ok(additions)
    }

    fn key(&self, key: u32) -> Option<&str> {
        self.names.get(self.key_range(key)?)
    }

    /// Where in the names a key lies.
    pub(crate) fn key_range(&self, key: u32) -> Option<Range<usize>> {
        let end = |at: usize| self.name_ends.get(at).map(|end| *end as usize);
        let start = (key as usize).checked_sub(1).map_or(Some(0), end)?;
        Some(start..end(key as usize)?)
    }
}

fn offset(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const LIMITS: Limits = Limits { value_bytes: 4, data_bytes: 220 };

    fn shape() -> Shape {
        Shape { resource_ends: vec![1], scope_ends: vec![2], metric_ends: vec![], items: 2 }
    }

    fn good() -> Additions {
        let mut additions = Additions::default();
        let (env, team) = (additions.name("env"), additions.name("team"));
        additions.push(0, Level::Resource, Put::Set, env, &Value::String("prod"));
        additions.push(1, Level::Item, Put::Insert, team, &Value::Bool(true));
        additions.push(0, Level::Scope, Put::Drop, 0, &Value::Empty);
        additions
    }

    #[test]
    fn what_is_written_is_read() {
        let additions = good();
        let read = additions.check(&shape(), &LIMITS).unwrap();
        let addition = |owner, level, put, key, value| Addition { owner, level, put, key, value };
        assert_eq!(
            read,
            [
                addition(0, Level::Resource, Put::Set, "env", Value::String("prod")),
                addition(1, Level::Item, Put::Insert, "team", Value::Bool(true)),
                addition(0, Level::Scope, Put::Drop, "", Value::Empty),
            ]
        );
    }

    /// A long key that is used again and again counts as often as it is written into the batch.
    #[test]
    fn a_key_counts_as_often_as_it_is_used() {
        let mut additions = Additions::default();
        let key = additions.name("a key of some length, but far from the limit");
        additions.push(0, Level::Item, Put::Set, key, &Value::Bool(true));
        additions.push(1, Level::Item, Put::Set, key, &Value::Bool(true));
        let limits = |data_bytes| Limits { value_bytes: 4, data_bytes };
        let needed = 2 * (COST + additions.names.len() + 1);
        assert!(additions.check(&shape(), &limits(needed)).is_ok());
        assert_eq!(additions.check(&shape(), &limits(needed - 1)), Err(BadEdit::TooMuch));
    }

    /// Each way of lying in the columns is found and named.
    #[test]
    fn lies_are_found() {
        let check = |lie: &dyn Fn(&mut Additions), expected| {
            let mut additions = good();
            lie(&mut additions);
            assert_eq!(additions.check(&shape(), &LIMITS), Err(expected));
        };
        check(&|lie| lie.levels.truncate(1), BadEdit::Lengths);
        check(&|lie| lie.names.push_str(&"more than there is room for".repeat(10)), BadEdit::TooMuch);
        check(&|lie| lie.owners[1] = 2, BadEdit::NoOwner(1));
        check(&|lie| lie.levels[0] = 3, BadEdit::NoOwner(0));
        check(&|lie| lie.levels[0] = 6, BadEdit::NoOwner(0));
        check(&|lie| lie.actions[2] = 9, BadEdit::BadAddition(2));
        check(&|lie| lie.actions[0] = 2, BadEdit::BadAddition(0));
        check(&|lie| lie.keys[1] = 7, BadEdit::BadAddition(1));
        check(&|lie| lie.name_ends[0] = 0, BadEdit::BadAddition(0));
        check(&|lie| lie.kinds[0] = 6, BadEdit::BadAddition(0));
        check(&|lie| lie.ends[0] = 99, BadEdit::BadAddition(0));
        check(&|lie| lie.data[0] = 0xff, BadEdit::BadAddition(0));
    }
}
