//! Any bytes as a condition and a request; `tests/property` says what must hold. `sdk/ottl/README.md` says how to run it.
#![no_main]

#[path = "../../tests/property/mod.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    property::check(input);
});
