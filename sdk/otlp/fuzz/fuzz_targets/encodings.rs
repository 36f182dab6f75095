//! Objects in encodings that protobuf allows and no encoder chooses, some of them damaged.
#![no_main]

#[path = "../../tests/oracle/support/mod.rs"]
#[allow(dead_code, reason = "every target uses another part")]
mod support;

use libfuzzer_sys::fuzz_target;
use support::mangle::{damage, mangle};
use support::source::Source;
use tailrace_otlp::{Signal, schema};

fuzz_target!(|entropy: &[u8]| {
    let mut s = Source::new(entropy);
    let signal = Signal::ALL[s.below(3)];
    let data = support::objects::encoded(signal, &mut s);
    let mut data = mangle(&mut s, schema::request(signal), &data);
    if s.one_in(4) {
        damage(&mut s, &mut data);
    }
    support::check::check(signal, &data, &mut s);
});
