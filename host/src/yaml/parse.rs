//! Text to tree: YAML events gathered into nodes with places.
//!
//! Anchors, aliases and merge keys (`<<`) are resolved here, so nobody else meets them. A duplicate key is an error.
//! Bounded: [`BYTES_MAX`] of text, [`DEPTH_MAX`] levels; once aliases are written out, [`NODES_MAX`] nodes and
//! [`WRITTEN_BYTES_MAX`] of text in them.

use super::{Key, Node, Origin, Problems, Value, scalar};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use std::collections::HashMap;
use std::sync::Arc;

/// The longest text that is read as YAML, in bytes.
pub const BYTES_MAX: usize = 8 << 20;
/// How deep lists and maps may nest.
const DEPTH_MAX: usize = 100;
/// How many nodes a document may have, each use of an alias counted in full.
const NODES_MAX: usize = 200_000;
/// How much text its keys and values may have, each use of an alias counted in full.
const WRITTEN_BYTES_MAX: usize = 4 * BYTES_MAX;

/// Parses one document. `source` names it in messages. Nothing at all is [`Value::Null`].
///
/// `None` if it cannot be used; `problems` then says why.
pub fn parse(source: &str, text: &str, problems: &mut Problems) -> Option<Node> {
    let mut builder = Builder::new(source, problems);
    if text.len() > BYTES_MAX {
        let bytes = text.len();
        builder.problems.error(None, "", format!("{source}: {bytes} bytes of YAML, at most {BYTES_MAX} are read"));
        return None;
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for event in Parser::new_from_str(text) {
        let result = match event {
            Ok((event, span)) => builder.take(event, span.start),
            Err(error) => Err((builder.origin(*error.marker()), format!("no valid YAML: {}", error.info()))),
        };
        if let Err((origin, message)) = result {
            builder.problems.error(Some(&origin), "", message);
            return None;
        }
    }
    if builder.faulty {
        return None;
    }
    let start = Origin { source: builder.source, line: 1, column: 1 };
    Some(builder.document.unwrap_or(Node::new(start, Value::Null)))
}

type Refused = (Origin, String);

/// A list or map that is still open.
enum Frame {
    Seq { origin: Origin, anchor: usize, items: Vec<Node> },
    Map { origin: Origin, anchor: usize, map: OpenMap },
}

#[derive(Default)]
struct OpenMap {
    entries: Vec<(Key, Node)>,
    lines: HashMap<String, usize>,
    key: Option<OpenKey>,
    merges: Vec<Node>,
}

enum OpenKey {
    Plain(Key),
    Duplicate(Origin),
    Merge(Origin),
}

impl OpenKey {
    fn origin(&self) -> &Origin {
        match self {
            Self::Plain(key) => &key.origin,
            Self::Duplicate(origin) | Self::Merge(origin) => origin,
        }
    }
}

struct Builder<'p> {
    source: Arc<str>,
    problems: &'p mut Problems,
    stack: Vec<Frame>,
    /// What an anchor stands for, and how large it is.
    anchors: HashMap<usize, (Node, Size)>,
    size: Size,
    document: Option<Node>,
    documents: usize,
    faulty: bool,
}

impl<'p> Builder<'p> {
    fn new(source: &str, problems: &'p mut Problems) -> Self {
        Self {
            source: source.into(),
            problems,
            stack: Vec::new(),
            anchors: HashMap::new(),
            size: Size::default(),
            document: None,
            documents: 0,
            faulty: false,
        }
    }

    fn origin(&self, mark: Marker) -> Origin {
        Origin { source: self.source.clone(), line: mark.line().max(1), column: mark.col() + 1 }
    }

