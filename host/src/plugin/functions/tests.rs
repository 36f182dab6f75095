//! What is kept, and what comes of it.

use super::super::engine::for_compiling;
use super::super::tests::guests;
use super::*;
use crate::plugin::live::Counted;
use crate::plugin::tests::options;
use crate::plugin::{Candidate, CompileSettings, Platform, PlatformSettings, Plugin};
use crate::telemetry::Metrics;

const PLENTY: usize = 64 << 20;

fn compiled(bytes: &[u8], functions: Option<&Arc<Functions>>) -> Vec<u8> {
    for_compiling(false, functions.cloned()).unwrap().precompile_component(bytes).unwrap()
}

/// Of what is asked for in a second compilation of the same code nearly everything is found: at most one in ten is compiled again.
#[track_caller]
fn hardly_compiles(first: Reuse, both: Reuse) {
    let (found, compiled) = (both.found - first.found, both.compiled - first.compiled);
    assert!(first.compiled > 50 && found > compiled * 9, "first {first:?}; then {found} found and {compiled} compiled");
}

/// A second version in which only data differs compiles hardly anything; the machine code is what it is without all this.
#[test]
fn of_new_data_hardly_anything_is_compiled() {
    let functions = Functions::new(PLENTY);
    let (first, second) = (guests::stamped("functions-01"), guests::stamped("functions-02"));
    let code = compiled(&first, Some(&functions));
    assert_eq!(code, compiled(&first, None));
    let once = functions.reuse();
    let code = compiled(&second, Some(&functions));
    assert_eq!(code, compiled(&second, None));
    hardly_compiles(once, functions.reuse());
}

/// Another version of the code finds what is the same in it, here the standard library.
#[test]
fn of_other_code_the_rest_is_found() {
    let functions = Functions::new(PLENTY);
    compiled(&guests::guest("mad-attributes"), Some(&functions));
    let before = functions.reuse();
    let other = guests::guest("mad-processor");
    assert_eq!(compiled(&other, Some(&functions)), compiled(&other, None));
    let Reuse { found, compiled } = functions.reuse();
    assert!(found > before.found && compiled > before.compiled, "{before:?}, then {found} and {compiled}");
}

/// A platform that is told to keeps functions over the versions of a plugin, and its plugins run.
#[test]
fn a_platform_keeps_them() {
    let compile = CompileSettings { functions_bytes: Some(PLENTY), ..CompileSettings::default() };
    let platform = Platform::new(PlatformSettings { compile, ..PlatformSettings::default() });
    let load = |stamp: &str| {
        let counted = Counted { metrics: &Metrics::default(), labels: &[] };
        let candidate = Candidate::new(guests::stamped(stamp));
        Plugin::load_in(&platform, None, &candidate, options("{}"), counted).unwrap();
        platform.compiler().functions().unwrap().reuse()
    };
    let once = load("functions-03");
    hardly_compiles(once, load("functions-04"));
}

/// There is never more than the limit; what was used lately stays, the rest is forgotten.
#[test]
fn the_limit_holds() {
    let functions = Functions::new(20 * (1000 + ENTRY_BYTES));
    let held = || {
        let halves = functions.halves.lock().unwrap();
        let bytes = |half: &Half| half.values().map(|code| code.len() + ENTRY_BYTES).sum::<usize>();
        assert_eq!(halves.newer_bytes, bytes(&halves.newer));
        bytes(&halves.newer) + bytes(&halves.older)
    };
    let key = |number: u32| number.to_le_bytes();
    assert!(functions.insert(&key(0), vec![0; 1000]));
    for number in 1..100 {
        assert!(functions.insert(&key(number), vec![1; 1000]));
        assert_eq!(functions.get(&key(0)).unwrap()[..], [0; 1000], "used each time, after {number} others");
        assert!(held() <= 20 * (1000 + ENTRY_BYTES), "{} after {number}", held());
    }
    assert!(functions.get(&key(1)).is_none(), "not used for long");
    assert!(functions.get(&key(99)).is_some());
    // The same again takes no more room; what is larger than a half is not kept.
    let before = held();
    assert!(functions.insert(&key(99), vec![1; 1000]));
    assert_eq!(held(), before);
    assert!(!functions.insert(&key(1000), vec![1; 11 * 1000]));
}
