//! The list of actions: its settings, and the rules that the Collector has for them.

use crate::convert::{Type, from_settings};
use crate::settings::Faults;
use crate::{Names, pattern};
use serde::Deserialize;
use serde_json::Value as Json;
use tailrace_sdk::NewValue;
use tailrace_sdk::patterns::Patterns;

/// One action as the operator writes it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ActionSettings {
    /// The attribute that it is about.
    pub key: String,
    /// What is done: insert, update, upsert, delete, hash, extract, convert, in any case.
    pub action: String,
    /// The value that is set.
    pub value: Option<Json>,
    /// The attribute whose value is set.
    pub from_attribute: String,
    /// Refused: a plugin does not see the request that brought the data.
    pub from_context: String,
    /// The value that is set if there is no other.
    pub default_value: Option<Json>,
    /// delete, hash: which keys besides `key`. extract: what is taken out of the value.
    pub pattern: String,
    /// convert: string, int or double.
    pub converted_type: String,
}

/// Actions, checked. [`Actions::apply`] runs them.
#[derive(Debug)]
pub struct Actions(pub(crate) Vec<Action>);

#[derive(Debug)]
pub(crate) enum Action {
    Put { key: String, when: When, source: Source },
    Delete { which: Which },
    Hash { which: Which },
    Extract { key: String, pattern: Patterns, names: Vec<String> },
    Convert { key: String, to: Type },
}

/// When a value is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// The attribute is not there.
    Absent,
    /// It is there.
    Present,
    Always,
}

/// Where the value comes from: the first of these that there is.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) value: Option<NewValue>,
    pub(crate) from: Option<String>,
    pub(crate) default: Option<NewValue>,
}

/// Attributes with this key, and those whose key the expression matches.
#[derive(Debug)]
pub(crate) struct Which {
    pub(crate) key: String,
    pub(crate) pattern: Option<Names>,
}

impl Actions {
    /// Checks the list at `path` of the settings.
    ///
    /// # Errors
    /// Every fault, a line each, behind the path of its key.
    pub fn new(path: &str, settings: &[ActionSettings]) -> Result<Self, String> {
        let mut faults = Faults::default();
        if settings.is_empty() {
            faults.add(path, "name at least one action");
        }
        let checked: Vec<_> = (0..)
            .zip(settings)
            .filter_map(|(at, action): (usize, _)| {
                Reading { path: format!("{path}[{at}]"), settings: action, faults: &mut faults }.action()
            })
            .collect();
        faults.into_result().map(|()| Self(checked))
    }

    /// The keys of all attributes that the actions read or write, for the interest; `*` stands for all.
    pub fn keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        for action in &self.0 {
            match action {
                Action::Put { key, source, .. } => {
                    keys.push(key.clone());
                    keys.extend(source.from.clone());
                }
                Action::Delete { which } | Action::Hash { which } => match which.pattern {
                    Some(_) => keys.push("*".to_owned()),
                    None => keys.push(which.key.clone()),
                },
                Action::Extract { key, names, .. } => {
                    keys.push(key.clone());
                    keys.extend(names.iter().cloned());
                }
                Action::Convert { key, .. } => keys.push(key.clone()),
            }
        }
        if keys.iter().any(|key| key == "*") {
            return vec!["*".to_owned()];
        }
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// Whether an action can add an attribute where there is none that it reads.
    pub fn add_out_of_nothing(&self) -> bool {
        self.0.iter().any(|action| match action {
            Action::Put { when, source, .. } => {
                *when != When::Present && (source.value.is_some() || source.default.is_some())
            }
            _ => false,
        })
    }
}

/// One action being checked.
struct Reading<'r> {
    path: String,
    settings: &'r ActionSettings,
    faults: &'r mut Faults,
}

