//! Why bytes are refused, and where.

use core::fmt;

/// What is wrong with the bytes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A tag, length or value reaches beyond the end of its message.
    Truncated,
    /// A varint is longer than ten bytes or its value does not fit 64 bits.
    Varint,
    /// A tag does not fit 32 bits, or its field number is 0, or its wire type does not exist.
    Tag,
    /// A known field has a wire type that its declaration does not allow.
    WireType,
    /// A group ends that did not start, or is not ended by its own number.
    Group,
    /// Messages are nested deeper than [`Limits::depth`](crate::Limits::depth).
    Depth,
    /// There are more sub-messages than [`Limits::elements`](crate::Limits::elements), or more of those that an index lists than
    /// [`Limits::entries`](crate::Limits::entries).
    Elements,
    /// A string is not UTF-8.
    Utf8,
    /// A trace id is neither 16 bytes long nor empty.
    TraceId,
    /// A span id is neither 8 bytes long nor empty.
    SpanId,
    /// A single value that readers would have to merge (the value of an attribute, the body of a log record,
    /// the data of a metric) is given twice.
    Repeated,
    /// The request is longer than `u32::MAX` bytes.
    TooLarge,
}

impl ErrorKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Truncated => "value reaches beyond its message",
            Self::Varint => "invalid varint",
            Self::Tag => "invalid tag",
            Self::WireType => "wrong wire type",
            Self::Group => "unbalanced group",
            Self::Depth => "messages nested too deep",
            Self::Elements => "too many sub-messages",
            Self::Utf8 => "string is not UTF-8",
            Self::TraceId => "trace id is neither 16 bytes long nor empty",
            Self::SpanId => "span id is neither 8 bytes long nor empty",
            Self::Repeated => "single value given twice",
            Self::TooLarge => "request longer than 4 GiB",
        }
    }
}

/// Bytes that are not a valid OTLP request: what is wrong, in which message and field, and at which offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Error {
    pub(crate) kind: ErrorKind,
    pub(crate) offset: usize,
    pub(crate) message: &'static str,
    pub(crate) field: &'static str,
}

impl Error {
    pub(crate) const fn too_large() -> Self {
        Self { kind: ErrorKind::TooLarge, offset: 0, message: "", field: "" }
    }

    /// What is wrong.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Offset in bytes from the start of the request.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Name of the message in which it was found, such as `Span`; empty if there is none.
    #[must_use]
    pub const fn message(&self) -> &'static str {
        self.message
    }

    /// Name of the field as JSON spells it, such as `traceId`; empty if it is not a known field.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        self.field
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())?;
        match (self.message, self.field) {
            ("", _) => return Ok(()),
            (message, "") => write!(f, " in {message}")?,
            (message, field) => write!(f, " in {message}.{field}")?,
        }
        write!(f, " at byte {}", self.offset)
    }
}

impl core::error::Error for Error {}
