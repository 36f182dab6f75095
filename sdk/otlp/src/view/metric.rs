//! Metrics and their data points.

use super::{Attributes, Str, fixed64, id, maybe_fixed64, messages, string, varint};
use crate::index::MetricKind;
use crate::wire::{Fields, Wire};

/// A `Metric` message.
#[derive(Clone, Copy, Debug)]
pub struct MetricView<'a>(&'a [u8]);

impl<'a> MetricView<'a> {
    /// From the payload of the message ([`Metric::range`](crate::Metric::range)).
    #[must_use]
    pub const fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    /// The payload.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Name.
    #[must_use]
    pub fn name(self) -> Str<'a> {
        string(self.0, 1)
    }

    /// Description.
    #[must_use]
    pub fn description(self) -> Str<'a> {
        string(self.0, 2)
    }

    /// Unit in UCUM.
    #[must_use]
    pub fn unit(self) -> Str<'a> {
        string(self.0, 3)
    }

    /// Metadata attributes.
    #[must_use]
    pub fn metadata(self) -> Attributes<'a> {
        Attributes::new(self.0, 12)
    }

    /// What kind of data it holds.
    #[must_use]
    pub fn kind(self) -> MetricKind {
        self.data().0
    }

    /// Kind and payload of the `Gauge`, `Sum` ... message.
    fn data(self) -> (MetricKind, &'a [u8]) {
        let data = |field: crate::wire::Field<'a>| Some((MetricKind::from_field(field.number)?, field.bytes()?));
        Fields::new(self.0).filter_map(data).last().unwrap_or_default()
    }

    /// Temporality as a number: 1 delta, 2 cumulative. 0 for gauges and summaries.
    #[must_use]
    pub fn aggregation_temporality(self) -> i32 {
        match self.data() {
            (MetricKind::Sum | MetricKind::Histogram | MetricKind::ExponentialHistogram, data) => {
                varint(data, 2) as i32
            }
            _ => 0,
        }
    }

    /// Whether it is a sum that never falls.
    #[must_use]
    pub fn is_monotonic(self) -> bool {
        matches!(self.data(), (MetricKind::Sum, data) if varint(data, 3) != 0)
    }

    /// Data points.
    pub fn data_points(self) -> impl Iterator<Item = DataPointView<'a>> + Clone {
        let (kind, data) = self.data();
        messages(data, 1).map(move |point| DataPointView::new(kind, point))
    }
}

/// The four shapes of data points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataPointKind {
    /// `NumberDataPoint`, of gauges and sums.
    Number,
    /// `HistogramDataPoint`.
    Histogram,
    /// `ExponentialHistogramDataPoint`.
    ExponentialHistogram,
    /// `SummaryDataPoint`.
    Summary,
}

impl DataPointKind {
    /// The shape of the data points of a metric.
    #[must_use]
    pub const fn of(kind: MetricKind) -> Self {
        match kind {
            MetricKind::Empty | MetricKind::Gauge | MetricKind::Sum => Self::Number,
            MetricKind::Histogram => Self::Histogram,
            MetricKind::ExponentialHistogram => Self::ExponentialHistogram,
            MetricKind::Summary => Self::Summary,
        }
    }

    /// Field number of the attributes.
    pub(crate) const fn attributes(self) -> u32 {
        match self {
            Self::Number | Self::Summary => 7,
            Self::Histogram => 9,
            Self::ExponentialHistogram => 1,
        }
    }

    /// Field number of the exemplars, 0 if there are none.
    pub(crate) const fn exemplars(self) -> u32 {
        match self {
            Self::Number => 5,
            Self::Histogram => 8,
            Self::ExponentialHistogram => 11,
            Self::Summary => 0,
        }
    }

    const fn flags(self) -> u32 {
        match self {
            Self::Number | Self::Summary => 8,
            Self::Histogram | Self::ExponentialHistogram => 10,
        }
    }
}

/// The value of a number data point or an exemplar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A double.
    Double(f64),
    /// An integer.
    Int(i64),
}

