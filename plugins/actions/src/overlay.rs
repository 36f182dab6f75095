//! The attributes of one group while actions work on them one after the other: each sees what those before it left.

use std::borrow::Cow;
use tailrace_sdk::{Edit, Group, NewValue, Value};

/// The attributes, as they are by now.
pub(crate) struct Overlay<'g> {
    entries: Vec<Entry<'g>>,
}

struct Entry<'g> {
    key: Cow<'g, str>,
    /// Its place in the group; none for what was added.
    at: Option<usize>,
    state: State<'g>,
}

/// What became of an attribute.
enum State<'g> {
    Untouched(Value<'g>),
    New(NewValue),
    Gone,
}

/// A value as it is by now.
pub(crate) enum Current<'e, 'g> {
    Old(Value<'g>),
    New(&'e NewValue),
}

impl<'g> Overlay<'g> {
    /// The attributes of the group itself: those of its events and exemplars, and fields, are left out.
    pub(crate) fn of(group: &Group<'g>) -> Self {
        let level = group.level();
        let own = group.iter().filter(|(_, one)| one.level == level && one.intrinsic().is_none());
        let entry = |(at, one): (usize, tailrace_sdk::Attribute<'g>)| Entry {
            key: Cow::Borrowed(one.key()),
            at: Some(at),
            state: State::Untouched(one.value),
        };
        Self { entries: own.map(entry).collect() }
    }

    /// The value of the first attribute with this key.
    pub(crate) fn get(&self, key: &str) -> Option<Current<'_, 'g>> {
        self.entries.iter().filter(|entry| entry.key == key).find_map(Entry::current)
    }

    /// Gives the attribute a value; adds it if it is not there.
    pub(crate) fn set(&mut self, key: &str, value: NewValue) {
        let there = self.entries.iter_mut().find(|entry| entry.key == key && entry.current().is_some());
        match there {
            Some(entry) => entry.state = State::New(value),
            None => self.entries.push(Entry { key: key.to_owned().into(), at: None, state: State::New(value) }),
        }
    }

    /// Asks about every attribute that is there: `Some` is its new value, which may be none.
    pub(crate) fn each(&mut self, mut change: impl FnMut(&str, Current<'_, 'g>) -> Option<Option<NewValue>>) {
        for entry in &mut self.entries {
            let Some(current) = entry.current() else { continue };
            match change(&entry.key, current) {
                None => {}
                Some(Some(value)) => entry.state = State::New(value),
                Some(None) => entry.state = State::Gone,
            }
        }
    }

    /// Tells the group what was done.
    pub(crate) fn write(self, group: &mut Group<'_>) {
        for entry in self.entries {
            match (entry.at, entry.state) {
                (_, State::Untouched(_)) | (None, State::Gone) => {}
                (Some(at), State::New(value)) => group.edit(at, Edit::Set(value)),
                (Some(at), State::Gone) => group.edit(at, Edit::Remove),
                // One that was removed before comes back at its place.
                (None, State::New(value)) => group.set(&entry.key, value),
            }
        }
    }
}

impl<'g> Entry<'g> {
    fn current(&self) -> Option<Current<'_, 'g>> {
        match &self.state {
            State::Untouched(value) => Some(Current::Old(*value)),
            State::New(value) => Some(Current::New(value)),
            State::Gone => None,
        }
    }
}

impl Current<'_, '_> {
    /// As the columns have it.
    pub(crate) fn value(&self) -> Value<'_> {
        match self {
            Self::Old(value) => *value,
            Self::New(NewValue::String(text)) => Value::String(text),
            Self::New(NewValue::Bool(truth)) => Value::Bool(*truth),
            Self::New(NewValue::Int(number)) => Value::Int(*number),
            Self::New(NewValue::Double(number)) => Value::Double(*number),
            Self::New(NewValue::Bytes(bytes)) => Value::Bytes(bytes),
            Self::New(NewValue::Nested(message)) => Value::Nested(message),
        }
    }

    /// A copy, unless there is no value in it.
    pub(crate) fn to_new(&self) -> Option<NewValue> {
        match self {
            Self::Old(value) => NewValue::try_from(*value).ok(),
            Self::New(value) => Some((*value).clone()),
        }
    }
}