impl Reading<'_> {
    fn action(&mut self) -> Option<Action> {
        let ActionSettings { key, action, pattern, .. } = self.settings;
        let action = action.to_lowercase();
        if !self.settings.from_context.is_empty() {
            let reason = "is not supported: a plugin sees the telemetry, not the request that brought it (its headers, \
                          its authentication, the client's address)";
            self.fault("from_context", reason);
        }
        let needs_key = !matches!(&*action, "delete" | "hash");
        if key.is_empty() && (needs_key || pattern.is_empty()) {
            let what = if needs_key { "is required" } else { "is required, or `pattern`" };
            self.fault("key", what);
        }
        match &*action {
            "insert" => self.put(When::Absent),
            "update" => self.put(When::Present),
            "upsert" => self.put(When::Always),
            "delete" => Some(Action::Delete { which: self.which()? }),
            "hash" => Some(Action::Hash { which: self.which()? }),
            "extract" => self.extract(),
            "convert" => self.convert(),
            "" => {
                self.fault("action", "is required: insert, update, upsert, delete, hash, extract or convert");
                None
            }
            _ => {
                let known = "insert, update, upsert, delete, hash, extract and convert";
                self.fault("action", &format!("{:?} is no action; there are {known}", self.settings.action));
                None
            }
        }
    }

    fn fault(&mut self, key: &str, message: &str) {
        self.faults.add(&format!("{}.{key}", self.path), message);
    }

    /// These keys are not for this action.
    fn refuse(&mut self, keys: &[&str]) {
        let settings = self.settings;
        for key in keys {
            let set = match *key {
                "value" => settings.value.is_some(),
                "default_value" => settings.default_value.is_some(),
                "from_attribute" => !settings.from_attribute.is_empty(),
                "pattern" => !settings.pattern.is_empty(),
                _ => !settings.converted_type.is_empty(),
            };
            if set {
                self.fault(key, &format!("is not used by the action {:?}", settings.action));
            }
        }
    }

    fn put(&mut self, when: When) -> Option<Action> {
        self.refuse(&["pattern", "converted_type"]);
        let settings = self.settings;
        let from = Some(settings.from_attribute.clone()).filter(|key| !key.is_empty());
        if settings.value.is_some() && from.is_some() {
            self.fault("from_attribute", "cannot be used together with `value`");
        }
        let sources = settings.value.is_some() || from.is_some() || settings.default_value.is_some();
        if !sources && settings.from_context.is_empty() {
            self.faults.add(&self.path, "needs `value`, `from_attribute` or `default_value`");
        }
        let value = self.value("value", settings.value.as_ref());
        let default = self.value("default_value", settings.default_value.as_ref());
        Some(Action::Put { key: settings.key.clone(), when, source: Source { value, from, default } })
    }

    fn value(&mut self, key: &str, json: Option<&Json>) -> Option<NewValue> {
        json.and_then(|json| from_settings(json).map_err(|error| self.fault(key, &error)).ok())
    }

    fn which(&mut self) -> Option<Which> {
        self.refuse(&["value", "from_attribute", "default_value", "converted_type"]);
        let ActionSettings { key, pattern, .. } = self.settings;
        let pattern = match pattern.is_empty() {
            true => None,
            false => Some(Names::compile(&[pattern]).map_err(|(_, error)| self.fault("pattern", &error)).ok()?),
        };
        Some(Which { key: key.clone(), pattern })
    }

    fn extract(&mut self) -> Option<Action> {
        self.refuse(&["value", "from_attribute", "default_value", "converted_type"]);
        let ActionSettings { key, pattern, .. } = self.settings;
        if pattern.is_empty() {
            self.fault("pattern", "is required by the action \"extract\"");
            return None;
        }
        let compiled = pattern::compile(&[pattern]).map_err(|(_, error)| self.fault("pattern", &error)).ok()?;
        let names: Vec<_> = compiled.names(0).into_iter().skip(1).collect();
        if names.is_empty() {
            self.fault("pattern", "has no named group, as in (?P<attribute>...)");
        } else if names.iter().any(String::is_empty) {
            self.fault(
                "pattern",
                "has a group without a name: write (?P<attribute>...), or (?:...) for what is not kept",
            );
        }
        Some(Action::Extract { key: key.clone(), pattern: compiled, names })
    }

    fn convert(&mut self) -> Option<Action> {
        self.refuse(&["value", "from_attribute", "default_value", "pattern"]);
        let ActionSettings { key, converted_type, .. } = self.settings;
        let to = Type::named(converted_type);
        if to.is_none() {
            let message = match converted_type.is_empty() {
                true => "is required by the action \"convert\": string, int or double".to_owned(),
                false => format!("{converted_type:?} is no type; there are string, int and double"),
            };
            self.fault("converted_type", &message);
        }
        Some(Action::Convert { key: key.clone(), to: to? })
    }
}
