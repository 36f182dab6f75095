//! The comparison with another collector: the same policies, the same bytes in, and every span that comes out of both.
//!
//! [`policies`] and [`conditions`] make random configurations, [`traces`] random spans that they tell apart, [`encode`] writes
//! them in ways that are unusual and valid, [`peers`] runs both collectors, [`compare`] says where they differ, and [`kept`] knows which differences are meant.

pub mod compare;
pub mod conditions;
pub mod encode;
pub mod kept;
pub mod peers;
pub mod policies;
pub mod traces;
pub mod values;
