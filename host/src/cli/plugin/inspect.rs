//! `tailrace plugin inspect`: what a component is, and what it says about itself.

use super::build::imports;
use super::component::Component;
use super::paint::{self, Paint};
use super::{Fault, fault, project};
use crate::plugin::{About, Candidate, ErrorMode, Outline, Platform, Wish, one_line};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// Flags of `inspect`.
#[derive(Args, Debug)]
pub(super) struct InspectArgs {
    /// The component: a .wasm file, or the folder of its project
    #[arg(default_value = ".")]
    file: PathBuf,
    /// What to configure it with, as JSON or @FILE: its interest may depend on it [default: the config.json of the first case
    /// of its project, else {}]
    #[arg(long, value_name = "JSON")]
    config: Option<String>,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

/// Everything that is known about a component.
struct Known {
    outline: Outline,
    kind: &'static str,
    contract: String,
    about: About,
    bytes: usize,
    hash: String,
    /// Whether the cache of this machine had it before.
    precompiled: bool,
    /// What it was configured with.
    config: String,
}

/// Says what it is.
pub(super) fn run(args: &InspectArgs) -> Result<(), Fault> {
    let component = Component::at(&args.file)?;
    let config = component.config(args.config.as_deref())?;
    let Component { file, bytes, .. } = component;
    let bad = |error: crate::plugin::LoadError| Fault::Plugin(format!("{}: {error}", file.display()));
    let outline = Outline::read(&bytes).map_err(bad)?;
    let contract = outline.contract().map_err(bad)?.to_owned();
    let (role, kind) = outline.role().map_err(bad)?;
    let limits = project::limits(None).map_err(fault)?;
    let candidate = Candidate::new(bytes);
    // Asked before it is compiled here, which puts it into the cache.
    let precompiled = Platform::of_process().has_compiled(candidate.hash());
    let about = About::ask(&candidate, &config, role, &limits).map_err(bad)?;
    let (bytes, hash) = (candidate.len(), candidate.hash().to_string());
    let known = Known { outline, kind, contract, about, bytes, hash, precompiled, config };
    if args.json {
        println!("{:#}", as_json(&known));
    } else {
        for line in lines(&known, Paint::stdout()) {
            println!("{line}");
        }
    }
    Ok(())
}

fn lines(known: &Known, paint: Paint) -> Vec<String> {
    let Known { outline, about, .. } = known;
    let row = |name: &str, text: String| format!("  {name:<13}{text}");
    let all = |list: &[String], none: &str| if list.is_empty() { none.to_owned() } else { list.join(", ") };
    let interfaces: Vec<String> = outline.interfaces().iter().map(|(name, _)| (*name).to_owned()).collect();
    let mut lines = vec![
        paint.bold(&format!("{} {}", about.name, about.version)),
        row("contract", format!("tailrace:plugin@{}", known.contract)),
        row("kind", known.kind.to_owned()),
        row("exports", all(&interfaces, "nothing")),
        row("imports", all(&imports(&outline.imports), "nothing")),
        row("size", paint::bytes(known.bytes)),
        row("sha256", known.hash.clone()),
        row("error mode", about.error_mode.map_or("propagate (it has no wish)", ErrorMode::as_str).to_owned()),
        row("precompiled", if known.precompiled { "yes, in the cache" } else { "no" }.to_owned()),
        row(if known.precompiled { "loaded in" } else { "compiled in" }, duration(about.compiled_in)),
        row(
            "instance in",
            format!("{}, {} of memory", duration(about.instantiated_in), paint::bytes(about.memory_bytes)),
        ),
    ];
    match &about.interest {
        Ok(wish) => {
            lines.push(row("wants to see", paint.dim(&format!("configured with {}", known.config.trim()))));
            lines.extend(wishes(wish, known.kind).into_iter().map(|(name, text)| format!("    {name:<11}{text}")));
        }
        Err(error) => {
            let config = known.config.trim();
            let text = format!("not known: configured with {config} it says: {error} (give it another with --config)");
            lines.push(row("wants to see", paint.yellow(&text)));
        }
    }
    match about.config_schema.as_deref().map(pretty) {
        None => lines.push(row("config", "it has no JSON Schema".to_owned())),
        Some(schema) => {
            lines.push(row("config", "JSON Schema".to_owned()));
            lines.extend(shown(&schema).map(|line| paint.dim(&format!("    {line}"))));
        }
    }
    lines
}

fn wishes(wish: &Wish, kind: &str) -> Vec<(&'static str, String)> {
    let list = |list: &[&str], none: &str| if list.is_empty() { none.to_owned() } else { list.join(", ") };
    // A key may be anything.
    let texts = |list: &[String]| one_line(&list.join(", ")).into_owned();
    let mut rows = vec![("signals", list(&wish.signals, "all"))];
    if !wish.attributes.is_empty() {
        rows.push(("attributes", texts(&wish.attributes)));
    }
    if !wish.intrinsics.is_empty() {
        rows.push(("fields", texts(&wish.intrinsics)));
    }
    rows.push(("levels", list(&wish.levels, "all")));
    let called = match kind {
        "sampler" => "for every trace that is due, many in one call",
        // One that names no attribute is given everything.
        "processor" if wish.attributes.is_empty() => "for every batch",
        _ if wish.always => "for every batch",
        _ => "when something of this is in a batch",
    };
    rows.push(("called", called.to_owned()));
    rows.push(("instances", if wish.single { "one" } else { "as many as run at once" }.to_owned()));
    rows
}

fn pretty(schema: &str) -> String {
    serde_json::from_str::<Value>(schema).map_or_else(|_| schema.to_owned(), |value| format!("{value:#}"))
}

/// The lines of a text that a plugin says, fit for a terminal.
fn shown(text: &str) -> impl Iterator<Item = std::borrow::Cow<'_, str>> {
    text.lines().map(one_line)
}

