//! `${...}`: values from environment variables, files and inline YAML, in every text of the tree but not in keys.
//!
//! A text that is one expansion takes on the type that YAML gives to what was found; within a longer text it is pasted as
//! text. The innermost `${` goes first, so names and defaults may themselves be expansions. `$$` is a dollar sign, a bare
//! `$NAME` is itself. Bounded: [`ROUNDS_MAX`] expansions behind each other, [`LOOKUPS_MAX`] and [`BYTES_MAX`] in all.

use super::source::{Location, variable};
use super::{Environment, merge};
use crate::yaml::{self, Node, Origin, Problems, Value};

/// How often the result of an expansion may be expanded again; more means that it contains itself.
const ROUNDS_MAX: usize = 100;
/// How deep the tree may be once files are put into it.
const DEPTH_MAX: usize = 250;
/// How many lookups a whole configuration may take.
const LOOKUPS_MAX: usize = 10_000;
/// How much text all expansions of a configuration may produce.
const BYTES_MAX: usize = 32 << 20;

/// The tree with every expansion done; where one fails the value is [`Value::Broken`] and `problems` says why.
pub(super) fn expand(tree: Node, environment: &dyn Environment, problems: &mut Problems) -> Node {
    let mut expander =
        Expander { environment, problems, path: String::new(), depth: 0, lookups: 0, bytes: 0, exhausted: false };
    let mut tree = expander.node(tree, 0);
    unescape(&mut tree);
    tree
}

struct Expander<'a> {
    environment: &'a dyn Environment,
    problems: &'a mut Problems,
    /// Of the value that is being expanded.
    path: String,
    depth: usize,
    lookups: usize,
    bytes: usize,
    exhausted: bool,
}

/// Why a text has no value.
enum Failure {
    /// To be reported.
    Fault(String),
    /// A limit was met, which has been reported. Nothing is looked up after that: what has no end has no end in many
    /// places.
    Exhausted,
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::Fault(message)
    }
}

/// What stands behind a URI.
struct Retrieved {
    text: String,
    value: Value,
}

impl Expander<'_> {
    /// `rounds` have already led to this value.
    fn node(&mut self, node: Node, rounds: usize) -> Node {
        if self.depth >= DEPTH_MAX {
            let message = format!("nested deeper than {DEPTH_MAX} levels: does a file contain itself?");
            let failure = self.exhaust(message);
            return self.broken(failure, &node.origin);
        }
        self.depth += 1;
        let node = self.inner_node(node, rounds);
        self.depth -= 1;
        node
    }

    fn inner_node(&mut self, node: Node, rounds: usize) -> Node {
        let outer = self.path.len();
        match node.value {
            Value::String(text) => self.text(&text, &node.origin, rounds),
            Value::Seq(items) => {
                let mut expanded = Vec::with_capacity(items.len());
                for (i, item) in items.into_iter().enumerate() {
                    self.path.push_str(&format!("[{i}]"));
                    expanded.push(self.node(item, rounds));
                    self.path.truncate(outer);
                }
                Node { value: Value::Seq(expanded), origin: node.origin, original: node.original }
            }
            Value::Map(entries) => {
                let mut expanded = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    self.path.push_str(if outer == 0 { "" } else { "::" });
                    self.path.push_str(&key.name);
                    let value = self.node(value, rounds);
                    expanded.push((key, value));
                    self.path.truncate(outer);
                }
                Node { value: Value::Map(expanded), origin: node.origin, original: node.original }
            }
            value => Node { value, origin: node.origin, original: node.original },
        }
    }

    fn text(&mut self, text: &str, origin: &Origin, rounds: usize) -> Node {
        self.try_text(text, origin, rounds).unwrap_or_else(|failure| self.broken(failure, origin))
    }

    fn broken(&mut self, failure: Failure, origin: &Origin) -> Node {
        if let Failure::Fault(message) = failure {
            self.problems.error(Some(origin), self.shown_path(), message);
        }
        Node::new(origin.clone(), Value::Broken)
    }

    fn try_text(&mut self, text: &str, origin: &Origin, rounds: usize) -> Result<Node, Failure> {
        let mut text = text.to_owned();
        for round in rounds.. {
            let Some(expression) = find(&text) else { break };
            if round >= ROUNDS_MAX {
                let message = format!("more than {ROUNDS_MAX} expansions behind each other: does it contain itself?");
                return Err(self.exhaust(message));
            }
            let found = self.retrieve(expression, origin)?;
            if expression.len() < text.len() {
                let pasted = paste(&text, expression, &found.text);
                self.take_bytes(pasted.len())?;
                text = pasted;
                continue;
            }
            match found.value {
                Value::String(more) => text = more,
                value => return Ok(self.typed(value, found.text, origin, round + 1)),
            }
        }
        Ok(Node::new(origin.clone(), Value::String(text)))
    }

    /// A value that is not text, with the text it was for those who want text.
    fn typed(&mut self, value: Value, text: String, origin: &Origin, rounds: usize) -> Node {
        let nested = matches!(value, Value::Seq(_) | Value::Map(_));
        let node = self.node(Node::new(origin.clone(), value), rounds);
        // What fails or is unset in it has been reported for the value itself.
        let original = if nested && find(&text).is_some() { self.quietly(&text, origin, rounds) } else { Some(text) };
        Node { original: original.map(Into::into), ..node }
    }

    fn quietly(&mut self, text: &str, origin: &Origin, rounds: usize) -> Option<String> {
        let mut unheard = Problems::default();
        let mut inner = Expander {
            environment: self.environment,
            problems: &mut unheard,
            path: String::new(),
            depth: self.depth,
            lookups: self.lookups,
            bytes: self.bytes,
            exhausted: self.exhausted,
        };
        let node = inner.try_text(text, origin, rounds);
        (self.lookups, self.bytes) = (inner.lookups, inner.bytes);
        node.ok().and_then(|node| node.as_str().map(str::to_owned))
    }

    /// Looks up `${...}`.
    fn retrieve(&mut self, expression: &str, origin: &Origin) -> Result<Retrieved, Failure> {
        let uri = expression.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).unwrap_or_default();
        let with_scheme = if uri.contains(':') { uri.to_owned() } else { format!("env:{uri}") };
        let location = Location::parse(&with_scheme)?;
        if uri.contains('$') {
            return Err(Failure::Fault(format!("{expression:?}: a '$' cannot be part of what is looked up")));
        }
        if self.exhausted {
            return Err(Failure::Exhausted);
        }
        self.lookups += 1;
        if self.lookups > LOOKUPS_MAX {
            return Err(self.exhaust(format!("more than {LOOKUPS_MAX} expansions in one configuration")));
        }
        let mut source = None;
        let text = match location {
            Location::Yaml(text) => text.to_owned(),
            Location::File(path) => {
                source = Some(path);
                self.environment.file(path)?
            }
            Location::Env(name) => {
                let found = variable(self.environment, name)?;
                if found.unset {
                    let message = format!("environment variable {name} is not set, the value is empty");
                    self.problems.warning(Some(origin), self.shown_path(), message);
                }
                if found.is_text {
                    return Ok(Retrieved { value: Value::String(found.text.clone()), text: found.text });
                }
                found.text
            }
        };
        self.take_bytes(text.len())?;
        let value = typed(&text, source, origin);
        Ok(Retrieved { text, value })
    }

    /// The path, cut short where files contain each other.
    fn shown_path(&self) -> String {
        const SHOWN: usize = 200;
        match self.path.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{}...", self.path.get(..end).unwrap_or_default()),
            None => self.path.clone(),
        }
    }

    /// Ends all expansion, with this reason if it is the first.
    fn exhaust(&mut self, message: String) -> Failure {
        if std::mem::replace(&mut self.exhausted, true) { Failure::Exhausted } else { Failure::Fault(message) }
    }

    fn take_bytes(&mut self, bytes: usize) -> Result<(), Failure> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > BYTES_MAX {
            let message = format!("expansions produce more than {BYTES_MAX} bytes: does one contain itself?");
            return Err(self.exhaust(message));
        }
        Ok(())
    }
}

