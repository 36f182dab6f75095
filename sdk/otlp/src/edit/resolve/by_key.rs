//! Operations on a message with very many of them: slots are found by their key, so that `n` operations on `m` attributes
//! take about `n + m` steps and not `n * m`. Who sends attributes or edits chooses both numbers.

use super::message::Message;
use super::slot::{Now, Slot, Text};
use crate::edit::{Edits, Encoded, Op, What};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::ops::Range;

/// Slots by key, in their order. An entry may be stale: the slot is gone, or has got another key.
pub(super) struct ByKey<'t> {
    slots: BTreeMap<&'t [u8], VecDeque<usize>>,
    data: &'t [u8],
    edits: &'t Edits<'t>,
}

impl<'t> ByKey<'t> {
    /// Of all slots that have a key.
    pub(super) fn of(slots: &[Slot<'_>], data: &'t [u8], edits: &'t Edits<'t>) -> Self {
        let mut this = Self { slots: BTreeMap::new(), data, edits };
        for (at, slot) in slots.iter().enumerate() {
            if let Some(key) = &slot.key {
                this.slots.entry(key.get(data, edits)).or_default().push_back(at);
            }
        }
        this
    }

    /// What [`Message::operate`] does.
    pub(super) fn operate<'e>(
        &mut self,
        message: &Message<'_>,
        edits: &Edits<'_>,
        op: &Op<'e>,
        slots: &mut Vec<Slot<'e>>,
        untouched: usize,
        end: usize,
    ) {
        match &op.what {
            What::Set(key, value) => {
                let mut value = Some(value.clone());
                for at in self.take(slots, key) {
                    let Some(slot) = slots.get_mut(at) else { continue };
                    match value.take() {
                        Some(value) => {
                            slot.now = Now::Attribute(Some(value));
                            self.note(key, at);
                        }
                        None => slot.now = Now::Gone,
                    }
                }
                if let Some(value) = value {
                    self.append(message, slots, key, value, end);
                }
            }
            What::Insert(key, value) => {
                if self.first(slots, key).is_none() {
                    self.append(message, slots, key, value.clone(), end);
                }
            }
            What::Remove(key) => {
                for at in self.take(slots, key) {
                    if let Some(slot) = slots.get_mut(at) {
                        slot.now = Now::Gone;
                    }
                }
            }
            What::Rename(from, to) => {
                if self.text(from) == self.text(to) || self.first(slots, from).is_none() {
                    return;
                }
                for at in self.take(slots, to) {
                    if let Some(slot) = slots.get_mut(at) {
                        slot.now = Now::Gone;
                    }
                }
                for at in self.take(slots, from) {
                    let Some(slot) = slots.get_mut(at) else { continue };
                    slot.key = Some(Text::Edits(to.clone()));
                    if let Now::Kept = slot.now {
                        slot.now = Now::Attribute(None);
                    }
                    self.note(to, at);
                }
            }
            What::SetRecord(record, key, _) => {
                message.operate(edits, op, slots, untouched, end);
                let known = slots.get(..untouched).unwrap_or_default();
                if let Ok(at) = known.binary_search_by_key(&record.start, |slot| slot.old.start) {
                    self.note(key, at);
                }
            }
            What::RemoveRecord(_) | What::Intrinsic(..) => message.operate(edits, op, slots, untouched, end),
        }
    }

