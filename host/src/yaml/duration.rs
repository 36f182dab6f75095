//! Go's durations: `300ms`, `1.5h`, `2h45m`.

use serde::{Deserialize, Deserializer};
use std::time::Duration;

/// A duration as Go writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct GoDuration(pub Duration);

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("durations are not read yet"))
    }
}