/// What YAML makes of `text`; what is text, or no YAML, is taken as it is, quotes included. A value from a file keeps its
/// place in that file, any other has the place of the expansion.
fn typed(text: &str, file: Option<&str>, origin: &Origin) -> Value {
    let source = file.unwrap_or(&origin.source);
    match yaml::parse(source, text, &mut Problems::default()) {
        None | Some(Node { value: Value::String(_), .. }) => Value::String(text.to_owned()),
        Some(mut node) => {
            if file.is_none() {
                merge::move_to(&mut node, origin);
            }
            node.value
        }
    }
}

/// The first expression to expand: the innermost `${...}` that is not escaped.
fn find(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('}') {
        if let Some(start) = before.rfind("${")
            && !escaped(before.get(..start)?)
        {
            return rest.get(start..=before.len());
        }
        rest = behind;
    }
    None
}

/// `text` with `value` in the place of every `expression` that is not escaped.
fn paste(text: &str, expression: &str, value: &str) -> String {
    let mut pasted = String::with_capacity(text.len());
    let mut done = 0;
    for (start, _) in text.match_indices(expression) {
        let before = text.get(done..start).unwrap_or_default();
        pasted.push_str(before);
        pasted.push_str(if escaped(before) { expression } else { value });
        done = start + expression.len();
    }
    pasted.push_str(text.get(done..).unwrap_or_default());
    pasted
}

/// Whether what follows `text` is escaped: an odd number of dollars stands before it.
fn escaped(text: &str) -> bool {
    text.bytes().rev().take_while(|byte| *byte == b'$').count() % 2 == 1
}

/// `$$` becomes `$`, everywhere.
fn unescape(node: &mut Node) {
    if let Some(original) = &node.original
        && original.contains("$$")
    {
        node.original = Some(original.replace("$$", "$").into());
    }
    match &mut node.value {
        Value::String(text) if text.contains("$$") => *text = text.replace("$$", "$"),
        Value::Seq(items) => items.iter_mut().for_each(unescape),
        Value::Map(entries) => entries.iter_mut().for_each(|(_, value)| unescape(value)),
        _ => {}
    }
}
