//! `include` and `exclude`: whether a span, log record or data point has all properties that are asked for.

use crate::settings::{AttributeSettings, Keys, Library, MatchSettings, SeverityNumber};
use actions::settings::Faults;
use actions::{Names, as_otlp, text};
use serde_json::Value as Json;
use std::borrow::Cow;
use tailrace_sdk::{Attribute, Group, Intrinsic, Level, Value, otlp};

/// The attribute of a resource that `services` means.
const SERVICE: &str = "service.name";
/// What the Collector takes for the name of a service that has none.
const NO_SERVICE: &str = "<nil-service-name>";
/// The standard span kinds as `span_kinds` has them, by the numbers of OTLP. A strict match cannot ask for the first.
const KINDS: [&str; 6] = [
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
];

/// Properties that must all match.
#[derive(Debug)]
pub(crate) struct Matcher {
    services: Option<Texts>,
    span_names: Option<Texts>,
    span_kinds: Option<Texts>,
    log_bodies: Option<Texts>,
    log_severity_texts: Option<Texts>,
    log_severity_number: Option<SeverityNumber>,
    metric_names: Option<Texts>,
    attributes: Vec<AttributeMatcher>,
    resources: Vec<AttributeMatcher>,
    libraries: Vec<(Texts, Option<Texts>)>,
}

/// One of several texts.
#[derive(Debug)]
enum Texts {
    Strict(Vec<String>),
    Regexp(Names),
}

/// An attribute that must be there.
#[derive(Debug)]
struct AttributeMatcher {
    key: String,
    value: Wanted,
}

#[derive(Debug)]
enum Wanted {
    Any,
    Same(Json),
    Matching(Names),
}

impl Matcher {
    /// Checks the settings at `path`.
    pub(crate) fn new(path: &str, settings: &MatchSettings, faults: &mut Faults) -> Option<Self> {
        let regexp = match settings.match_type.as_str() {
            "strict" => false,
            "regexp" => true,
            "" => {
                faults.add(&format!("{path}.match_type"), "is required: strict or regexp");
                return None;
            }
            other => {
                faults.add(
                    &format!("{path}.match_type"),
                    format!("{other:?} is no match type; there are strict and regexp"),
                );
                return None;
            }
        };
        let mut reading = Reading { path, regexp, faults };
        if !regexp {
            for (at, kind) in settings.span_kinds.iter().enumerate() {
                if !KINDS.iter().skip(1).any(|known| known == kind) {
                    let known = KINDS.get(1..).unwrap_or_default().join(", ");
                    reading
                        .fault(&format!("span_kinds[{at}]"), &format!("{kind:?} is no span kind; there are {known}"));
                }
            }
        }
        Some(Self {
            services: reading.texts("services", &settings.services),
            span_names: reading.texts("span_names", &settings.span_names),
            span_kinds: reading.texts("span_kinds", &settings.span_kinds),
            log_bodies: reading.texts("log_bodies", &settings.log_bodies),
            log_severity_texts: reading.texts("log_severity_texts", &settings.log_severity_texts),
            log_severity_number: settings.log_severity_number,
            metric_names: reading.texts("metric_names", &settings.metric_names),
            attributes: reading.attributes("attributes", &settings.attributes),
            resources: reading.attributes("resources", &settings.resources),
            libraries: reading.libraries(&settings.libraries),
        })
    }

    /// What has to be seen.
    pub(crate) fn ask(&self, keys: &mut Keys) {
        keys.attributes.extend(self.attributes.iter().map(|attribute| attribute.key.clone()));
        keys.resources.extend(self.resources.iter().map(|attribute| attribute.key.clone()));
        if self.services.is_some() {
            keys.resources.push(SERVICE.to_owned());
        }
        let fields = [
            (self.span_names.is_some(), Intrinsic::SpanName),
            (self.span_kinds.is_some(), Intrinsic::SpanKind),
            (self.log_bodies.is_some(), Intrinsic::LogBody),
            (self.log_severity_texts.is_some(), Intrinsic::LogSeverityText),
            (self.log_severity_number.is_some(), Intrinsic::LogSeverity),
            (self.metric_names.is_some(), Intrinsic::MetricName),
            (!self.libraries.is_empty(), Intrinsic::ScopeName),
            (self.libraries.iter().any(|(_, version)| version.is_some()), Intrinsic::ScopeVersion),
        ];
        keys.fields.extend(fields.into_iter().filter(|(asked, _)| *asked).map(|(_, field)| field));
    }