    fn take(&mut self, event: Event<'_>, mark: Marker) -> Result<(), Refused> {
        let origin = self.origin(mark);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err((origin, "a second document in one source: split it into several".to_owned()));
                }
                Ok(())
            }
            Event::Alias(id) => {
                let Some(size) = self.anchors.get(&id).map(|(_, size)| *size) else {
                    return Err((origin, "an alias that contains itself".to_owned()));
                };
                if self.expects_key() {
                    return Err((origin, "an alias cannot be a key".to_owned()));
                }
                // Before it is copied: the copy is what has to be bounded.
                self.count(size, &origin)?;
                match self.anchors.get(&id) {
                    Some((node, _)) => self.put(node.clone()),
                    None => Ok(()),
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.count(Size { nodes: 1, bytes: text.len() }, &origin)?;
                let value = typed(&text, style, tag.as_deref()).map_err(|message| (origin.clone(), message))?;
                if self.expects_key() {
                    let merge = style == ScalarStyle::Plain && text == "<<";
                    return self.put_key(origin, value, merge);
                }
                // An absent value is reported by the parser behind the white space; its key is the better place.
                let absent = text.is_empty() && style == ScalarStyle::Plain;
                let origin = if absent { self.key_origin().cloned().unwrap_or(origin) } else { origin };
                self.finish(Node::new(origin, value), anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(Frame::Seq { origin, anchor, items: Vec::new() }, tag.as_deref(), "seq")
            }
            Event::MappingStart(anchor, tag) => {
                self.open(Frame::Map { origin, anchor, map: OpenMap::default() }, tag.as_deref(), "map")
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(origin),
        }
    }

    fn open(&mut self, frame: Frame, tag: Option<&Tag>, kind: &str) -> Result<(), Refused> {
        let (Frame::Seq { origin, .. } | Frame::Map { origin, .. }) = &frame;
        let origin = origin.clone();
        if let Some(tag) = tag.filter(|tag| core_tag(tag) != Some(kind)) {
            return Err((origin, unsupported(tag)));
        }
        if self.expects_key() {
            return Err((origin, "a key must be text, not a list or a map".to_owned()));
        }
        if self.stack.len() >= DEPTH_MAX {
            return Err((origin, format!("lists and maps nest deeper than {DEPTH_MAX} levels")));
        }
        self.count(Size { nodes: 1, bytes: 0 }, &origin)?;
        self.stack.push(frame);
        Ok(())
    }

    fn close(&mut self, end: Origin) -> Result<(), Refused> {
        match self.stack.pop() {
            Some(Frame::Seq { origin, anchor, items }) => self.finish(Node::new(origin, Value::Seq(items)), anchor),
            Some(Frame::Map { origin, anchor, map }) => {
                let entries = merged(map)?;
                self.finish(Node::new(origin, Value::Map(entries)), anchor)
            }
            None => Err((end, "an end without a beginning".to_owned())),
        }
    }

    /// A complete value: remembered if it has an anchor, put where it belongs.
    fn finish(&mut self, node: Node, anchor: usize) -> Result<(), Refused> {
        if anchor > 0 {
            let size = Size::of(&node);
            // The remembered copy is memory too.
            self.count(size, &node.origin)?;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        self.put(node)
    }

    fn put(&mut self, node: Node) -> Result<(), Refused> {
        match self.stack.last_mut() {
            None => self.document = Some(node),
            Some(Frame::Seq { items, .. }) => items.push(node),
            Some(Frame::Map { map, .. }) => match map.key.take() {
                Some(OpenKey::Plain(key)) => map.entries.push((key, node)),
                Some(OpenKey::Duplicate(_)) => {}
                Some(OpenKey::Merge(_)) => map.merges.push(node),
                None => return Err((node.origin, "a value without a key".to_owned())),
            },
        }
        Ok(())
    }

    fn put_key(&mut self, origin: Origin, value: Value, merge: bool) -> Result<(), Refused> {
        let Some(Frame::Map { map, .. }) = self.stack.last_mut() else { return Ok(()) };
        let name = match value {
            Value::String(name) => name,
            other => {
                let found = Node::new(origin.clone(), other).describe();
                return Err((origin, format!("a key must be text, found {found}: put it in quotes")));
            }
        };
        if let Some(line) = map.lines.insert(name.clone(), origin.line) {
            map.key = Some(OpenKey::Duplicate(origin.clone()));
            self.faulty = true;
            self.problems.error(Some(&origin), "", format!("key {name:?} is already defined at line {line}"));
        } else if merge {
            map.key = Some(OpenKey::Merge(origin));
        } else {
            map.key = Some(OpenKey::Plain(Key { origin, name }));
        }
        Ok(())
    }

    fn expects_key(&self) -> bool {
        matches!(self.stack.last(), Some(Frame::Map { map, .. }) if map.key.is_none())
    }

    fn key_origin(&self) -> Option<&Origin> {
        match self.stack.last() {
            Some(Frame::Map { map, .. }) => map.key.as_ref().map(OpenKey::origin),
            _ => None,
        }
    }

    fn count(&mut self, more: Size, origin: &Origin) -> Result<(), Refused> {
        self.size.add(more);
        let refused = |message| Err((origin.clone(), message));
        if self.size.nodes > NODES_MAX {
            return refused(format!("more than {NODES_MAX} values once aliases are written out"));
        }
        if self.size.bytes > WRITTEN_BYTES_MAX {
            return refused(format!("more than {WRITTEN_BYTES_MAX} bytes of text once aliases are written out"));
        }
        Ok(())
    }
}

/// Entries with those of the merge keys behind them: what is written wins, then the earlier merge.
fn merged(map: OpenMap) -> Result<Vec<(Key, Node)>, Refused> {
    let OpenMap { mut entries, mut lines, merges, .. } = map;
    for merge in merges {
        let origin = merge.origin.clone();
        let sources = match merge.value {
            Value::Seq(items) => items,
            _ => vec![merge],
        };
        for source in sources {
            let Value::Map(more) = source.value else {
                return Err((origin, "\"<<\" takes a map or a list of maps".to_owned()));
            };
            for (key, node) in more {
                if !lines.contains_key(&key.name) {
                    lines.insert(key.name.clone(), key.origin.line);
                    entries.push((key, node));
                }
            }
        }
    }
    Ok(entries)
}

/// How large a tree is.
#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    /// Of the text in it, keys included.
    bytes: usize,
}

