//! Python at every save: componentize-py makes a component without the author's modules once, and they are put into it again and again.
//!
//! componentize-py compiles all of CPython at each run, to load the plugin in it once; that is nearly all of the time it takes. So
//! for `tailrace plugin dev` it makes a [`Template`]: CPython with the SDK and with everything that the plugin imports. The author's modules are handed to
//! it as text; it loads them as they would be loaded in componentize-py, and is then the plugin. A template is made anew when what the
//! plugin imports, the SDK or a package is another.
//!
//! What it is not good for (a plugin that reads files when it is loaded, for instance) componentize-py does: so does
//! `tailrace plugin build`, always.

use super::super::{Failure, Kept, KeptTemplate, interpreted};
use super::{MISSING, Script, TOOL};
use crate::cli::plugin::project::Project;
use crate::plugin::Template;
use serde::Deserialize;
use std::path::Path;

/// The part of the SDK that takes modules in; projects of older versions are without.
const TAKES_IN: &str = "tailrace/_modules.py";

/// What a plugin consists of: what `python -m tailrace.build parts` writes.
#[derive(Deserialize)]
struct Parts {
    /// What a template for it is made of.
    template: String,
    /// The author's modules, as the template takes them in.
    modules: String,
}

/// The component; nothing if this is no way to make it.
pub(super) fn build(project: &Project, note: &dyn Fn(&str), kept: &mut Kept) -> Result<Option<Vec<u8>>, Failure> {
    let script = Script::of(project)?;
    if !script.sdk.join(TAKES_IN).is_file() {
        return Ok(None);
    }
    let scratch = interpreted::scratch(project)?;
    let file = scratch.file("parts.json");
    let mut command = script.command(project);
    command.arg("parts").arg(&project.dir).arg(project.kind.as_str()).arg(&file);
    interpreted::run(project, command, MISSING)?;
    let parts = interpreted::read(&file, TOOL)?;
    let parts: Parts = serde_json::from_slice(&parts)
        .map_err(|error| Failure::Compile(format!("what tailrace.build says of the plugin: {error}")))?;
    if kept.0.as_ref().is_none_or(|kept| kept.key != parts.template) {
        note("CPython takes in what the plugin imports, about 10 s");
        // Room for the new one first.
        kept.0 = None;
        let template = template(project, &script, &file, &scratch.file("template.wasm")).map(Template::new).ok();
        kept.0 = Some(KeptTemplate { key: parts.template, template });
    }
    let Some(template) = kept.0.as_ref().and_then(|kept| kept.template.as_ref()) else { return Ok(None) };
    note("CPython takes the plugin in");
    // What is wrong with the plugin, if anything, componentize-py says in the words that authors know.
    Ok(template.filled(&parts.modules).ok())
}

fn template(project: &Project, script: &Script, parts: &Path, output: &Path) -> Result<Vec<u8>, Failure> {
    let mut command = script.command(project);
    command.arg("template").arg(&project.dir).arg(parts).arg(output);
    interpreted::run(project, command, MISSING)?;
    interpreted::read(output, TOOL)
}
