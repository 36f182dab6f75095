//! Plugins that do anything: what they want, and edits that follow from what they see.

use crate::support::source::{Random, Source};
use std::sync::Arc;
use tailrace_columns::{Action, Columns, Edits, INTRINSIC, Intrinsic, Level, Put, Value, Wants};
use tailrace_otlp::KeySet;

/// Keys that the requests have, and two that they have not.
const KEYS: [&str; 9] = [
    "user.email",
    "http.method",
    "k",
    "größe",
    "server.port",
    "schlüssel.der.lang.ist",
    "GET /api/products",
    "new.one",
    "new.two",
];

#[derive(Clone, Debug)]
pub struct Plugin {
    pub wants: Arc<Wants>,
    pub always: bool,
    seed: u64,
    /// Of eight rows, how many it edits.
    eager: usize,
    /// What it does with a row: weights of set, remove, drop.
    weights: [usize; 3],
    /// How many additions it makes at most.
    additions: usize,
    /// Of 40 plugins one makes an edit that makes no sense.
    nonsense: bool,
}

pub fn plugin(s: &mut Source<'_>) -> Plugin {
    let mut keys = KeySet::new();
    for _ in 0..s.below(4) {
        match s.below(8) {
            0 => keys.add_all(),
            1 => keys.add_prefix(["user.", "http.", "new.", ""][s.below(4)]),
            _ => keys.add(KEYS[s.below(KEYS.len())]),
        };
    }
    let levels = match s.below(3) {
        0 => s.many(3, |s| Level::ALL[s.below(Level::ALL.len())]),
        _ => Vec::new(),
    };
    // The same field twice is possible.
    let intrinsics = s.many(3, |s| Intrinsic::ALL[s.below(Intrinsic::ALL.len())]);
    Plugin {
        wants: Arc::new(Wants { keys, levels, intrinsics }),
        always: s.bool(),
        seed: s.u64(),
        eager: s.below(9),
        weights: [4, s.below(4), [0, 0, 0, 1][s.below(4)]],
        additions: [0, 0, 3, 12][s.below(4)],
        nonsense: s.one_in(40),
    }
}

impl Plugin {
    /// The same for the same columns.
    pub fn edits(&self, columns: &Columns) -> Edits {
        let mut random = Random(self.seed);
        let mut below = |n: usize| usize::try_from(random.next() % n.max(1) as u64).unwrap();
        let mut edits = Edits::default();
        for row in 0..columns.len() {
            if below(8) >= self.eager {
                continue;
            }
            let key = columns.keys[row];
            let field = (key & INTRINSIC != 0).then(|| self.wants.intrinsics[(key ^ INTRINSIC) as usize]);
            let dice = below(self.weights.iter().sum());
            let row = u32::try_from(row).unwrap();
            if dice >= self.weights[0] + self.weights[1] {
                edits.push(row, Action::Drop, &Value::Empty);
            } else if dice >= self.weights[0] && field.is_none() {
                edits.push(row, Action::Remove, &Value::Empty);
            } else {
                let value = value(&mut below);
                let fits = field.is_none_or(|field| field.accepts(&value));
                let number = Value::Int(below(3) as i64);
                match field {
                    Some(field) if !fits && field.accepts(&number) => edits.push(row, Action::Set, &number),
                    Some(field) if !fits && field.accepts(&Value::String("")) => {
                        edits.push(row, Action::Set, &Value::String("other"));
                    }
                    Some(_) if !fits => {}
                    _ => edits.push(row, Action::Set, &value),
                }
            }
        }
        let names: Vec<u32> = KEYS.iter().map(|key| edits.additions.name(key)).collect();
        for _ in 0..below(self.additions + 1) {
            let level = [Level::Resource, Level::Scope, Level::Item, Level::Item, Level::Metric][below(5)];
            let count = columns.shape.count(level);
            if count == 0 {
                continue;
            }
            let owner = u32::try_from(below(count)).unwrap();
            let put = if below(3) == 0 { Put::Insert } else { Put::Set };
            if below(10) < self.weights[2] {
                edits.additions.push(owner, level, Put::Drop, 0, &Value::Empty);
            } else {
                edits.additions.push(owner, level, put, names[below(names.len())], &value(&mut below));
            }
        }
        if self.nonsense {
            match below(3) {
                0 => edits.push(u32::MAX, Action::Remove, &Value::Empty),
                1 => edits.additions.push(u32::MAX, Level::Item, Put::Set, names[0], &Value::Bool(true)),
                _ => edits.data.push(0xff),
            }
        }
        edits
    }
}

fn value(below: &mut impl FnMut(usize) -> usize) -> Value<'static> {
    match below(60) {
        // An array with a number in it.
        59 => return Value::Nested(&[0x2a, 0x04, 0x0a, 0x02, 0x18, 0x01]),
        dice if dice < 4 => return Value::String("\u{e9}t\u{e9}"),
        _ => {}
    }
    match below(7) {
        0 => Value::String(""),
        1 => Value::String("a new text"),
        2 => Value::Bool(below(2) == 0),
        3 => Value::Int(below(300) as i64 - 150),
        4 => Value::Double(below(100) as f64 / 8.0),
        5 => Value::Bytes(&[0, 1, 0xff]),
        _ => Value::Bytes(&[]),
    }
}
