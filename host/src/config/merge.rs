//! Merging of trees: maps merge, everything else is replaced by the later source, `null` included.

use crate::yaml::{Key, Node, Origin, Value};

/// `over` laid over `base`.
pub(super) fn merge(base: Node, over: Node) -> Node {
    match (base.value, over.value) {
        (Value::Map(mut entries), Value::Map(more)) => {
            for (key, node) in more {
                put(&mut entries, key, node);
            }
            Node { value: Value::Map(entries), ..base_of(base.origin) }
        }
        (_, value) => Node { value, origin: over.origin, original: over.original },
    }
}

fn base_of(origin: Origin) -> Node {
    Node::new(origin, Value::Null)
}

/// Merges an entry into a map; the place of a key is where it was written last.
fn put(entries: &mut Vec<(Key, Node)>, key: Key, node: Node) {
    match entries.iter_mut().find(|(at, _)| at.name == key.name) {
        Some((at, value)) => {
            let base = std::mem::replace(value, base_of(node.origin.clone()));
            if !matches!((&base.value, &node.value), (Value::Map(_), Value::Map(_))) {
                *at = key;
            }
            *value = merge(base, node);
        }
        None => entries.push((key, node)),
    }
}

/// Keys with `::` written out, as the Collector does: `processors::batch: {}` is `processors: {batch: {}}`. Maps inside
/// lists stay as they are.
pub(super) fn nest(node: Node) -> Node {
    let Value::Map(entries) = node.value else { return node };
    let mut nested = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let value = nest(value);
        match key.name.split_once("::") {
            None => put(&mut nested, key, value),
            Some((first, rest)) => {
                let inner = nest_under(rest, value, &key.origin);
                put(&mut nested, Key { origin: key.origin, name: first.to_owned() }, inner);
            }
        }
    }
    Node { value: Value::Map(nested), origin: node.origin, original: node.original }
}

/// `{a: {b: value}}` for `a::b`.
pub(super) fn nest_under(path: &str, value: Node, origin: &Origin) -> Node {
    path.rsplit("::").fold(value, |value, name| {
        let key = Key { origin: origin.clone(), name: name.to_owned() };
        Node::new(origin.clone(), Value::Map(vec![(key, value)]))
    })
}

/// Gives a tree one place.
pub(super) fn move_to(node: &mut Node, origin: &Origin) {
    node.origin = origin.clone();
    match &mut node.value {
        Value::Seq(items) => items.iter_mut().for_each(|item| move_to(item, origin)),
        Value::Map(entries) => entries.iter_mut().for_each(|(key, value)| {
            key.origin = origin.clone();
            move_to(value, origin);
        }),
        _ => {}
    }
}
