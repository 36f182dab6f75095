//! Typed reading of a section with every fault at once.
//!
//! serde stops at the first fault. So the reader notes it, passes over the faulty node and reads again, until what is
//! left can be read; that takes one round per fault, and sections are small. Faults that only follow from others are not
//! reported.

use super::de::{Notes, Reader};
use super::fault::{At, Kind, address, unknown_key};
use super::path::{self, Trail};
use super::{Check, Node, Origin, Problems, parse};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

/// How many faults of one section are shown: more than anybody reads.
const FAULTS_MAX: usize = 100;
/// How many rounds one section may take; keys with nothing behind them take one each, too.
const ROUNDS_MAX: usize = 1000;

/// Settings of a component: a struct with `#[serde(default, deny_unknown_fields)]` and an `impl Default`.
pub trait Settings: DeserializeOwned + Default + Send + Sync + 'static {
    /// Faults that no type can express: ranges, exclusive keys, keys that this version does not support.
    fn check(&self, check: &mut Check<'_>) {
        let _ = check;
    }
}

/// A part of the configuration that belongs to one component.
#[derive(Clone, Copy, Debug)]
pub struct Section<'a> {
    /// Path of the section, as in `exporters::otlp/tempo`.
    pub path: &'a str,
    /// What is written there.
    pub node: &'a Node,
}

impl Section<'_> {
    /// A fault that somebody else found at `key`, a path inside the section as in `actions[0].key`; "" is the section
    /// itself. It is shown at the deepest part of the path that is written down.
    pub fn fault(&self, key: &str, message: impl Into<String>, problems: &mut Problems) {
        let found = path::find(self.path, self.node, key);
        problems.error(Some(found.origin), found.path, message);
    }

    /// Reads and checks the section; every fault goes to `problems`, and then there is nothing to use.
    ///
    /// A section with nothing in it is the defaults.
    pub fn settings<C: Settings>(&self, problems: &mut Problems) -> Option<C> {
        let (value, mut faults) = self.read::<C>();
        faults.sort_by_key(|fault| (fault.origin.line, fault.origin.column));
        let mut tainted = Vec::new();
        for fault in faults {
            if let Some(message) = fault.message {
                problems.error(Some(&fault.origin), fault.path.clone(), message);
            }
            tainted.push(fault.path);
            tainted.extend(fault.meant);
        }
        let value = value?;
        let mut check = Check::new(*self, problems, &tainted);
        value.check(&mut check);
        (!check.failed() && tainted.is_empty()).then_some(value)
    }

    /// Checks what follows from this section together with something else; whether it is sound.
    pub fn check(&self, problems: &mut Problems, faults: impl FnOnce(&mut Check<'_>)) -> bool {
        let mut check = Check::new(*self, problems, &[]);
        faults(&mut check);
        !check.failed()
    }

    /// What can be read once every faulty node is passed over, and the faults.
    fn read<C: DeserializeOwned>(&self) -> (Option<C>, Vec<Found>) {
        let mut notes = Notes::default();
        let mut faults: Vec<Found> = Vec::new();
        let trail = Trail::root(self.path);
        let mut value = None;
        for round in 0.. {
            let fault = match C::deserialize(Reader::new(self.node, &trail, &notes)) {
                Ok(read) => {
                    value = Some(read);
                    break;
                }
                Err(fault) => fault.locate(self.node, &trail),
            };
            let (kind, Some(at), pass_over) = fault.into_parts() else { break };
            let (new, pass_over) = judge(kind, &at, pass_over, self.node, &faults);
            faults.extend(new);
            // Nothing to pass over means the section itself; a node that is passed over already cannot help again.
            if !pass_over.is_some_and(|node| notes.excluded.insert(node)) {
                break;
            }
            if round >= ROUNDS_MAX || faults.len() >= FAULTS_MAX {
                faults.push(Found::new(&at, "there are more faults than are shown".to_owned()));
                break;
            }
        }
        let unknown = notes.unknown.into_inner().into_values().map(|key| Found {
            origin: key.origin,
            path: key.path,
            message: Some(key.message),
            meant: key.meant,
        });
        faults.extend(unknown);
        (value, faults)
    }
}

/// A fault as it will be reported.
struct Found {
    origin: Origin,
    path: String,
    /// `None` if it has been reported already.
    message: Option<String>,
    /// The key that was probably meant by an unknown one.
    meant: Option<String>,
}

impl Found {
    fn new(at: &At, message: String) -> Self {
        Self { origin: at.origin.clone(), path: at.path.clone(), message: Some(message), meant: None }
    }
}

/// What to report about a fault, if anything, and which node to pass over from now on.
fn judge(
    kind: Kind,
    at: &At,
    pass_over: Option<usize>,
    root: &Node,
    faults: &[Found],
) -> (Option<Found>, Option<usize>) {
    // With a part of it passed over, what is wrong with the whole may only follow from that.
    let follows = faults.iter().any(|fault| inside(&fault.path, &at.path));
    let found = match kind {
        Kind::Broken => Some(Found { message: None, ..Found::new(at, String::new()) }),
        Kind::Null(_) if pass_over.is_some() => None,
        Kind::Null(wanted) => Some(Found::new(at, format!("expected {wanted}, found nothing"))),
        Kind::Missing(_) | Kind::Message(_) if follows => None,
        Kind::Missing(name) => Some(Found::new(at, format!("missing key {name:?}"))),
        Kind::Message(message) => Some(Found::new(at, message)),
        Kind::Unknown(name, known) => {
            let message = unknown_key(&name, known);
            let Some((key, value)) = by_address(root, at.node).and_then(|node| node.entry(&name)) else {
                return (Some(Found::new(at, format!("{name}: {message}"))), pass_over);
            };
            let inside = |name: &str| format!("{}::{name}", at.path);
            let meant = super::nearest(&name, known.iter().copied()).map(inside);
            let found = Found { origin: key.origin.clone(), path: inside(&name), message: Some(message), meant };
            return (Some(found), Some(address(value)));
        }
    };
    (found, pass_over)
}

/// Whether `path` is `whole` or lies inside of it.
pub(super) fn inside(path: &str, whole: &str) -> bool {
    path.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with("::") || rest.starts_with('['))
}

fn by_address(node: &Node, wanted: usize) -> Option<&Node> {
    if address(node) == wanted {
        return Some(node);
    }
    let in_list = node.items().iter().find_map(|item| by_address(item, wanted));
    in_list.or_else(|| node.entries().iter().find_map(|(_, value)| by_address(value, wanted)))
}

/// For `deserialize_with`: a section that is there, even without a value, is on, as in the Collector.
///
/// # Errors
/// Those of the section.
pub fn present<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<Option<T>, D::Error> {
    Ok(Some(Option::deserialize(from)?.unwrap_or_default()))
}

/// Reads settings from text, as a test or a file of one component's settings does; `source` names it in messages.
///
/// # Errors
/// Every fault.
pub fn from_str<C: Settings>(source: &str, text: &str) -> Result<C, Problems> {
    let mut problems = Problems::default();
    let settings =
        parse(source, text, &mut problems).and_then(|node| Section { path: "", node: &node }.settings(&mut problems));
    settings.ok_or(problems)
}