/// A data point of any shape.
#[derive(Clone, Copy, Debug)]
pub struct DataPointView<'a> {
    kind: DataPointKind,
    message: &'a [u8],
}

impl<'a> DataPointView<'a> {
    /// From the payload of the message ([`Index::item`](crate::Index::item)) and the kind of its metric.
    #[must_use]
    pub const fn new(kind: MetricKind, message: &'a [u8]) -> Self {
        Self { kind: DataPointKind::of(kind), message }
    }

    /// The payload.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.message
    }

    /// Its shape.
    #[must_use]
    pub const fn kind(self) -> DataPointKind {
        self.kind
    }

    /// Start of the interval, in nanoseconds since 1970; 0 if unknown.
    #[must_use]
    pub fn start_time_unix_nano(self) -> u64 {
        fixed64(self.message, 2)
    }

    /// Time of the value, in nanoseconds since 1970.
    #[must_use]
    pub fn time_unix_nano(self) -> u64 {
        fixed64(self.message, 3)
    }

    /// Attributes.
    #[must_use]
    pub fn attributes(self) -> Attributes<'a> {
        Attributes::new(self.message, self.kind.attributes())
    }

    /// Flags; bit 0 says that there is no recorded value.
    #[must_use]
    pub fn flags(self) -> u32 {
        varint(self.message, self.kind.flags()) as u32
    }

    /// Value of a number data point; `None` for the other shapes, or if it has none.
    #[must_use]
    pub fn value(self) -> Option<Number> {
        if self.kind != DataPointKind::Number {
            return None;
        }
        number(self.message, 4, 6)
    }

    /// Count of the observations; 0 for number data points.
    #[must_use]
    pub fn count(self) -> u64 {
        if self.kind == DataPointKind::Number { 0 } else { fixed64(self.message, 4) }
    }

    /// Sum of the observations. `None` for number data points, or if it is not given; a summary's sum is always given.
    #[must_use]
    pub fn sum(self) -> Option<f64> {
        match self.kind {
            DataPointKind::Number => None,
            DataPointKind::Summary => Some(f64::from_bits(fixed64(self.message, 5))),
            _ => maybe_fixed64(self.message, 5).map(f64::from_bits),
        }
    }

    /// Exemplars.
    pub fn exemplars(self) -> impl Iterator<Item = ExemplarView<'a>> + Clone {
        messages(self.message, self.kind.exemplars()).map(ExemplarView)
    }
}

/// An `Exemplar` message.
#[derive(Clone, Copy, Debug)]
pub struct ExemplarView<'a>(&'a [u8]);

impl<'a> ExemplarView<'a> {
    /// From the payload of the message.
    #[must_use]
    pub const fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    /// Attributes that the aggregation left out.
    #[must_use]
    pub fn filtered_attributes(self) -> Attributes<'a> {
        Attributes::new(self.0, 7)
    }

    /// When it was recorded, in nanoseconds since 1970.
    #[must_use]
    pub fn time_unix_nano(self) -> u64 {
        fixed64(self.0, 2)
    }

    /// The value, if it has one.
    #[must_use]
    pub fn value(self) -> Option<Number> {
        number(self.0, 3, 6)
    }

    /// Id of the span that was active. `None` if absent, empty or all zero.
    #[must_use]
    pub fn span_id(self) -> Option<&'a [u8; 8]> {
        id(self.0, 4)
    }

    /// Id of the trace that was active. `None` if absent, empty or all zero.
    #[must_use]
    pub fn trace_id(self) -> Option<&'a [u8; 16]> {
        id(self.0, 5)
    }
}

/// The last of the fields `double` and `int`.
fn number(message: &[u8], double: u32, int: u32) -> Option<Number> {
    let value = |field: crate::wire::Field<'_>| match field.wire {
        Wire::Fixed64(bits) if field.number == double => Some(Number::Double(f64::from_bits(bits))),
        Wire::Fixed64(bits) if field.number == int => Some(Number::Int(bits.cast_signed())),
        _ => None,
    };
    Fields::new(message).filter_map(value).last()
}