impl Size {
    fn of(node: &Node) -> Self {
        let mut size = Self { nodes: 1, bytes: 0 };
        match &node.value {
            Value::String(text) => size.bytes += text.len(),
            Value::Seq(items) => items.iter().for_each(|item| size.add(Self::of(item))),
            Value::Map(entries) => {
                for (key, node) in entries {
                    size.add(Self { nodes: 1, bytes: key.name.len() });
                    size.add(Self::of(node));
                }
            }
            _ => {}
        }
        size
    }

    fn add(&mut self, more: Self) {
        self.nodes = self.nodes.saturating_add(more.nodes);
        self.bytes = self.bytes.saturating_add(more.bytes);
    }
}

/// The value of a scalar: plain ones by their text, quoted ones text, tagged ones as the tag says.
fn typed(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    let Some(tag) = tag else {
        return Ok(if style == ScalarStyle::Plain { scalar::resolve(text) } else { Value::String(text.to_owned()) });
    };
    // "!" alone: not to be resolved.
    if format!("{}{}", tag.handle, tag.suffix) == "!" {
        return Ok(Value::String(text.to_owned()));
    }
    let value = scalar::resolve(text);
    match (core_tag(tag), value) {
        (Some("str"), _) => Ok(Value::String(text.to_owned())),
        (Some("null"), value @ Value::Null)
        | (Some("bool"), value @ Value::Bool(_))
        | (Some("int"), value @ Value::Int(_))
        | (Some("float"), value @ Value::Float(_)) => Ok(value),
        #[expect(clippy::cast_precision_loss, reason = "the tag asks for a float")]
        (Some("float"), Value::Int(value)) => Ok(Value::Float(value as f64)),
        (Some(kind @ ("null" | "bool" | "int" | "float")), _) => Err(format!("{text:?} is no !!{kind}")),
        _ => Err(unsupported(tag)),
    }
}

/// The name behind `!!`.
fn core_tag(tag: &Tag) -> Option<&str> {
    if tag.is_yaml_core_schema() { Some(&tag.suffix) } else { tag.suffix.strip_prefix("tag:yaml.org,2002:") }
}

fn unsupported(tag: &Tag) -> String {
    match core_tag(tag) {
        Some(kind) => format!("tag !!{kind} is not supported here"),
        None => format!("tag {}{} is not supported", tag.handle, tag.suffix),
    }
}