    /// Whether this span, log record or data point has all of the properties.
    pub(crate) fn matches(&mut self, group: &Group<'_>) -> bool {
        let field = |wanted| group.iter().map(|(_, one)| one).find(|one| one.intrinsic() == Some(wanted));
        let field_text = |wanted| field(wanted).map_or(Cow::Borrowed(""), |one| text_of(&one.value));
        let number = |wanted| field(wanted).and_then(|one| one.value.as_int()).unwrap_or_default();
        if let Some(services) = &mut self.services {
            let service = group.of_resource(SERVICE).map_or(Cow::Borrowed(NO_SERVICE), |one| text_of(&one.value));
            if !services.matches(&service) {
                return false;
            }
        }
        let fields = [
            (&mut self.span_names, Intrinsic::SpanName),
            (&mut self.log_bodies, Intrinsic::LogBody),
            (&mut self.log_severity_texts, Intrinsic::LogSeverityText),
        ];
        for (texts, wanted) in fields {
            if texts.as_mut().is_some_and(|texts| !texts.matches(&field_text(wanted))) {
                return false;
            }
        }
        if let Some(kinds) = &mut self.span_kinds {
            let kind = usize::try_from(number(Intrinsic::SpanKind)).ok().and_then(|kind| KINDS.get(kind));
            if !kinds.matches(kind.copied().unwrap_or_default()) {
                return false;
            }
        }
        if let Some(severity) = self.log_severity_number {
            let matches = match number(Intrinsic::LogSeverity) {
                0 => severity.match_undefined,
                number => number >= severity.min,
            };
            if !matches {
                return false;
            }
        }
        if let Some(names) = &mut self.metric_names {
            let name = group.of_metric(Intrinsic::MetricName.name()).and_then(|one| one.value.as_str());
            if !names.matches(name.unwrap_or_default()) {
                return false;
            }
        }
        let of_scope = |field: Intrinsic| group.of_scope(field.name()).and_then(|one| one.value.as_str());
        for (name, version) in &mut self.libraries {
            let version_matches =
                |version: &mut Texts| version.matches(of_scope(Intrinsic::ScopeVersion).unwrap_or_default());
            if !name.matches(of_scope(Intrinsic::ScopeName).unwrap_or_default())
                || !version.as_mut().is_none_or(version_matches)
            {
                return false;
            }
        }
        let own = |key: &str| {
            let here = |one: &Attribute<'_>| one.level == Level::Item && one.intrinsic().is_none() && one.key() == key;
            group.iter().map(|(_, one)| one).find(here)
        };
        self.resources.iter_mut().all(|wanted| wanted.matches(group.of_resource(&wanted.key)))
            && self.attributes.iter_mut().all(|wanted| wanted.matches(own(&wanted.key)))
    }
}

impl Texts {
    fn matches(&mut self, text: &str) -> bool {
        match self {
            Self::Strict(texts) => texts.iter().any(|one| one == text),
            Self::Regexp(names) => names.matches(text),
        }
    }
}

impl AttributeMatcher {
    fn matches(&mut self, attribute: Option<Attribute<'_>>) -> bool {
        let Some(attribute) = attribute else { return false };
        match (&mut self.value, attribute.value) {
            (Wanted::Any, _) => true,
            (Wanted::Same(json), value) => same(json, &as_otlp(&value)),
            // Bytes, arrays, maps and missing values match no expression.
            (Wanted::Matching(_), Value::Empty | Value::Bytes(_) | Value::Nested(_)) => false,
            (Wanted::Matching(names), Value::Double(number)) => names.matches(&plain(number)),
            (Wanted::Matching(names), value) => names.matches(&text_of(&value)),
        }
    }
}

