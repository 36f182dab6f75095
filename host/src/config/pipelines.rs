//! The pipelines, and every reference in them.

use super::Pipeline;
use super::sections::{Defined, Role, unknown};
use crate::component::ComponentId;
use crate::pdata::Signal;
use crate::yaml::{Node, Origin, Problems, Value, nearest};
use std::collections::BTreeSet;

const KEYS: [&str; 3] = ["receivers", "processors", "exporters"];

/// Reads and checks all pipelines; faulty ones may be left out.
pub(super) fn read(tree: &Node, defined: &Defined, problems: &mut Problems) -> Vec<Pipeline> {
    let path = "service::pipelines";
    let section = tree.get("service").map(|service| service.get("pipelines").unwrap_or(service));
    let node = tree.get("service").and_then(|service| service.get("pipelines"));
    match node.map(|node| &node.value) {
        Some(Value::Broken) => return Vec::new(),
        Some(Value::Map(entries)) if !entries.is_empty() => {}
        Some(Value::Map(_) | Value::Null) | None => {
            let origin = section.map_or(&tree.origin, |node| &node.origin);
            problems.error(Some(origin), path, "there must be at least one pipeline");
        }
        Some(_) => {
            let node = node.unwrap_or(tree);
            problems.error(Some(&node.origin), path, format!("expected a map, found {}", node.describe()));
        }
    }
    let mut pipelines: Vec<Pipeline> = Vec::new();
    for (key, node) in node.map(Node::entries).unwrap_or_default() {
        let path = format!("{path}::{}", key.name);
        let parsed = key.name.parse::<ComponentId>().map_err(|error| error.to_string());
        let id = parsed.and_then(|id| signal(&id).map(|signal| (id, signal)));
        let (id, signal) = match id {
            Ok(found) => found,
            Err(message) => {
                problems.error(Some(&key.origin), path, message);
                continue;
            }
        };
        if pipelines.iter().any(|pipeline| pipeline.id == id) {
            problems.error(Some(&key.origin), path, format!("pipeline {:?} is defined twice", id.to_string()));
            continue;
        }
        if let Some(pipeline) = (Reader { signal, path, defined, problems }).pipeline(id, node) {
            pipelines.push(pipeline);
        }
    }
    pipelines
}

/// What flows through a pipeline of this id.
fn signal(id: &ComponentId) -> Result<Signal, String> {
    let kind = id.kind();
    if let Some(signal) = Signal::ALL.into_iter().find(|signal| signal.as_str() == kind) {
        return Ok(signal);
    }
    if kind == "profiles" {
        return Err("profiles are not supported yet".to_owned());
    }
    let known = Signal::ALL.map(Signal::as_str);
    let near = nearest(kind, known).map(|near| format!(" (did you mean {near:?}?)")).unwrap_or_default();
    Err(format!("unknown pipeline type {kind:?}; a pipeline carries {}{near}", known.join(", ")))
}

struct Reader<'a> {
    signal: Signal,
    path: String,
    defined: &'a Defined,
    problems: &'a mut Problems,
}

impl Reader<'_> {
    fn pipeline(&mut self, id: ComponentId, node: &Node) -> Option<Pipeline> {
        if !matches!(node.value, Value::Map(_) | Value::Null) {
            if !matches!(node.value, Value::Broken) {
                let message = format!("expected a map, found {}", node.describe());
                self.problems.error(Some(&node.origin), self.path.clone(), message);
            }
            return None;
        }
        for (key, _) in node.entries() {
            if !KEYS.contains(&key.name.as_str()) {
                let path = format!("{}::{}", self.path, key.name);
                self.problems.error(Some(&key.origin), path, unknown("key", &key.name, &KEYS));
            }
        }
        let receivers = self.list(node, Role::Receiver);
        let processors = self.list(node, Role::Processor);
        let exporters = self.list(node, Role::Exporter);
        Some(Pipeline { id, signal: self.signal, receivers, processors, exporters })
    }

    fn list(&mut self, pipeline: &Node, role: Role) -> Vec<ComponentId> {
        let path = format!("{}::{}", self.path, role.section());
        let entry = pipeline.entry(role.section());
        let list = entry.map(|(_, list)| list);
        let needed = role != Role::Processor;
        let ids = list.map(|list| ids(list, &path, role, self.problems)).unwrap_or_default();
        let nothing =
            list.is_none_or(|list| list.is_null() || matches!(&list.value, Value::Seq(items) if items.is_empty()));
        if needed && nothing {
            let origin = entry.map_or(&pipeline.origin, |(key, _)| &key.origin);
            self.problems.error(Some(origin), path.clone(), format!("there must be at least one {}", role.word()));
        }
        for Reference { id, origin, path } in &ids {
            match self.defined.signals(role, id) {
                None => self.problems.error(Some(origin), path.clone(), self.defined.missing(role, id)),
                Some(signals) if !signals.contains(&self.signal) => {
                    let does: Vec<&str> = signals.iter().map(|signal| signal.as_str()).collect();
                    let (word, signal) = (role.word(), self.signal.as_str());
                    let message =
                        format!("{word} {:?} does not support {signal}, only {}", id.to_string(), does.join(", "));
                    self.problems.error(Some(origin), path.clone(), message);
                }
                Some(_) => {}
            }
        }
        ids.into_iter().map(|reference| reference.id).collect()
    }
}

/// A component that is named, and where.
pub(super) struct Reference {
    pub(super) id: ComponentId,
    pub(super) origin: Origin,
    /// Path of the key, with its index in the list.
    pub(super) path: String,
}

/// A list of component ids with their places. One that is named twice is kept once: a warning, but an error among
/// processors, whose order would be doubtful.
pub(super) fn ids(list: &Node, path: &str, role: Role, problems: &mut Problems) -> Vec<Reference> {
    if !matches!(list.value, Value::Seq(_) | Value::Null | Value::Broken) {
        let found = list.describe();
        problems.error(Some(&list.origin), path, format!("expected a list of {}s, found {found}", role.word()));
    }
    let mut ids = Vec::new();
    let mut seen = BTreeSet::new();
    for (i, item) in list.items().iter().enumerate() {
        let path = format!("{path}[{i}]");
        if matches!(item.value, Value::Broken) {
            continue;
        }
        let Some(text) = item.as_str() else {
            problems.error(
                Some(&item.origin),
                path,
                format!("expected the id of {}, found {}", role.with_article(), item.describe()),
            );
            continue;
        };
        match text.parse::<ComponentId>() {
            Err(error) => problems.error(Some(&item.origin), path, error.to_string()),
            Ok(id) if seen.insert(id.clone()) => ids.push(Reference { id, origin: item.origin.clone(), path }),
            Ok(id) => {
                let message = format!("names {} {:?} more than once", role.word(), id.to_string());
                match role {
                    Role::Processor => problems.error(Some(&item.origin), path, message),
                    _ => problems.warning(Some(&item.origin), path, message),
                }
            }
        }
    }
    ids
}
