//! One scan for several plugins: what they all want is projected once, each plugin's edits are applied to the rows in memory,
//! and the request is written once, at the end.
//!
//! The promise: the outcome is the one that projecting, calling and splicing one plugin after the other has, to the byte
//! (but for lengths that somebody wrote with more bytes than needed: those shrink only when a message changes its size).
//! Each plugin sees the rows of its own interest as those before it left them. Two things are left to the caller, who
//! then [splices](Table::splice) and goes on with a new table: what follows after something was dropped (owners are
//! numbered anew then), and [`Applied::Apart`].

mod changes;
mod union;

pub use union::{Union, Wants};

use crate::edits::{Action, BadEdit, Edits, Limits};
use crate::project::{Field, Place, carrier, owner};
use crate::splice::{self, Spliced};
use crate::{Columns, INTRINSIC, Intrinsic, Level, Put, Shape, project};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use changes::{At, Changes, Values};
use core::ops::Range;
use tailrace_otlp::{Error, Index, Signal, Target};

/// The rows that several plugins want, as they are after the edits so far, and those edits.
#[derive(Clone, Debug)]
pub struct Table {
    wanted: Arc<Union>,
    shape: Shape,
    lines: Vec<Line>,
    /// Keys of attributes, each once.
    names: Vec<String>,
    values: Values,
    changes: Changes,
    drops: Vec<Range<usize>>,
}

/// A row: an attribute or a field, and its value as it is now.
#[derive(Clone, Debug)]
struct Line {
    target: Target,
    level: Level,
    what: What,
    kind: u8,
    value: At,
    /// Removed by an edit.
    gone: bool,
}

/// What a row is about.
#[derive(Clone, Debug)]
enum What {
    /// An attribute of the request: number of its name, and where its field lies.
    Found(usize, Range<usize>),
    /// An attribute that was added: number of its name. There is no other with its key.
    Added(usize),
    /// A field.
    Field(Intrinsic),
}

/// What one plugin gets to see of a table.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The columns.
    pub columns: Columns,
    /// Per row of the columns: its line in the table.
    lines: Vec<usize>,
}

/// What became of a plugin's edits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// They are in the table.
    Done {
        /// Values that are set or added.
        set: usize,
        /// Attributes that are removed.
        removed: usize,
        /// Whether something is dropped: then the table must be spliced before anybody sees it again.
        drops: bool,
    },
    /// Nothing was done: splice the table as it is, and splice these edits into the outcome on their own. The rows of a
    /// projection of that are those of the view.
    Apart,
}

impl Table {
    /// Scans a validated request for everything that is `wanted`.
    pub fn scan(signal: Signal, data: &[u8], index: &Index, wanted: Arc<Union>) -> Self {
        let projection = project(signal, data, index, wanted.all().wanted());
        let Columns { shape, levels, keys, kinds, ends, data, name_ends, names, .. } = projection.columns;
        let mut start = 0;
        let rows = projection.places.into_iter().zip(levels).zip(keys.iter().zip(kinds.iter().zip(ends)));
        let lines = rows.filter_map(|((Place { target, field }, level), (key, (kind, end)))| {
            let value = At::scanned(start..end as usize);
            start = end as usize;
            let what = match field {
                Field::Attribute(record) => What::Found(*key as usize, record),
                Field::Intrinsic(intrinsic) => What::Field(intrinsic),
            };
            Some(Line { target, level: Level::from_code(level)?, what, kind: *kind, value, gone: false })
        });
        let lines = lines.collect();
        let mut start = 0;
        let names = name_ends.iter().map(|end| {
            let name = names.get(start..*end as usize).unwrap_or_default();
            start = *end as usize;
            name.into()
        });
        let names = names.collect();
        let values = Values::scanned(data);
        Self { wanted, shape, lines, names, values, changes: Changes::default(), drops: Vec::new() }
    }

    /// Whether the scan was made for this interest too (this very one, not an equal one).
    pub fn covers(&self, wants: &Arc<Wants>) -> bool {
        self.wanted.covers(wants)
    }

    /// Whether nothing was edited so far.
    pub fn is_untouched(&self) -> bool {
        self.changes.is_empty() && self.drops.is_empty()
    }

    /// By how much the edits so far can make the request longer, at most.
    pub fn growth_max(&self) -> usize {
        self.changes.growth_max()
    }

