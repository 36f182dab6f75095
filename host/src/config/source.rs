//! Where configuration comes from: `file:`, `env:` and `yaml:` URIs, bare paths, and `--set`.

use super::{Environment, merge};
use crate::yaml::{Node, Origin, Problems, Value, parse};

/// The Collector's schemes that are deliberately not here.
const REMOTE: [&str; 2] = ["http", "https"];

/// Reads all sources and merges them in order, the `--set` flags last. `None` if there is nothing to go on with.
pub(super) fn read_all(
    environment: &dyn Environment,
    sources: &[String],
    sets: &[String],
    problems: &mut Problems,
) -> Option<Node> {
    if sources.is_empty() {
        problems.error(None, "", "no configuration: name at least one with --config");
        return None;
    }
    let mut merged: Option<Node> = None;
    let mut readable = true;
    let of_sources = sources.iter().map(|uri| read(environment, uri, problems)).collect::<Vec<_>>();
    let of_sets = sets.iter().map(|set| read_set(set, problems)).collect::<Vec<_>>();
    for tree in of_sources.into_iter().chain(of_sets) {
        let Some(tree) = tree else {
            readable = false;
            continue;
        };
        merged = Some(match merged {
            Some(base) => merge::merge(base, tree),
            None => tree,
        });
    }
    // Without one of its parts everything else would look wrong.
    if readable { merged } else { None }
}

/// A URI taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Location<'a> {
    File(&'a str),
    Env(&'a str),
    Yaml(&'a str),
}

impl<'a> Location<'a> {
    /// `scheme:rest`.
    pub(super) fn parse(uri: &'a str) -> Result<Self, String> {
        let invalid = || format!("{uri:?} is no scheme:value URI");
        let (scheme, rest) = uri.split_once(':').ok_or_else(invalid)?;
        let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '-');
        if scheme.len() < 2 || !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.chars().all(word) {
            return Err(invalid());
        }
        match scheme {
            "file" => Ok(Self::File(rest)),
            "env" => Ok(Self::Env(rest)),
            "yaml" => Ok(Self::Yaml(rest)),
            _ if REMOTE.contains(&scheme) => Err(format!(
                "{uri:?}: configuration over {scheme} is not supported; fetch it into a file, then use file:"
            )),
            _ => Err(format!("{uri:?} has the unknown scheme {scheme:?}; known are file, env and yaml")),
        }
    }

    /// The same, or a bare path.
    fn parse_source(uri: &'a str) -> Result<Self, String> {
        if uri.contains(':') { Self::parse(uri) } else { Ok(Self::File(uri)) }
    }
}

fn read(environment: &dyn Environment, uri: &str, problems: &mut Problems) -> Option<Node> {
    let location = Location::parse_source(uri);
    let text = location.and_then(|location| match location {
        Location::File(path) => Ok((path, environment.file(path)?)),
        Location::Env(name) => {
            let variable = variable(environment, name)?;
            if variable.unset {
                problems.warning(None, uri, "this environment variable is not set, the source is empty");
            }
            Ok((uri, variable.text))
        }
        Location::Yaml(text) => Ok(("yaml:", text.to_owned())),
    });
    let (name, text) = match text {
        Ok(found) => found,
        Err(message) => {
            problems.error(None, "", message);
            return None;
        }
    };
    // "yaml:" needs no second colon in messages.
    let node = parse(name.strip_suffix(':').unwrap_or(name), &text, problems)?;
    tree(node, problems)
}

/// A whole source must be a map; nothing at all is an empty one.
fn tree(node: Node, problems: &mut Problems) -> Option<Node> {
    match node.value {
        Value::Map(_) => Some(merge::nest(node)),
        Value::Null => Some(Node::new(node.origin, Value::Map(Vec::new()))),
        _ => {
            let found = node.describe();
            problems.error(Some(&node.origin), "", format!("a configuration must be a map, found {found}"));
            None
        }
    }
}

/// `a.b.c=value` as a tree; the value is YAML.
fn read_set(set: &str, problems: &mut Problems) -> Option<Node> {
    let Some((key, value)) = set.split_once('=') else {
        problems.error(None, "", format!("--set {set}: write key=value"));
        return None;
    };
    let key = key.trim();
    if key.is_empty() {
        problems.error(None, "", format!("--set {set}: the key is empty"));
        return None;
    }
    let name = format!("--set {key}");
    let node = parse(&name, &format!("value: {}", value.trim()), problems)?;
    let origin = Origin { source: name.into(), line: 0, column: 0 };
    let mut value = node.get("value")?.clone();
    merge::move_to(&mut value, &origin);
    Some(merge::nest_under(&key.replace('.', "::"), value, &origin))
}

/// What an environment variable gives.
pub(super) struct Variable {
    pub(super) text: String,
    /// A default of no characters is text, where an unset variable is nothing.
    pub(super) is_text: bool,
    /// Neither set nor given a default.
    pub(super) unset: bool,
}

/// `NAME` or `NAME:-default`.
pub(super) fn variable(environment: &dyn Environment, name: &str) -> Result<Variable, String> {
    let (name, default) = match name.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (name, None),
    };
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(word) {
        return Err(format!(
            "{name:?} cannot be the name of an environment variable: letters, digits and '_', no digit first"
        ));
    }
    Ok(match (environment.variable(name)?, default) {
        (Some(text), _) => Variable { text, is_text: false, unset: false },
        (None, Some(default)) => Variable { text: default.to_owned(), is_text: default.is_empty(), unset: false },
        (None, None) => Variable { text: String::new(), is_text: false, unset: true },
    })
}
