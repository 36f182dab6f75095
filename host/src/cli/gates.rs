//! `--feature-gates`: the Collector's flag, for those of its gates that mean a setting here.
//!
//! A gate that is not known is an error that names those that are: silently ignored it would be a promise that nobody keeps.

use crate::config::Preset;

/// A feature gate of the Collector.
#[derive(Debug, PartialEq, Eq)]
struct Gate {
    name: &'static str,
    preset: Preset,
}

const fn of_tail_sampling(name: &'static str, key: &'static str) -> Gate {
    Gate { name, preset: Preset { group: "processors", kind: "tail_sampling", key, flag: "--feature-gates" } }
}

/// Those that mean something.
const GATES: [Gate; 2] = [
    of_tail_sampling("processor.tailsamplingprocessor.recordpolicy", "record_policy"),
    of_tail_sampling("processor.tailsamplingprocessor.usetracestate", "use_tracestate"),
];

/// A gate on the command line: on, or off again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Switch {
    gate: &'static Gate,
    on: bool,
}

/// `GATE` and `+GATE` turn it on, `-GATE` turns it off.
pub(super) fn switch(text: &str) -> Result<Switch, String> {
    let (name, on) = match text.strip_prefix('-') {
        Some(name) => (name, false),
        None => (text.strip_prefix('+').unwrap_or(text), true),
    };
    let known = || GATES.map(|gate| gate.name).join(" and ");
    let gate = GATES.iter().find(|gate| gate.name == name);
    let gate = gate.ok_or_else(|| format!("unknown feature gate {name:?}; there are {}", known()))?;
    Ok(Switch { gate, on })
}

/// What the configuration gets to hear of them; the last word on a gate counts.
pub(super) fn presets(switches: &[Switch]) -> Vec<Preset> {
    let last = |gate: &&Gate| switches.iter().rfind(|switch| switch.gate.name == gate.name);
    GATES.iter().filter(|gate| last(gate).is_some_and(|switch| switch.on)).map(|gate| gate.preset).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Cli;
    use super::*;
    use clap::Parser;

    fn keys(flags: &[&str]) -> Result<Vec<&'static str>, String> {
        let line = ["tailrace", "--config", "a.yaml"].iter().chain(flags);
        let cli = Cli::try_parse_from(line).map_err(|error| error.to_string())?;
        Ok(presets(&cli.run.sources().feature_gates).iter().map(|preset| preset.key).collect())
    }

    #[test]
    fn as_the_collector_writes_them() {
        let (record, tracestate) =
            ("processor.tailsamplingprocessor.recordpolicy", "processor.tailsamplingprocessor.usetracestate");
        assert_eq!(keys(&[]), Ok(vec![]));
        assert_eq!(keys(&[&format!("--feature-gates={tracestate}")]), Ok(vec!["use_tracestate"]));
        assert_eq!(
            keys(&["--feature-gates", &format!("+{tracestate},{record}")]),
            Ok(vec!["record_policy", "use_tracestate"])
        );
        let off = format!("--feature-gates=-{record}");
        assert_eq!(keys(&[&format!("--feature-gates={record}"), &off]), Ok(vec![]));
        let error = keys(&["--feature-gates=processor.tailsamplingprocessor.tailstorageextension"]).unwrap_err();
        assert!(
            error.contains("unknown feature gate") && error.contains(record) && error.contains(tracestate),
            "{error}"
        );
    }
}
