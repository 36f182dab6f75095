//! Raw bytes: validation against prost and, if they are valid, everything that is made of them. The first byte chooses the
//! signal, the next 64 the edits and bounds that are tried.
#![no_main]

#[path = "../../tests/oracle/support/mod.rs"]
#[allow(dead_code, reason = "every target uses another part")]
mod support;

use libfuzzer_sys::fuzz_target;
use support::source::Source;
use tailrace_otlp::Signal;

fuzz_target!(|input: &[u8]| {
    let Some((choice, rest)) = input.split_first() else { return };
    let Some((entropy, data)) = rest.split_at_checked(64) else { return };
    let signal = Signal::ALL[usize::from(*choice) % 3];
    support::check::check(signal, data, &mut Source::new(entropy));
});
