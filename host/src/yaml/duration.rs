//! Go's durations: `300ms`, `1.5h`, `2h45m`.