    fn text(&self, range: &Range<usize>) -> &'t [u8] {
        self.edits.text.get(range.clone()).unwrap_or_default()
    }

    /// Whether an entry is not stale.
    fn is(&self, slots: &[Slot<'_>], at: usize, key: &[u8]) -> bool {
        slots.get(at).is_some_and(|slot| {
            let own = slot.key.as_ref().map(|own| own.get(self.data, self.edits));
            !matches!(slot.now, Now::Gone) && own == Some(key)
        })
    }

    /// The first slot with this key; stale entries before it are forgotten.
    fn first(&mut self, slots: &[Slot<'_>], key: &Range<usize>) -> Option<usize> {
        let key = self.text(key);
        loop {
            let at = *self.slots.get(key)?.front()?;
            if self.is(slots, at, key) {
                return Some(at);
            }
            self.slots.get_mut(key)?.pop_front();
        }
    }

    /// Takes all slots with this key out of the index.
    fn take(&mut self, slots: &[Slot<'_>], key: &Range<usize>) -> Vec<usize> {
        let key = self.text(key);
        let taken = self.slots.get_mut(key).map(core::mem::take).unwrap_or_default();
        taken.into_iter().filter(|at| self.is(slots, *at, key)).collect()
    }

    /// Notes that a slot has this key.
    fn note(&mut self, key: &Range<usize>, at: usize) {
        let entries = self.slots.entry(self.text(key)).or_default();
        match entries.back() {
            Some(last) if *last >= at => {
                if let Err(place) = entries.binary_search(&at) {
                    entries.insert(place, at);
                }
            }
            _ => entries.push_back(at),
        }
    }

    fn append<'e>(
        &mut self,
        message: &Message<'_>,
        slots: &mut Vec<Slot<'e>>,
        key: &Range<usize>,
        value: Encoded<'e>,
        end: usize,
    ) {
        let text = Some(Text::Edits(key.clone()));
        self.note(key, slots.len());
        slots.push(Slot { number: message.attributes, old: end..end, key: text, now: Now::Attribute(Some(value)) });
    }
}

#[cfg(test)]
mod tests {
    use crate::view::put_attribute;
    use crate::{Edits, NONE, RequestWriter, Signal, SpanView, Target, Value};
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    type Attributes = Vec<(String, String)>;

    fn apply(attributes: &Attributes, edits: &Edits<'_>) -> Attributes {
        let mut span = Vec::new();
        for (key, value) in attributes {
            put_attribute(&mut span, 9, key.as_str().into(), &Value::from(value.as_str()));
        }
        let mut writer = RequestWriter::new(Signal::Traces);
        writer.item(&span, NONE);
        let (data, index) = writer.finish().unwrap();
        let (data, index) = edits.apply(Signal::Traces, &data, &index).unwrap();
        let span = SpanView::new(&data[index.items[0].range()]);
        let attributes = span.attributes();
        let of = |attribute: crate::KeyValue<'_>| match attribute.value {
            Value::String(text) => (attribute.key.to_str().to_string(), text.to_str().to_string()),
            other => panic!("{other:?}"),
        };
        attributes.map(of).collect()
    }

    /// Sequences of operations on a few keys, from a fixed seed: what 60 of them do at once is what they do one after the
    /// other (which takes the other way through the code).
    #[test]
    fn many_operations_do_what_they_do_one_by_one() {
        let mut next = crate::testing::numbers();
        for _ in 0..200 {
            let before: Attributes =
                (0..next(12)).map(|at| (next(6).to_string(), alloc::format!("old {at}"))).collect();
            let mut all = Edits::new();
            let mut expected = before.clone();
            for number in 0..60 {
                let (key, to) = (next(6).to_string(), next(6).to_string());
                let value = alloc::format!("new {number}");
                let mut one = Edits::new();
                let what = next(4);
                for edits in [&mut all, &mut one] {
                    match what {
                        0 => edits.set(Target::Item(0), &key, value.as_str()),
                        1 => edits.insert(Target::Item(0), &key, value.as_str()),
                        2 => edits.remove(Target::Item(0), &key),
                        _ => edits.rename(Target::Item(0), &key, &to),
                    }
                }
                expected = apply(&expected, &one);
            }
            assert_eq!(apply(&before, &all), expected, "{before:?}");
        }
    }

    /// 100,000 operations on one span with 100,000 attributes: seconds at most, where each of them looked at each.
    #[test]
    fn many_operations_on_many_attributes_take_no_time() {
        let before: Attributes = (0..100_000).map(|at| (alloc::format!("k{at}"), String::new())).collect();
        let mut edits = Edits::new();
        for number in 0..100_000 {
            edits.set(Target::Item(0), &alloc::format!("k{}", number * 2), "new");
        }
        let after = apply(&before, &edits);
        assert_eq!(after.len(), 150_000);
        assert_eq!(after.iter().filter(|(_, value)| value == "new").count(), 100_000);
    }

    /// Every attribute that was found is removed, and one of each of many events: in one step each.
    #[test]
    fn many_places_take_no_time() {
        let mut span = Vec::new();
        for at in 0..50_000 {
            put_attribute(&mut span, 9, "user.email".into(), &Value::from(alloc::format!("{at}").as_str()));
            let mut event = Vec::new();
            put_attribute(&mut event, 3, "user.email".into(), &Value::from("secret"));
            crate::wire::put_len_field(&mut span, 11, &event);
        }
        let mut writer = RequestWriter::new(Signal::Traces);
        writer.item(&span, NONE);
        let (data, index) = writer.finish().unwrap();
        let mut edits = Edits::new();
        crate::find(Signal::Traces, &data, &index, &crate::KeySet::exact(["user.email"]), |found| {
            edits.remove_found(found.target, found.record);
        });
        assert_eq!(edits.len(), 100_000);
        let (data, index) = edits.apply(Signal::Traces, &data, &index).unwrap();
        assert!(!data.windows(6).any(|bytes| bytes == b"secret"));
        assert_eq!(index, crate::validate(Signal::Traces, &data, &crate::Limits::default()).unwrap());
        assert!(data.len() < 200_000, "{} bytes", data.len());
    }
}