fn duration(duration: Duration) -> String {
    paint::time(duration.as_nanos() as f64)
}

fn as_json(known: &Known) -> Value {
    let Known { outline, about, .. } = known;
    let interfaces: Vec<&str> = outline.interfaces().iter().map(|(name, _)| *name).collect();
    let schema = about.config_schema.as_deref();
    let schema = schema.map(|text| serde_json::from_str::<Value>(text).unwrap_or_else(|_| text.into()));
    json!({
        "name": about.name,
        "version": about.version,
        "contract": known.contract,
        "kind": known.kind,
        "interfaces": interfaces,
        "imports": outline.imports,
        "bytes": known.bytes,
        "sha256": known.hash,
        "error_mode": about.error_mode.map(ErrorMode::as_str),
        "precompiled": known.precompiled,
        "compile_nanoseconds": about.compiled_in.as_nanos() as u64,
        "instantiate_nanoseconds": about.instantiated_in.as_nanos() as u64,
        "memory_bytes": about.memory_bytes,
        "interest": about.interest.as_ref().ok().map(|wish| json!({
            "signals": wish.signals,
            "attributes": wish.attributes,
            "levels": wish.levels,
            "intrinsics": wish.intrinsics,
            "always": wish.always,
            "single": wish.single,
        })),
        "interest_error": about.interest.as_ref().err(),
        "config_schema": schema,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing that a plugin says steers the terminal.
    #[test]
    fn what_it_says_is_text() {
        let lines: Vec<_> = shown("{\n  \"a\": 1\u{1b}[2J\r\u{202e}").collect();
        assert_eq!(lines, ["{", "  \"a\": 1\\u{1b}[2J\\r\\u{202e}"]);
        let wish = Wish { attributes: vec!["a\u{1b}[2J".to_owned()], ..Wish::default() };
        assert!(wishes(&wish, "attributes").contains(&("attributes", "a\\u{1b}[2J".to_owned())));
    }

    /// What a plugin is called for depends on its kind.
    #[test]
    fn when_it_is_called() {
        let wish = |attributes: &[&str]| Wish {
            signals: Vec::new(),
            attributes: attributes.iter().map(|&key| key.to_owned()).collect(),
            levels: Vec::new(),
            intrinsics: Vec::new(),
            always: false,
            single: false,
        };
        let called = |wish: &Wish, kind| wishes(wish, kind).into_iter().find(|(name, _)| *name == "called").unwrap().1;
        assert_eq!(called(&wish(&[]), "processor"), "for every batch");
        assert_eq!(called(&wish(&["a"]), "processor"), "when something of this is in a batch");
        assert_eq!(called(&wish(&["a"]), "sampler"), "for every trace that is due, many in one call");
    }
}
