//! `tailrace components`: what is built in, as YAML, in the form of `otelcol components`.

use crate::component::ComponentInfo;
use crate::components::FACTORIES;
use std::process::ExitCode;

pub(super) fn list() -> ExitCode {
    println!("buildinfo:\n    command: tailrace\n    version: {}", env!("CARGO_PKG_VERSION"));
    section("receivers", FACTORIES.receivers.iter().map(|factory| &factory.info));
    section("processors", FACTORIES.processors.iter().map(|factory| &factory.info));
    section("exporters", FACTORIES.exporters.iter().map(|factory| &factory.info));
    section("extensions", FACTORIES.extensions.iter().map(|factory| &factory.info));
    ExitCode::SUCCESS
}

fn section<'a>(title: &str, infos: impl Iterator<Item = &'a ComponentInfo>) {
    println!("{title}:");
    for info in infos {
        println!("    - name: {}", info.kind);
        if !info.deprecated.is_empty() {
            println!("      deprecated_names: [{}]", info.deprecated.join(", "));
        }
        println!("      stability:");
        match info.signals {
            [] => println!("        extension: {}", info.stability),
            signals => signals.iter().for_each(|signal| println!("        {}: {}", signal.as_str(), info.stability)),
        }
    }
}
