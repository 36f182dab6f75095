//! `tailrace plugin list`: what runs in a collector, as a table.

use super::admin;
use super::paint::{self, Paint};
use super::{Fault, fault};
use clap::Args;
use serde_json::Value;

/// Flags of `list`.
#[derive(Args, Debug)]
pub(super) struct ListArgs {
    /// The admin listener of the collector
    #[arg(long, value_name = "URL", default_value = admin::DEFAULT)]
    admin: String,
    /// Print everything the collector says, as JSON
    #[arg(long)]
    json: bool,
}

/// Prints the plugins.
pub(super) fn run(args: &ListArgs) -> Result<(), Fault> {
    let plugins = admin::plugins(&args.admin).map_err(fault)?;
    if args.json {
        println!("{:#}", Value::Array(plugins));
        return Ok(());
    }
    for line in table(&plugins, Paint::stdout()) {
        println!("{line}");
    }
    Ok(())
}

const HEAD: [&str; 9] = ["PLACE", "PLUGIN", "KIND", "GEN", "HASH", "ITEMS", "DROPPED", "NS/ITEM", "MEMORY"];
/// The column after which numbers come.
const TEXTS: usize = 3;

fn table(plugins: &[Value], paint: Paint) -> Vec<String> {
    if plugins.is_empty() {
        return vec!["no plugin runs there".to_owned()];
    }
    let rows: Vec<Vec<String>> = plugins.iter().map(row).collect();
    let head = HEAD.map(str::to_owned).to_vec();
    let width = |column: usize| {
        let cells = rows.iter().chain([&head]).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let line = |row: &[String]| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            if column < TEXTS { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines = vec![paint.bold(&line(&head))];
    for (plugin, row) in plugins.iter().zip(&rows) {
        lines.push(line(row));
        lines.extend(troubles(plugin).into_iter().map(|trouble| format!("  {}", paint.red(&trouble))));
    }
    lines
}

fn row(plugin: &Value) -> Vec<String> {
    let text = |key: &str| plugin.get(key).and_then(Value::as_str).unwrap_or("-").to_owned();
    let number = |key: &str| plugin.get(key).and_then(Value::as_u64);
    let shown = |key: &str| number(key).map_or("-".to_owned(), |number| number.to_string());
    let memory = number("memory_bytes").or(number("idle_memory_bytes")).and_then(|bytes| usize::try_from(bytes).ok());
    vec![
        text("place"),
        plugin.get("plugin").map_or("-".to_owned(), |_| format!("{} {}", text("plugin"), text("version"))),
        text("interface"),
        shown("generation"),
        text("hash").chars().take(12).collect(),
        shown("items"),
        shown("items_dropped"),
        shown("nanoseconds_per_item"),
        memory.map_or("-".to_owned(), paint::bytes),
    ]
}

/// What an operator should look at.
fn troubles(plugin: &Value) -> Vec<String> {
    let text = |pointer: &str| plugin.pointer(pointer).and_then(Value::as_str);
    let mut troubles = Vec::new();
    if let Some(reason) = text("/load_error/reason") {
        let what = if plugin.get("state").is_some() { "it does not run" } else { "what is there now does not run" };
        troubles.push(format!("{what}: {}", reason.replace('\n', "\n    ")));
    }
    if let Some(reason) = text("/last_rollback/reason") {
        troubles.push(format!("rolled back: {reason}"));
    }
    if let Some(seconds) = plugin.get("resting_for").and_then(Value::as_f64) {
        troubles.push(format!("it failed several times in a row and rests for another {seconds:.1} s"));
    }
    let failures = plugin.get("failures").and_then(Value::as_object).into_iter().flatten();
    let failures: Vec<String> = failures.map(|(reason, count)| format!("{count} {reason}")).collect();
    if !failures.is_empty() {
        let last = text("/last_call_error/reason").map(|reason| format!("; the last: {reason}")).unwrap_or_default();
        troubles.push(format!("failed calls: {}{last}", failures.join(", ")));
    }
    troubles
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plugins_are_a_table_with_their_troubles() {
        let plugins = [
            json!({"place": "wasm/redact@traces", "plugin": "redact", "version": "0.1.0", "interface": "attributes",
                "generation": 2, "hash": "0123456789abcdef", "items": 1000, "items_dropped": 3, "nanoseconds_per_item": 250,
                "memory_bytes": 1_179_648, "load_error": {"reason": "it is empty"}, "failures": {"trap": 2}}),
            json!({"place": "wasm/x", "plugin": "x", "version": "1", "interface": "sampler", "hash": "", "generation": 1}),
            json!({"place": "wasm:10-y", "state": "not loaded", "load_error": {"reason": "two faults:\ny.yaml:1:1"}}),
        ];
        let expected = [
            "PLACE               PLUGIN        KIND        GEN          HASH  ITEMS  DROPPED  NS/ITEM   MEMORY",
            "wasm/redact@traces  redact 0.1.0  attributes    2  0123456789ab   1000        3      250  1.18 MB",
            "  what is there now does not run: it is empty",
            "  failed calls: 2 trap",
            "wasm/x              x 1           sampler       1                    -        -        -        -",
            "wasm:10-y           -             -             -             -      -        -        -        -",
            "  it does not run: two faults:\n    y.yaml:1:1",
        ];
        assert_eq!(table(&plugins, Paint::plain()), expected);
        assert_eq!(table(&[], Paint::plain()), ["no plugin runs there"]);
    }
}
