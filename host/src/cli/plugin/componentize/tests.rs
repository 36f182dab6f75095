//! Modules written by hand: what becomes of them, and what is refused in words that help.

use super::*;

/// The signatures of a processor; `more` goes in before the functions.
fn processor(more: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
            {more}
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (unreachable))
            (func (export "tailrace:plugin/lifecycle@0.1.0#describe") (result i32) (unreachable))
            (func (export "tailrace:plugin/lifecycle@0.1.0#configure") (param i32 i32) (result i32) (unreachable))
            (func (export "tailrace:plugin/processor@0.1.0#process") (param i32 i32 i32) (result i32) (unreachable)))"#
    );
    wat::parse_str(text).unwrap()
}

/// The names of what a component imports and exports.
fn names(component: &[u8]) -> (Vec<String>, Vec<String>) {
    let (mut imports, mut exports, mut depth) = (Vec::new(), Vec::new(), 0);
    for payload in Parser::new(0).parse_all(component) {
        match payload.unwrap() {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 1 => {
                imports.extend(section.into_iter().map(|import| import.unwrap().name.name.to_owned()));
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                exports.extend(section.into_iter().map(|export| export.unwrap().name.name.to_owned()));
            }
            _ => {}
        }
    }
    (imports, exports)
}

/// Who imports nothing gets a component that imports nothing but types.
#[test]
fn a_module_becomes_a_component() {
    let (imports, exports) = names(&componentize(&processor(""), "processor", Wasi::Closed).unwrap());
    assert!(imports.iter().all(|name| name == "tailrace:plugin/types@0.1.0"), "{imports:?}");
    assert_eq!(exports, ["tailrace:plugin/processor@0.1.0", "tailrace:plugin/lifecycle@0.1.0"]);
}

/// Every function of WASI preview 1 has its counterpart, and none of it is seen outside.
#[test]
fn wasi_ends_at_the_border_of_the_component() {
    let adapter = wat::parse_str(ADAPTER.replace("{scratch}", "0").replace("{scratch_len}", "0")).unwrap();
    let mut types: Vec<String> = Vec::new();
    for payload in Parser::new(0).parse_all(&adapter) {
        if let Payload::ExportSection(section) = payload.unwrap() {
            types.extend(section.into_iter().map(|export| export.unwrap().name.to_owned()));
        }
    }
    types.retain(|name| !name.starts_with("tailrace_"));
    assert_eq!(types.len(), 46, "preview 1 has that many functions: {types:?}");

    let imports = r#"
        (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "clock_time_get" (func (param i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "poll_oneoff" (func (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_open"
            (func (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))"#;
    for wasi in [Wasi::Closed, Wasi::ClosedForGo] {
        let (imports, _) = names(&componentize(&processor(imports), "processor", wasi).unwrap());
        assert!(imports.iter().all(|name| name.starts_with("tailrace:plugin/")), "{imports:?}");
        assert!(imports.iter().any(|name| name == "tailrace:plugin/host@0.1.0"), "{imports:?}");
    }
}

/// What an author forgot is named.
#[test]
fn what_does_not_fit_is_named() {
    let refused = |module: &[u8], kind: &str| componentize(module, kind, Wasi::Closed).unwrap_err();
    let other = refused(&processor(""), "attributes");
    assert!(other.contains("tailrace:plugin/attributes@0.1.0"), "{other}");
    let alien = refused(&processor(r#"(import "env" "getenv" (func))"#), "processor");
    assert!(alien.contains("env"), "{alien}");
    assert!(refused(b"not a module", "processor").contains("no valid module"));
}

/// Lines are put together where Go leaves room. Should a later compiler use that room, the build fails, and not the plugin.
#[test]
fn data_where_lines_go_is_noticed() {
    let import = r#"(import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))"#;
    let at = |address: u32| processor(&format!(r#"{import} (data (i32.const {address}) "x")"#));
    assert!(componentize(&at(8192), "processor", Wasi::ClosedForGo).is_ok());
    let refused = componentize(&at(8191), "processor", Wasi::ClosedForGo).unwrap_err();
    assert!(refused.contains("8191"), "{refused}");
    assert!(componentize(&at(8191), "processor", Wasi::Closed).is_ok());
}

/// A module that exports `state` belongs to another world.
#[test]
fn state_is_found() {
    let state = r#"
        (func (export "tailrace:plugin/state@0.1.0#save") (result i32) (unreachable))
        (func (export "tailrace:plugin/state@0.1.0#restore") (param i32 i32) (result i32) (unreachable))"#;
    let (_, exports) = names(&componentize(&processor(state), "processor", Wasi::Closed).unwrap());
    assert!(exports.iter().any(|name| name == "tailrace:plugin/state@0.1.0"), "{exports:?}");
}