    /// The rows that `wants` names, which the table must [cover](Self::covers).
    pub fn view(&self, wants: &Wants) -> View {
        let mut view = View::default();
        view.columns.shape = self.shape.clone();
        let mut names: Vec<Name> =
            self.names.iter().map(|name| Name::Unused(wants.keys.find(name.as_bytes()).is_some())).collect();
        let mut start = 0;
        for group in self.lines.chunk_by(|a, b| carrier(a.target) == carrier(b.target)) {
            // Fields come first, in the order in which they were asked for.
            let fields = group.iter().take_while(|line| matches!(line.what, What::Field(_))).count();
            let (fields, attributes) = group.split_at(fields);
            for (number, wanted) in wants.intrinsics.iter().enumerate() {
                let is_it = |line: &Line| matches!(line.what, What::Field(intrinsic) if intrinsic == *wanted);
                if let Some(at) = fields.iter().position(is_it) {
                    let key = INTRINSIC | u32::try_from(number).unwrap_or(0);
                    self.show(&mut view, start + at, key);
                }
            }
            for (at, line) in attributes.iter().enumerate() {
                let Some(name) = line.name().filter(|_| !line.gone && wants.at(line.level)) else { continue };
                let Some(seen) = names.get_mut(name) else { continue };
                let key = match *seen {
                    Name::Unused(false) => continue,
                    Name::Unused(true) => {
                        let key = view.columns.name(self.names.get(name).map_or("", String::as_str));
                        *seen = Name::Used(key);
                        key
                    }
                    Name::Used(key) => key,
                };
                self.show(&mut view, start + fields.len() + at, key);
            }
            start += group.len();
        }
        view
    }

    fn show(&self, view: &mut View, at: usize, key: u32) {
        let Some(line) = self.lines.get(at) else { return };
        let value = self.values.get(&line.value);
        view.columns.push_raw(owner(line.target), line.level, key, line.kind, value);
        view.lines.push(at);
    }

    /// Applies the edits that a plugin made to `view`, the last one that was taken. `data` and `index` are the request
    /// that was scanned. Once they are applied, the table may have taken them: then none are left.
    ///
    /// # Errors
    /// The first edit that makes no sense; then nothing is changed.
    pub fn apply(
        &mut self,
        data: &[u8],
        index: &Index,
        view: &View,
        edits: &mut Edits,
        limits: &Limits,
    ) -> Result<Applied, BadEdit> {
        let checked = edits.check(view.lines.len(), limits)?;
        let additions = edits.additions.check(&self.shape, limits)?;
        let mut apart = false;
        for edit in &checked {
            let line = view.lines.get(edit.row as usize).and_then(|at| self.lines.get(*at));
            let Some(line) = line else { return Err(BadEdit::NoRow(edit.row)) };
            let fits = match (&line.what, edit.action) {
                (_, Action::Drop) => true,
                (What::Field(_), Action::Remove) => false,
                (What::Field(intrinsic), Action::Set) => intrinsic.accepts(&edit.value),
                // What is added and removed again would not be as if it had never been, where a message was made for it.
                (What::Added(_), Action::Remove) => {
                    apart = true;
                    true
                }
                (What::Found(..) | What::Added(_), _) => true,
            };
            if !fits {
                return Err(BadEdit::BadValue(edit.row));
            }
        }
        // So large a request could not be written; let it fail where it is clear who made it so.
        let new = edits.data.len() + edits.additions.data.len() + (checked.len() + additions.len()) * 128;
        let names = additions.iter().map(|addition| addition.key.len()).sum::<usize>();
        let size = data.len().saturating_add(self.changes.growth_max()).saturating_add(new).saturating_add(names);
        if apart || size >= u32::MAX as usize {
            return Ok(Applied::Apart);
        }
        let (mut set, mut removed) = (0, 0);
        let mut start = 0;
        for (edit, end) in checked.into_iter().zip(&edits.ends) {
            let range = start..*end as usize;
            start = range.end;
            let line = view.lines.get(edit.row as usize).and_then(|at| self.lines.get_mut(*at));
            let Some(line) = line else { continue };
            match edit.action {
                Action::Drop => self.drops.push(splice::items(index, line.target)),
                Action::Remove => {
                    removed += 1;
                    line.gone = true;
                    if let What::Found(_, record) = &line.what {
                        self.changes.push(line.target, changes::What::RemoveFound(record.clone()), 0);
                    }
                }
                Action::Set => {
                    set += 1;
                    let (kind, len) = (edit.value.kind(), range.len());
                    let at = self.values.next(&edit.value, false, range);
                    (line.kind, line.value) = (kind, at.clone());
                    let name = |name: &usize| self.names.get(*name).map_or(0, String::len);
                    let (what, len) = match &line.what {
                        What::Found(key, record) => {
                            (changes::What::SetFound(record.clone(), *key, kind, at), name(key) + len)
                        }
                        What::Added(key) => (changes::What::SetNamed(*key, kind, at), name(key) + len),
                        What::Field(field) => (changes::What::SetField(*field, kind, at), len),
                    };
                    self.changes.push(line.target, what, len);
                }
            }
        }
        let mut fresh = Vec::new();
        let mut start = 0;
        let (answer, columns) = (self.values.answers(), edits.additions.keys.iter().zip(&edits.additions.ends));
        for (addition, (key, end)) in additions.into_iter().zip(columns) {
            let range = start..*end as usize;
            start = range.end;
            let target = splice::target(addition.level, addition.owner);
            if addition.put == Put::Drop {
                self.drops.push(splice::items(index, target));
                continue;
            }
            set += 1;
            let (kind, len) = (addition.value.kind(), addition.key.len() + range.len());
            let value = self.values.next(&addition.value, true, range);
            let key = (answer, edits.additions.key_range(*key).unwrap_or_default());
            let what = changes::What::Add(addition.put == Put::Insert, key, kind, value.clone());
            self.changes.push(target, what, len);
            // Others may look for it; most of the time nobody does.
            if self.wanted.wants(addition.level, addition.key) {
                let name = self.name(addition.key);
                fresh.push(Fresh { target, level: addition.level, name, put: addition.put, kind, value });
            }
        }
        if set > 0 {
            self.values.keep(core::mem::take(edits));
        }
        if !fresh.is_empty() {
            self.add(index, fresh);
        }
        Ok(Applied::Done { set, removed, drops: !self.drops.is_empty() })
    }

