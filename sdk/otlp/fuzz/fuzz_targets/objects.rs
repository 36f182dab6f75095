//! Objects encoded by prost: edits, split, select, merge and views.
#![no_main]

#[path = "../../tests/oracle/support/mod.rs"]
#[allow(dead_code, reason = "every target uses another part")]
mod support;

use libfuzzer_sys::fuzz_target;
use support::source::Source;
use tailrace_otlp::Signal;

fuzz_target!(|entropy: &[u8]| {
    let mut s = Source::new(entropy);
    let signal = Signal::ALL[s.below(3)];
    let data = support::objects::encoded(signal, &mut s);
    assert!(support::check::check(signal, &data, &mut s));
});
