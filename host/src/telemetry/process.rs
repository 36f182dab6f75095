//! The process's own uptime, CPU time and memory, read from `/proc` when somebody asks.

use super::{Metrics, names};
use std::time::Instant;

/// Clock ticks a second in `/proc/self/stat`: 100 on every Linux that we run on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Publishes `otelcol_process_*`.
pub fn observe(metrics: &Metrics) {
    let since = Instant::now();
    metrics.observe(&names::PROCESS_UPTIME, &[], move || since.elapsed().as_secs_f64());
    metrics.observe(&names::PROCESS_CPU, &[], || cpu_seconds().unwrap_or(0.0));
    metrics.observe(&names::PROCESS_RSS, &[], || resident_bytes().unwrap_or(0) as f64);
}

/// Resident memory in bytes; `None` where there is no `/proc`.
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// User and system time in seconds; `None` where there is no `/proc`.
pub fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The command, field 2, may hold spaces: count from behind its closing bracket. utime and stime are fields 14, 15.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut times = rest.split_ascii_whitespace().skip(11);
    let user: f64 = times.next()?.parse().ok()?;
    let system: f64 = times.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn reads_this_process() {
        assert!(super::resident_bytes().unwrap() > 1024 * 1024);
        assert!(super::cpu_seconds().unwrap() >= 0.0);
    }
}
