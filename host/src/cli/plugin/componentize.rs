//! From a core module to a component: what `wasm-tools component embed` and `component new` do, without the tool.
//!
//! The WIT files of the contract are part of the binary, so that an author needs nothing but a compiler. A module that was
//! compiled for WASI preview 1 is given an adapter of our own (`componentize/wasi.wat`), with which the component imports
//! nothing but the contract's `host` interface.

use std::fmt::Display;
use wasmparser::{DataKind, Operator, Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{PackageId, Resolve, UnresolvedPackageGroup};

/// Imports of this module are WASI preview 1.
const WASI: &str = "wasi_snapshot_preview1";
/// The adapter, as text with two places to fill in.
const ADAPTER: &str = include_str!("componentize/wasi.wat");
/// What the adapter needs, in WIT.
const ADAPTER_WORLD: &str =
    "package tailrace:wasi-preview1@0.1.0;\nworld adapter { import tailrace:plugin/host@0.1.0; }\n";

/// The contract.
const WIT: &[(&str, &str)] = &[
    ("attributes.wit", include_str!("../../../../wit/attributes.wit")),
    ("host.wit", include_str!("../../../../wit/host.wit")),
    ("lifecycle.wit", include_str!("../../../../wit/lifecycle.wit")),
    ("processor.wit", include_str!("../../../../wit/processor.wit")),
    ("sampler.wit", include_str!("../../../../wit/sampler.wit")),
    ("state.wit", include_str!("../../../../wit/state.wit")),
    ("types.wit", include_str!("../../../../wit/types.wit")),
    ("worlds.wit", include_str!("../../../../wit/worlds.wit")),
];

/// What to do with imports of WASI preview 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli::plugin) enum Wasi {
    /// Give the module a closed world. What it prints is logged piece by piece.
    Closed,
    /// The same for a module of Go's compiler, whose runtime prints a line in many pieces. Go leaves the memory from 4096 to
    /// 12288 to the arguments and environment of a browser's page; here, lines are put together in it.
    ClosedForGo,
}

impl Wasi {
    /// The memory in which lines are put together: where, and how much. The log cuts lines at 4 KiB.
    fn scratch(self) -> (u32, u32) {
        match self {
            Self::Closed => (0, 0),
            Self::ClosedForGo => (4096, 4096),
        }
    }
}

/// Makes a component of a core module that exports what `tailrace:plugin/<kind>` wants: of the world `<kind>-plugin`, or of
/// `stateful-<kind>-plugin` if it exports `state` too.
///
/// # Errors
/// What does not fit: the module lacks an export of the contract, imports what no plugin gets, or is malformed.
pub(in crate::cli::plugin) fn componentize(module: &[u8], kind: &str, wasi: Wasi) -> Result<Vec<u8>, String> {
    let found = Found::in_module(module)?;
    let state = if found.state { "stateful-" } else { "" };
    let (mut resolve, package) = contract()?;
    let world = resolve.select_world(&[package], Some(&format!("{state}{kind}-plugin"))).map_err(fault)?;
    let mut module = module.to_vec();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).map_err(fault)?;
    let mut encoder = ComponentEncoder::default().validate(true).module(&module).map_err(fault)?;
    if found.wasi {
        let (scratch, scratch_len) = wasi.scratch();
        if scratch_len > 0 && found.data_start < u64::from(scratch) + u64::from(scratch_len) {
            return Err(format!(
                "the module keeps data at address {}, where Go's compiler kept none when Tailrace was made: use a \
                 Tailrace that knows this version of Go",
                found.data_start
            ));
        }
        let text =
            ADAPTER.replace("{scratch}", &scratch.to_string()).replace("{scratch_len}", &scratch_len.to_string());
        let mut adapter = wat::parse_str(text).map_err(fault)?;
        let package = resolve.push_source("wasi-preview1.wit", ADAPTER_WORLD).map_err(fault)?;
        let world = resolve.select_world(&[package], Some("adapter")).map_err(fault)?;
        embed_component_metadata(&mut adapter, &resolve, world, StringEncoding::UTF8).map_err(fault)?;
        encoder = encoder.adapter(WASI, &adapter).map_err(fault)?;
    }
    encoder.encode().map_err(fault)
}

/// The contract, parsed.
fn contract() -> Result<(Resolve, PackageId), String> {
    let mut sources = wit_parser::SourceMap::new();
    for (name, text) in WIT {
        sources.push_str(name, *text);
    }
    let group: UnresolvedPackageGroup = sources.parse().map_err(|(_, error)| fault(error))?;
    let mut resolve = Resolve::new();
    let package = resolve.push_group(group).map_err(fault)?;
    Ok((resolve, package))
}

/// An error with its causes, in one line.
fn fault(error: impl Display) -> String {
    format!("{error:#}")
}

/// What there is in a module, as far as it matters here.
#[derive(Debug, Default)]
struct Found {
    /// It imports WASI preview 1.
    wasi: bool,
    /// It exports the interface `state`.
    state: bool,
    /// The lowest address at which it has data.
    data_start: u64,
}

impl Found {
    fn in_module(module: &[u8]) -> Result<Self, String> {
        let mut found = Self { data_start: u64::MAX, ..Self::default() };
        found.read(module).map_err(|error| format!("the compiler made no valid module: {error}"))?;
        Ok(found)
    }

    fn read(&mut self, module: &[u8]) -> wasmparser::Result<()> {
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        self.wasi |= import?.module == WASI;
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        self.state |= export?.name.starts_with("tailrace:plugin/state@");
                    }
                }
                Payload::DataSection(section) => {
                    for data in section {
                        if let DataKind::Active { offset_expr, .. } = data?.kind {
                            let at = match offset_expr.get_operators_reader().read()? {
                                Operator::I32Const { value } => u64::from(value.cast_unsigned()),
                                _ => 0,
                            };
                            self.data_start = self.data_start.min(at);
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
