//! What the generator makes: spans of a trace, before they become bytes.

use std::borrow::Cow;

/// Text that is mostly a constant.
pub(in crate::cli::demo) type Text = Cow<'static, str>;

/// Who emits a span. Databases are seen through the spans of their clients, as in real systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli::demo) enum Service {
    /// Takes the requests of browsers.
    Frontend,
    /// Shopping carts, in Redis.
    Cart,
    /// Turns a cart into an order, in PostgreSQL.
    Checkout,
    /// Charges cards at a bank.
    Payment,
    /// Products, in PostgreSQL.
    Catalog,
}

impl Service {
    /// All of them.
    pub(in crate::cli::demo) const ALL: [Self; 5] =
        [Self::Frontend, Self::Cart, Self::Checkout, Self::Payment, Self::Catalog];

    /// `service.name`.
    pub(in crate::cli::demo) fn name(self) -> &'static str {
        match self {
            Self::Frontend => "frontend",
            Self::Cart => "cart",
            Self::Checkout => "checkout",
            Self::Payment => "payment",
            Self::Catalog => "catalog",
        }
    }
}

/// The numbers that OTLP gives to `SpanKind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli::demo) enum Kind {
    /// Takes a request.
    Server = 2,
    /// Makes one.
    Client = 3,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli::demo) enum Value {
    /// A string.
    Text(Text),
    /// An integer.
    Int(i64),
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

/// Keys and values, in order.
pub(in crate::cli::demo) type Attributes = Vec<(&'static str, Value)>;

/// What went wrong where it went wrong; becomes an exception event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli::demo) struct Failure {
    /// `exception.type`.
    pub exception: &'static str,
    /// `exception.message`.
    pub message: &'static str,
}

/// How a span ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli::demo) enum End {
    /// Well.
    Fine,
    /// Here is the fault.
    Failed(Failure),
    /// Because something that it called failed.
    CalleeFailed,
}

/// A finished span.
#[derive(Clone, Debug)]
pub(in crate::cli::demo) struct Span {
    /// Who emits it.
    pub service: Service,
    /// Its trace.
    pub trace_id: [u8; 16],
    /// Which of all spans of the run it is; its id follows from that.
    pub number: u64,
    /// The number of its parent.
    pub parent: Option<u64>,
    /// What was done.
    pub name: Text,
    /// From which side.
    pub kind: Kind,
    /// Nanoseconds since 1970.
    pub start_ns: u64,
    /// Nanoseconds since 1970.
    pub end_ns: u64,
    /// Keys and values.
    pub attributes: Attributes,
    /// How it ended.
    pub end: End,
}
