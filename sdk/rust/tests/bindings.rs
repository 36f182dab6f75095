//! The bindings in `sdk/rust/src/guest/bindings/` are what `wit/` gives.
//!
//! They are checked in because making them takes a compiler of WIT, which takes longer to build than everything else that a
//! plugin needs: without it a new plugin is built in seconds. After a change of `wit/`:
//!
//! ```text
//! BLESS=1 cargo test -p tailrace-sdk --test bindings
//! ```
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::{Path, PathBuf};
use wit_bindgen_core::wit_parser::Resolve;
use wit_bindgen_core::{Files, WorldGenerator};
use wit_bindgen_rust::{Opts, WithOption};

/// The interfaces that a plugin exports, one world for each; `lifecycle` brings the imports and the types that all share.
const INTERFACES: [&str; 5] = ["lifecycle", "attributes", "processor", "sampler", "state"];

#[test]
fn the_checked_in_bindings_are_those_of_the_contract() {
    let blesses = std::env::var_os("BLESS").is_some();
    for interface in INTERFACES {
        let file = repository().join("sdk/rust/src/guest/bindings").join(format!("{interface}.rs"));
        let generated = generate(interface);
        if blesses {
            std::fs::write(&file, generated).unwrap();
        } else {
            let found = std::fs::read_to_string(&file).unwrap();
            assert!(found == generated, "{} is out of date: run this test with BLESS=1", file.display());
        }
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What `wit_bindgen::generate!` would have made.
fn generate(interface: &str) -> String {
    let mut resolve = Resolve::default();
    let (contract, _) = resolve.push_path(repository().join("wit")).unwrap();
    let mut with = Vec::new();
    let world = if interface == "lifecycle" {
        resolve.select_world(&[contract], Some("plugin")).unwrap()
    } else {
        let world = format!("{interface}-half");
        let text = format!("package tailrace:sdk; world {world} {{ export tailrace:plugin/{interface}@0.1.0; }}");
        let package = resolve.push_str("inline", &text).unwrap();
        if interface != "state" {
            let types = "crate::guest::lifecycle::bindings::tailrace::plugin::types";
            with.push(("tailrace:plugin/types@0.1.0".to_owned(), WithOption::Path(types.to_owned())));
        }
        resolve.select_world(&[package], Some(&world)).unwrap()
    };
    let options = Opts {
        format: true,
        with,
        pub_export_macro: true,
        default_bindings_module: Some(format!("tailrace_sdk::guest::{interface}::bindings")),
        ..Opts::default()
    };
    let mut files = Files::default();
    options.build().generate(&mut resolve, world, &mut files).unwrap();
    let (_, source) = files.iter().next().unwrap();
    String::from_utf8(source.to_vec()).unwrap()
}
