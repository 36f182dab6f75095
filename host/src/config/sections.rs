//! The sections of a configuration: each component's goes to its factory, the rest is checked here.

use super::{Config, pipelines, service};
use crate::component::{ComponentId, ComponentInfo, Factories, Parsed};
use crate::pdata::Signal;
use crate::yaml::{Node, Problems, Section, Value, nearest};
use std::collections::BTreeMap;

/// The keys at the top.
const SECTIONS: [&str; 6] = ["receivers", "processors", "exporters", "connectors", "extensions", "service"];

/// Checks everything and gives what can be built from; with errors in `problems` the result is incomplete.
pub(super) fn check(tree: &Node, factories: &Factories, problems: &mut Problems) -> Option<Config> {
    if tree.entries().is_empty() {
        problems.error(Some(&tree.origin), "", "the configuration is empty");
        return None;
    }
    for (key, node) in tree.entries() {
        if key.name == "connectors" {
            for (key, _) in node.entries() {
                let path = format!("connectors::{}", key.name);
                problems.error(Some(&key.origin), path, "connectors are not supported yet");
            }
        } else if !SECTIONS.contains(&key.name.as_str()) {
            problems.error(Some(&key.origin), key.name.clone(), unknown("section", &key.name, &SECTIONS));
        }
    }
    let mut reader = Reader { tree, factories, problems, defined: Defined::default() };
    let receivers = reader.section(Role::Receiver, factories.receivers.iter().map(|f| (f.info, f.parse)));
    let processors = reader.section(Role::Processor, factories.processors.iter().map(|f| (f.info, f.parse)));
    let exporters = reader.section(Role::Exporter, factories.exporters.iter().map(|f| (f.info, f.parse)));
    let extensions = reader.section(Role::Extension, factories.extensions.iter().map(|f| (f.info, f.parse)));
    let defined = reader.defined;
    let service = service::read(tree, &defined, problems);
    let pipelines = pipelines::read(tree, &defined, problems);
    let warnings = Problems::default();
    Some(Config { receivers, processors, exporters, extensions, pipelines, service, warnings })
}

/// What a component is in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Receiver,
    Processor,
    Exporter,
    Extension,
}

impl Role {
    pub(super) const ALL: [Self; 4] = [Self::Receiver, Self::Processor, Self::Exporter, Self::Extension];

    /// As a noun.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Receiver => "receiver",
            Self::Processor => "processor",
            Self::Exporter => "exporter",
            Self::Extension => "extension",
        }
    }

    /// As a noun with its article.
    pub(super) fn with_article(self) -> &'static str {
        match self {
            Self::Receiver => "a receiver",
            Self::Processor => "a processor",
            Self::Exporter => "an exporter",
            Self::Extension => "an extension",
        }
    }

    /// The section that defines them.
    pub(super) fn section(self) -> &'static str {
        match self {
            Self::Receiver => "receivers",
            Self::Processor => "processors",
            Self::Exporter => "exporters",
            Self::Extension => "extensions",
        }
    }

    fn infos(self, factories: &Factories) -> Vec<ComponentInfo> {
        match self {
            Self::Receiver => factories.receivers.iter().map(|factory| factory.info).collect(),
            Self::Processor => factories.processors.iter().map(|factory| factory.info).collect(),
            Self::Exporter => factories.exporters.iter().map(|factory| factory.info).collect(),
            Self::Extension => factories.extensions.iter().map(|factory| factory.info).collect(),
        }
    }
}

