//! What a plugin says about itself: one object of `GET /plugins`, and its part of `GET /status`.

use super::Incident;
use super::compile::Where;
use super::inner::Inner;
use super::limits::Limits;
use super::program::{Hash, Origin, Program};

use crate::pdata::Signal;
use serde_json::{Map, Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

impl Inner {
    /// Everything that is known about it now.
    pub(super) fn view(&self) -> Value {
        let current = self.current.load();
        let (metrics, interest) = (&self.metrics, &current.interest);
        let (nanos, items) = (metrics.nanos.get(), metrics.items.get());
        let trouble = self.trouble().clone();
        let load = trouble.load.map(|(at, hash, reason)| {
            json!({"at": seconds(at), "hash": hash.map(|hash| hash.to_string()), "reason": reason})
        });
        let errors: Vec<Value> = trouble
            .calls
            .into_iter()
            .rev()
            .map(|(at, reason, count)| json!({"at": seconds(at), "reason": reason, "count": count}))
            .collect();
        let failures = Incident::ALL.iter().filter_map(|incident| {
            let count = metrics.failures(*incident)?.get();
            (count > 0).then(|| (incident.as_str().to_owned(), count.into()))
        });
        let signals = Signal::ALL.into_iter().filter(|signal| interest.wants(*signal));
        let rollback = self.swaps.last_rollback().map(|rollback| {
            let hex = |hash: Hash| hash.to_string();
            let (from, to) = (hex(rollback.from), hex(rollback.to));
            json!({"at": seconds(rollback.at), "from": from, "to": to, "reason": rollback.reason})
        });
        let tally = current.pool.tally();
        json!({
            "place": self.name(),
            "file": self.file.as_ref().map(|file| file.display().to_string()),
            "plugin": current.name,
            "version": current.version,
            "contract": super::contract::VERSION,
            "interface": current.kind.as_str(),
            "interfaces": current.program.interfaces.names(),
            "interest": {
                "signals": signals.map(Signal::as_str).collect::<Vec<_>>(),
                "attributes": interest.stated,
                "levels": interest.levels.iter().map(|level| level.name()).collect::<Vec<_>>(),
                "intrinsics": interest.intrinsics.iter().map(|intrinsic| intrinsic.name()).collect::<Vec<_>>(),
                "always": interest.always,
                "instances": if interest.single { "single" } else { "pooled" },
            },
            "generation": current.number,
            "hash": current.hash().to_string(),
            "loaded_at": seconds(current.loaded),
            "code": code(&current.program),
            "error_mode": current.error_mode().as_str(),
            "limits": limits(&current.limits),
            "calls": metrics.calls.get(),
            "skipped": metrics.skipped.get(),
            "items": items,
            "items_out": metrics.items_out.get(),
            "items_dropped": metrics.items_dropped.get(),
            "values_set": metrics.values_set.get(),
            "values_removed": metrics.values_removed.get(),
            "nanoseconds": nanos,
            "nanoseconds_per_item": nanos.checked_div(items),
            "cpu_nanoseconds": metrics.cpu_nanos.get(),
            "failures": failures.collect::<Map<_, _>>(),
            "refusals": metrics.refusals.get(),
            "instances": metrics.instances.get(),
            "memory_bytes": metrics.memory.get(),
            "idle_memory_bytes": current.pool.idle_memory_bytes(),
            "resting_for": current.pool.resting().map(|rest| rest.as_secs_f64()),
            "quarantined": current.quarantined(),
            "reloads": metrics.reloads.get(),
            "reload_failures": metrics.reload_failures.get(),
            "rollbacks": metrics.rollbacks.get(),
            "last_rollback": rollback,
            "probation": current.probation().map(|rest| json!({
                "for_another": rest.as_secs_f64(), "calls": tally.calls(), "failures": tally.failures(),
            })),
            "load_error": load,
            "last_call_error": errors.first(),
            "last_errors": errors,
            "drop_reasons": trouble.drop_reasons,
        })
    }
}

/// Where the machine code came from, and how long that took.
fn code(program: &Program) -> Value {
    let took = program.took.as_secs_f64();
    match program.origin {
        Origin::Cache { compiling } => {
            json!({"from": "cache", "seconds": took, "compiled_in": compiling.as_secs_f64()})
        }
        Origin::Compiled(Where::Process) => json!({"from": "compiler", "seconds": took, "process": "its own"}),
        Origin::Compiled(Where::Thread) => json!({"from": "compiler", "seconds": took, "process": "the collector's"}),
    }
}

fn limits(limits: &Limits) -> Value {
    let seconds = |duration: Duration| duration.as_secs_f64();
    json!({
        "timeout_seconds": seconds(limits.timeout),
        "memory_bytes": limits.memory_bytes,
        "output_bytes": limits.output_bytes,
        "instances": limits.instances,
        "log_lines_per_second": limits.log_lines_per_second,
        "recycle_calls": limits.recycle_calls,
        "recycle_age_seconds": seconds(limits.recycle_age),
        "recycle_memory_bytes": limits.recycle_memory_bytes,
        "module_bytes": limits.module_bytes,
    })
}

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