/// A number without an exponent, whatever its size.
fn plain(number: f64) -> String {
    match number {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        number => number.to_string(),
    }
}

fn text_of<'a>(value: &Value<'a>) -> Cow<'a, str> {
    text::of(&as_otlp(value))
}

/// Whether a value has the type and the content of one of the settings.
fn same(json: &Json, value: &otlp::Value<'_>) -> bool {
    use otlp::Value as Otlp;
    match (json, value) {
        (Json::String(wanted), Otlp::String(text)) => text == wanted.as_str(),
        (Json::Bool(wanted), Otlp::Bool(truth)) => wanted == truth,
        (Json::Number(wanted), Otlp::Int(number)) => wanted.as_i64() == Some(*number),
        (Json::Number(wanted), Otlp::Double(number)) => wanted.is_f64() && wanted.as_f64() == Some(*number),
        (Json::Array(wanted), Otlp::Array(array)) => {
            wanted.len() == array.iter().count() && wanted.iter().zip(array.iter()).all(|(one, item)| same(one, &item))
        }
        (Json::Object(wanted), Otlp::KvList(list)) => {
            let there = |(key, one): (&String, &Json)| list.iter().get(key).is_some_and(|item| same(one, &item));
            wanted.len() == list.iter().count() && wanted.iter().all(there)
        }
        _ => false,
    }
}

/// The settings at `path` being checked.
struct Reading<'r> {
    path: &'r str,
    regexp: bool,
    faults: &'r mut Faults,
}

impl Reading<'_> {
    fn fault(&mut self, key: &str, message: &str) {
        self.faults.add(&format!("{}.{key}", self.path), message);
    }

    fn names(&mut self, key: &str, patterns: &[String], place: impl Fn(usize) -> String) -> Option<Names> {
        let compiled = Names::compile(patterns);
        compiled.map_err(|(at, error)| self.fault(&format!("{key}{}", place(at)), &error)).ok()
    }

    fn texts(&mut self, key: &str, texts: &[String]) -> Option<Texts> {
        match (texts, self.regexp) {
            ([], _) => None,
            (_, false) => Some(Texts::Strict(texts.to_vec())),
            (_, true) => self.names(key, texts, |at| format!("[{at}]")).map(Texts::Regexp),
        }
    }

    fn attributes(&mut self, list: &str, settings: &[AttributeSettings]) -> Vec<AttributeMatcher> {
        let mut matchers = Vec::new();
        for (at, AttributeSettings { key, value }) in settings.iter().enumerate() {
            if key.is_empty() {
                self.fault(&format!("{list}[{at}].key"), "is required");
            }
            let value = match (value, self.regexp) {
                (None, _) => Some(Wanted::Any),
                (Some(value), false) => Some(Wanted::Same(value.clone())),
                (Some(Json::String(pattern)), true) => {
                    let place = format!("{list}[{at}].value");
                    self.names(&place, std::slice::from_ref(pattern), |_| String::new()).map(Wanted::Matching)
                }
                (Some(_), true) => {
                    self.fault(&format!("{list}[{at}].value"), "must be text with match_type regexp");
                    None
                }
            };
            matchers.extend(value.map(|value| AttributeMatcher { key: key.clone(), value }));
        }
        matchers
    }

    fn libraries(&mut self, settings: &[Library]) -> Vec<(Texts, Option<Texts>)> {
        let mut libraries = Vec::new();
        for (at, Library { name, version }) in settings.iter().enumerate() {
            let mut one = |key: &str, text: &String| match self.regexp {
                false => Some(Texts::Strict(vec![text.clone()])),
                true => {
                    let place = format!("libraries[{at}].{key}");
                    self.names(&place, std::slice::from_ref(text), |_| String::new()).map(Texts::Regexp)
                }
            };
            let (name, version) = (one("name", name), version.as_ref().and_then(|version| one("version", version)));
            libraries.extend(name.map(|name| (name, version)));
        }
        libraries
    }
}
