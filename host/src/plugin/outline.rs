//! What a component imports and exports, read from the file without compiling it: for tools, which should not need twenty
//! seconds to say that a file is of another world.

use super::contract::{self, Role};
use super::error::LoadError;
use wasmparser::{Parser, Payload};

/// What a file is, as far as it can be told without running it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// Names of what it imports.
    pub imports: Vec<String>,
    /// Names of what it exports.
    pub exports: Vec<String>,
}

impl Outline {
    /// Reads a component.
    ///
    /// # Errors
    /// If it is no component, with the fix.
    pub fn read(bytes: &[u8]) -> Result<Self, LoadError> {
        contract::check_header(bytes)?;
        let damaged = |error| LoadError(format!("it is damaged or not valid WebAssembly: {error}"));
        let mut outline = Self::default();
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(damaged)? {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(imports) if depth == 0 => {
                    for import in imports {
                        outline.imports.push(import.map_err(damaged)?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(exports) if depth == 0 => {
                    for export in exports {
                        outline.exports.push(export.map_err(damaged)?.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(outline)
    }

    /// The interfaces of the contract that it exports: name and version.
    pub fn interfaces(&self) -> Vec<(&str, &str)> {
        self.exports.iter().filter_map(|name| contract::ours(name)).collect()
    }

    /// The version of the contract that it was built with, if this host speaks it.
    ///
    /// # Errors
    /// What is wrong with it, with the fix.
    pub fn contract(&self) -> Result<&str, LoadError> {
        contract::interfaces(&self.exports)?;
        self.interfaces()
            .first()
            .map(|(_, version)| *version)
            .ok_or_else(|| LoadError::new("it exports nothing of ours"))
    }

    /// What it is used for, and the interface that is called then.
    ///
    /// # Errors
    /// What is wrong with it, with the fix.
    pub fn role(&self) -> Result<(Role, &'static str), LoadError> {
        let interfaces = contract::interfaces(&self.exports)?;
        let role = if interfaces.sampler && !interfaces.attributes && !interfaces.processor {
            Role::Traces
        } else {
            Role::Batches
        };
        Ok((role, interfaces.kind(role)?.as_str()))
    }
}
