//! Addresses in networks.

use super::{Call, expected};
use crate::prelude::*;
use crate::{EvalError, Value};
use core::net::IpAddr;

/// Whether an address is in one of several networks, written as `10.0.0.0/8`. What is no address is in none.
pub(super) fn is_in_cidr<'a>(call: &Call<'_, 'a>) -> Result<Value<'a>, EvalError> {
    let text = call.text(0)?;
    let networks = match call.value(1)? {
        Value::List(networks) => networks,
        other => return Err(expected("a list", &other)),
    };
    let Ok(address) = text.parse::<IpAddr>() else { return Ok(Value::Bool(false)) };
    for network in networks.iter() {
        let Value::Text(network) = network else { return Err(expected("a string", &network)) };
        let wrong = || EvalError::new(format!("{network:?} is no network, such as 10.0.0.0/8"));
        let (base, bits) = network.split_once('/').ok_or_else(wrong)?;
        let base: IpAddr = base.parse().map_err(|_| wrong())?;
        let bits: u32 = bits.parse().map_err(|_| wrong())?;
        if bits > if base.is_ipv4() { 32 } else { 128 } {
            return Err(wrong());
        }
        if contains(base.to_canonical(), bits, address.to_canonical()) {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn contains(base: IpAddr, bits: u32, address: IpAddr) -> bool {
    match (base, address) {
        (IpAddr::V4(base), IpAddr::V4(address)) => {
            (base.to_bits() ^ address.to_bits()).checked_shr(32 - bits.min(32)).unwrap_or(0) == 0
        }
        (IpAddr::V6(base), IpAddr::V6(address)) => {
            (base.to_bits() ^ address.to_bits()).checked_shr(128 - bits).unwrap_or(0) == 0
        }
        _ => false,
    }
}