/// Every component that is configured and of a known type, faulty or not, so that references to it are no faults.
#[derive(Default)]
pub(super) struct Defined(BTreeMap<Role, BTreeMap<ComponentId, &'static [Signal]>>);

impl Defined {
    /// The signals that a component supports, or `None` if there is no such component. A component of unknown type
    /// has been reported and is taken to support them all.
    pub(super) fn signals(&self, role: Role, id: &ComponentId) -> Option<&'static [Signal]> {
        self.0.get(&role)?.get(id).copied()
    }

    /// What to say about a reference to something that is not there.
    pub(super) fn missing(&self, role: Role, id: &ComponentId) -> String {
        let word = role.word();
        let elsewhere = Role::ALL.into_iter().find(|other| self.signals(*other, id).is_some());
        if let Some(other) = elsewhere {
            return format!("references {word} {:?}, which is configured as {}", id.to_string(), other.with_article());
        }
        let ids: Vec<String> =
            self.0.get(&role).map(|ids| ids.keys().map(ToString::to_string).collect()).unwrap_or_default();
        let near =
            nearest(&id.to_string(), ids.iter().map(String::as_str)).map(|near| format!(" (did you mean {near:?}?)"));
        format!("references {word} {:?}, which is not configured{}", id.to_string(), near.unwrap_or_default())
    }

    fn add(&mut self, role: Role, id: ComponentId, signals: &'static [Signal]) -> bool {
        self.0.entry(role).or_default().insert(id, signals).is_none()
    }
}

/// `unknown <what> (did you mean ...)` or the list of what there is.
pub(super) fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("unknown {what} (did you mean {near:?}?)"),
        None => format!("unknown {what}; known are {}", known.join(", ")),
    }
}

/// Reads sections of components.
struct Reader<'a> {
    tree: &'a Node,
    factories: &'a Factories,
    problems: &'a mut Problems,
    defined: Defined,
}

impl Reader<'_> {
    /// Reads the components of one role; those that are faulty are left out.
    fn section<C: ?Sized>(
        &mut self,
        role: Role,
        factories: impl Iterator<Item = (ComponentInfo, Parsed<C>)>,
    ) -> BTreeMap<ComponentId, Box<C>> {
        let factories: Vec<_> = factories.collect();
        let mut components = BTreeMap::new();
        let Some(node) = self.tree.get(role.section()) else { return components };
        if !matches!(node.value, Value::Map(_) | Value::Null | Value::Broken) {
            let message = format!("expected a map, found {}", node.describe());
            self.problems.error(Some(&node.origin), role.section(), message);
        }
        for (key, node) in node.entries() {
            let path = format!("{}::{}", role.section(), key.name);
            let id: ComponentId = match key.name.parse() {
                Ok(id) => id,
                Err(error) => {
                    self.problems.error(Some(&key.origin), path, format!("{error}"));
                    continue;
                }
            };
            let found = factories.iter().find(|(info, _)| names(info).any(|name| name == id.kind()));
            let signals = found.map_or(&Signal::ALL[..], |(info, _)| info.signals);
            if !self.defined.add(role, id.clone(), signals) {
                self.problems.error(Some(&key.origin), path, format!("{:?} is defined twice", id.to_string()));
                continue;
            }
            let Some((info, parse)) = found else {
                let message = self.unknown_type(role, id.kind());
                self.problems.error(Some(&key.origin), path, message);
                continue;
            };
            if info.kind != id.kind() {
                let (old, new, word) = (id.kind(), info.kind, role.word());
                let message = format!("the {word} type {old:?} is now called {new:?}; the old name still works");
                self.problems.warning(Some(&key.origin), path.clone(), message);
            }
            if let Some(component) = parse(&Section { path: &path, node }, self.problems) {
                components.insert(id, component);
            }
        }
        components
    }

    fn unknown_type(&self, role: Role, kind: &str) -> String {
        let word = role.word();
        let known = |role: Role| role.infos(self.factories);
        if let Some(other) = Role::ALL.into_iter().find(|other| known(*other).iter().any(|info| info.kind == kind)) {
            return format!("{kind:?} is a type of {}, not of {}", other.with_article(), role.with_article());
        }
        let infos = known(role);
        let all: Vec<&str> = infos.iter().flat_map(names).collect();
        match nearest(kind, all.iter().copied()) {
            Some(near) => format!("unknown {word} type {kind:?} (did you mean {near:?}?)"),
            None => {
                let kinds: Vec<&str> = infos.iter().map(|info| info.kind).collect();
                format!("unknown {word} type {kind:?}; built in are {}", kinds.join(", "))
            }
        }
    }
}

/// Every name that a type goes by.
fn names(info: &ComponentInfo) -> impl Iterator<Item = &'static str> + use<> {
    std::iter::once(info.kind).chain(info.deprecated.iter().copied())
}