    /// The number of a name.
    fn name(&mut self, name: &str) -> usize {
        self.names.iter().position(|known| known == name).unwrap_or_else(|| {
            self.names.push(name.into());
            self.names.len() - 1
        })
    }

    /// Puts what was added where a scan would find it: behind everything else of what carries it.
    fn add(&mut self, index: &Index, mut fresh: Vec<Fresh>) {
        fresh.sort_by_key(|fresh| rank(index, fresh.target));
        let mut old = core::mem::take(&mut self.lines).into_iter().peekable();
        let mut lines = Vec::with_capacity(old.len() + fresh.len());
        for group in fresh.chunk_by(|a, b| a.target == b.target) {
            let Some(target) = group.first().map(|fresh| fresh.target) else { continue };
            let here = rank(index, target);
            lines.extend(core::iter::from_fn(|| old.next_if(|line| rank(index, line.target) < here)));
            let start = lines.len();
            lines.extend(core::iter::from_fn(|| old.next_if(|line| rank(index, line.target) == here)));
            for fresh in group {
                let own = lines.get_mut(start..).unwrap_or_default();
                let same = |line: &&mut Line| !line.gone && line.target == target && line.name() == Some(fresh.name);
                let mut there = false;
                for line in own.iter_mut().filter(same) {
                    // The first one gets the value, further ones go.
                    if fresh.put == Put::Set {
                        line.gone = there;
                        line.kind = fresh.kind;
                        line.value = fresh.value.clone();
                    }
                    there = true;
                }
                if !there {
                    let (level, what) = (fresh.level, What::Added(fresh.name));
                    lines.push(Line { target, level, what, kind: fresh.kind, value: fresh.value.clone(), gone: false });
                }
            }
        }
        lines.extend(old);
        self.lines = lines;
    }

    /// Writes what the edits made of the request that was scanned. `set` and `removed` of the outcome are 0: they were told
    /// when the edits were applied.
    ///
    /// # Errors
    /// If the result would be too long.
    pub fn splice(self, signal: Signal, data: &[u8], index: &Index) -> Result<Spliced, Error> {
        let request = match self.changes.is_empty() {
            true => None,
            false => Some(self.changes.write(signal, data, index, &self.names, self.values)?),
        };
        splice::drop_items(signal, data, index, request, self.drops)
    }
}

impl Line {
    /// Number of its name, if it is an attribute.
    fn name(&self) -> Option<usize> {
        match &self.what {
            What::Found(name, _) | What::Added(name) => Some(*name),
            What::Field(_) => None,
        }
    }
}

/// An attribute that was set or inserted by its key.
struct Fresh {
    target: Target,
    level: Level,
    name: usize,
    put: Put,
    kind: u8,
    value: At,
}

/// A name of the table as a view has it.
enum Name {
    /// Not in the view yet; whether it is wanted there.
    Unused(bool),
    /// Its number in the view.
    Used(u32),
}

/// Sorts what carries attributes in the order in which a scan visits it.
fn rank(index: &Index, target: Target) -> (u32, u32, u32, u32) {
    let scope = |number: u32| {
        (index.scopes.get(number as usize).map_or(u32::MAX, |scope| scope.resource), number.saturating_add(1))
    };
    let metric = |number: u32| {
        let (resource, scope) = scope(index.metrics.get(number as usize).map_or(u32::MAX - 1, |metric| metric.scope));
        (resource, scope, number.saturating_add(1))
    };
    match carrier(target) {
        Target::Resource(number) => (number, 0, 0, 0),
        Target::Scope(number) => {
            let (resource, scope) = scope(number);
            (resource, scope, 0, 0)
        }
        Target::Metric(number) => {
            let (resource, scope, metric) = metric(number);
            (resource, scope, metric, 0)
        }
        Target::Item(number)
        | Target::Event { item: number, .. }
        | Target::Link { item: number, .. }
        | Target::Exemplar { item: number, .. } => {
            let parent = index.items.get(number as usize).map_or(u32::MAX - 1, |item| item.parent);
            let (resource, scope, metric) = if index.metrics.is_empty() {
                let (resource, scope) = scope(parent);
                (resource, scope, 0)
            } else {
                metric(parent)
            };
            (resource, scope, metric, number.saturating_add(1))
        }
    }
}
