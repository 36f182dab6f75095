//! What paths, literals and functions give.

use crate::EvalError;
use crate::prelude::*;
use tailrace_otlp::Value as Otlp;
use tailrace_otlp::view::{ArrayView, Attributes, KvListView};
use tailrace_otlp::{ResourceView, ScopeView};

/// A value. Texts, bytes, lists and maps of a span are borrowed from it.
#[derive(Clone, Debug, Default)]
pub enum Value<'a> {
    /// None: an attribute that is not there.
    #[default]
    Nil,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// Text.
    Text(Cow<'a, str>),
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
    /// Id of a trace.
    TraceId([u8; 16]),
    /// Id of a span.
    SpanId([u8; 8]),
    /// A point in time, in nanoseconds since 1970.
    Time(i64),
    /// A length of time, in nanoseconds.
    Duration(i64),
    /// A list.
    List(List<'a>),
    /// A map.
    Map(Map<'a>),
}

/// A list: of the span, or made by the condition.
#[derive(Clone, Debug)]
pub enum List<'a> {
    /// The array of an attribute.
    Otlp(ArrayView<'a>),
    /// Made by a function, as an attribute could hold it.
    Stored(Vec<Value<'a>>),
    /// Made by a literal: it may hold anything.
    Made(Vec<Value<'a>>),
    /// The events or links of the span, of which only the number can be known.
    Items(Items),
}

/// Events or links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Items {
    /// Links, or else events.
    pub links: bool,
    /// How many.
    pub count: usize,
}

/// A map: of the span, or made by the condition.
#[derive(Clone, Debug)]
pub enum Map<'a> {
    /// The attributes of a resource.
    Resource(ResourceView<'a>),
    /// The attributes of a scope.
    Scope(ScopeView<'a>),
    /// The attributes of a span or event.
    Attributes(Attributes<'a>),
    /// The map of an attribute.
    Otlp(KvListView<'a>),
    /// Made by a literal.
    Made(Vec<(Cow<'a, str>, Value<'a>)>),
}

impl<'a> Value<'a> {
    /// A value of a span.
    pub(crate) fn of(value: Otlp<'a>) -> Self {
        match value {
            Otlp::Empty => Self::Nil,
            Otlp::String(text) => Self::Text(text.to_str().into()),
            Otlp::Bool(truth) => Self::Bool(truth),
            Otlp::Int(number) => Self::Int(number),
            Otlp::Double(number) => Self::Float(number),
            Otlp::Bytes(bytes) => Self::Bytes(bytes.into()),
            Otlp::Array(array) => Self::List(List::Otlp(array)),
            Otlp::KvList(map) => Self::Map(Map::Otlp(map)),
        }
    }

    /// Makes sure that an attribute could hold it, as [`List::storable`] says.
    pub(crate) fn storable(&self) -> Result<(), EvalError> {
        match self {
            Self::List(list @ List::Made(_)) => list.storable(),
            Self::TraceId(_) | Self::SpanId(_) | Self::Time(_) | Self::Duration(_) | Self::List(_) | Self::Map(_) => {
                Err(EvalError::new(format!("{} cannot be an element here", self.type_name())))
            }
            _ => Ok(()),
        }
    }

    /// Its type, as messages call it.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "a bool",
            Self::Int(_) => "an int",
            Self::Float(_) => "a double",
            Self::Text(_) => "a string",
            Self::Bytes(_) => "bytes",
            Self::TraceId(_) => "a trace id",
            Self::SpanId(_) => "a span id",
            Self::Time(_) => "a time",
            Self::Duration(_) => "a duration",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

impl<'a> List<'a> {
    /// Its elements; none of [`Items`].
    pub fn iter(&self) -> impl Iterator<Item = Value<'a>> + '_ {
        let (otlp, made) = match self {
            Self::Otlp(array) => (Some(*array), None),
            Self::Stored(values) | Self::Made(values) => (None, Some(values)),
            Self::Items(_) => (None, None),
        };
        let otlp = otlp.into_iter().flat_map(|array| array.iter().map(Value::of));
        otlp.chain(made.into_iter().flatten().cloned())
    }

    /// How many elements it has.
    pub fn len(&self) -> usize {
        match self {
            Self::Otlp(array) => array.iter().count(),
            Self::Stored(values) | Self::Made(values) => values.len(),
            Self::Items(items) => items.count,
        }
    }

    /// Whether an attribute holds it, or could.
    pub(crate) fn is_stored(&self) -> bool {
        !matches!(self, Self::Made(_))
    }

    /// Makes sure that an attribute could hold it, which many functions ask for.
    ///
    /// # Errors
    /// A list made by a literal with an element that is stored already, a map or another list, or has a type that no attribute has.
    pub(crate) fn storable(&self) -> Result<(), EvalError> {
        match self {
            Self::Made(values) => values.iter().try_for_each(Value::storable),
            Self::Items(_) => Err(EvalError::new("of events and links only the number can be asked")),
            _ => Ok(()),
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<'a> Map<'a> {
    /// Its entries.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'a, str>, Value<'a>)> + '_ {
        let (mut resource, mut scope, mut attributes, mut made) = (None, None, None, None);
        match self {
            Self::Resource(view) => resource = Some(view.attributes()),
            Self::Scope(view) => scope = Some(view.attributes()),
            Self::Attributes(own) => attributes = Some(own.clone()),
            Self::Otlp(map) => attributes = Some(map.iter()),
            Self::Made(entries) => made = Some(entries),
        }
        let encoded = resource.into_iter().flatten().chain(scope.into_iter().flatten());
        let encoded = encoded.chain(attributes.into_iter().flatten());
        let entry = |entry: tailrace_otlp::KeyValue<'a>| (Cow::from(entry.key.to_str()), Value::of(entry.value));
        encoded.map(entry).chain(made.into_iter().flatten().cloned())
    }

    /// The value with this key; [`Value::Nil`] if there is none.
    pub fn get(&self, key: &str) -> Value<'a> {
        self.find(key).unwrap_or_default()
    }

    /// The value with this key, if there is one: it may be nil.
    pub fn find(&self, key: &str) -> Option<Value<'a>> {
        let named = |entry: &tailrace_otlp::KeyValue<'a>| entry.key == key;
        let encoded = match self {
            Self::Resource(view) => view.attributes().find(named).map(|entry| entry.value),
            Self::Scope(view) => view.attributes().find(named).map(|entry| entry.value),
            Self::Attributes(attributes) => attributes.clone().get(key),
            Self::Otlp(map) => map.iter().get(key),
            Self::Made(entries) => return entries.iter().find(|(own, _)| own == key).map(|(_, value)| value.clone()),
        };
        encoded.map(Value::of)
    }

    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}
