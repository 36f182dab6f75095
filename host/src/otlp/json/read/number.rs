//! Numbers: what JSON may say, and what protobuf has for it.

use serde::de::Unexpected;
use tailrace_otlp::schema::Kind;

/// A number as JSON has it.
#[derive(Clone, Copy)]
pub(super) enum Number {
    Bool(bool),
    Int(i128),
    Float(f64),
}

impl Number {
    pub(super) fn unexpected(self) -> Unexpected<'static> {
        match self {
            Self::Bool(value) => Unexpected::Bool(value),
            Self::Float(value) => Unexpected::Float(value),
            Self::Int(value) => match i64::try_from(value) {
                Ok(value) => Unexpected::Signed(value),
                Err(_) => Unexpected::Unsigned(value as u64),
            },
        }
    }

    /// From a string, where OTLP allows one.
    pub(super) fn parse(text: &str, kind: Kind) -> Option<Self> {
        match (kind, text) {
            (Kind::Double | Kind::Float, "NaN") => return Some(Self::Float(f64::NAN)),
            (Kind::Double | Kind::Float, "Infinity") => return Some(Self::Float(f64::INFINITY)),
            (Kind::Double | Kind::Float, "-Infinity") => return Some(Self::Float(f64::NEG_INFINITY)),
            _ => {}
        }
        if let Ok(int) = text.parse::<i128>() {
            return Some(Self::Int(int));
        }
        // Rust also reads "inf" and "nan", which JSON's mapping does not have.
        let digits = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
        text.parse().ok().filter(|_| digits).map(Self::Float)
    }

    /// As an integer, if it is one: protobuf allows `1.0` and `1e3`.
    fn to_int(self) -> Option<i128> {
        /// Beyond this not every integer is a double, and a fraction would have been lost already.
        const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
        match self {
            Self::Int(value) => Some(value),
            Self::Float(value) if value.fract() == 0.0 && value.abs() <= EXACT_MAX => Some(value as i128),
            _ => None,
        }
    }

    /// The bits of the value on the wire; `None` if it is of another type or out of range.
    pub(super) fn to_raw(self, kind: Kind) -> Option<u64> {
        match kind {
            Kind::Bool => match self {
                Self::Bool(value) => Some(value.into()),
                _ => None,
            },
            Kind::Int32 | Kind::Enum => i32::try_from(self.to_int()?).ok().map(|value| i64::from(value) as u64),
            Kind::Sint32 => {
                i32::try_from(self.to_int()?).ok().map(|value| u64::from(((value << 1) ^ (value >> 31)) as u32))
            }
            Kind::Uint32 | Kind::Fixed32 => u32::try_from(self.to_int()?).ok().map(u64::from),
            Kind::Int64 | Kind::Sfixed64 => i64::try_from(self.to_int()?).ok().map(|value| value as u64),
            Kind::Uint64 | Kind::Fixed64 => u64::try_from(self.to_int()?).ok(),
            Kind::Double => self.to_float().map(f64::to_bits),
            Kind::Float => self.to_float().map(|value| u64::from((value as f32).to_bits())),
            Kind::Message(_) | Kind::String | Kind::Bytes | Kind::Id(_) => None,
        }
    }

    fn to_float(self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(value),
            Self::Int(value) => Some(value as f64),
            Self::Bool(_) => None,
        }
    }
}
