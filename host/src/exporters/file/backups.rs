//! Names of rotated files, and which of them are to go.
//!
//! `spans.json` becomes `spans-2026-11-22T22-30-05.123.json`, as in the Collector; times are in UTC.

use crate::export::calendar::Utc;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

const LAYOUT: &str = "2006-01-02T15-04-05.000";

fn stamp(time: Duration) -> String {
    let Utc { year, month, day, hour, minute, second, nano } = Utc::from_unix(time);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}-{minute:02}-{second:02}.{:03}", nano / 1_000_000)
}

/// Stem with its dash, and extension with its dot.
fn frame(path: &Path) -> (OsString, OsString) {
    let mut prefix = path.file_stem().unwrap_or_default().to_owned();
    prefix.push("-");
    let mut suffix = OsString::new();
    if let Some(extension) = path.extension() {
        suffix.push(".");
        suffix.push(extension);
    }
    (prefix, suffix)
}

/// A free name for what is in `path` at `now`. A backup is never overwritten: of two within a millisecond the second one
/// gets a later name.
pub(super) fn free_name(path: &Path, now: Duration) -> PathBuf {
    let (prefix, suffix) = frame(path);
    let mut time = now;
    loop {
        let mut name = prefix.clone();
        name.push(stamp(time));
        name.push(&suffix);
        let candidate = path.with_file_name(name);
        if !candidate.exists() {
            return candidate;
        }
        time += Duration::from_millis(1);
    }
}

/// The backups of `path` that are older than `max_age` or too many; zero is no limit.
pub(super) fn surplus(path: &Path, now: Duration, max_age: Duration, max_backups: usize) -> io::Result<Vec<PathBuf>> {
    let (prefix, suffix) = frame(path);
    let (prefix, suffix) = (prefix.as_encoded_bytes(), suffix.as_encoded_bytes());
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let name = entry?.file_name();
        let time = name.as_encoded_bytes().strip_prefix(prefix).and_then(|rest| rest.strip_suffix(suffix));
        if let Some(time) = time.filter(|time| is_stamp(time)) {
            found.push((time.to_vec(), path.with_file_name(&name)));
        }
    }
    // Times sort as text. The newest come first.
    found.sort_by(|a, b| b.cmp(a));
    let oldest = if max_age.is_zero() { String::new() } else { stamp(now.saturating_sub(max_age)) };
    let keep = if max_backups == 0 { usize::MAX } else { max_backups };
    let surplus = found.into_iter().enumerate().filter(|(i, (time, _))| *i >= keep || &**time < oldest.as_bytes());
    Ok(surplus.map(|(_, (_, path))| path).collect())
}

fn is_stamp(text: &[u8]) -> bool {
    let fits =
        |(found, pattern): (&u8, u8)| if pattern.is_ascii_digit() { found.is_ascii_digit() } else { *found == pattern };
    text.len() == LAYOUT.len() && text.iter().zip(LAYOUT.bytes()).all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_surplus() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("spans.json");
        let day = |days: u64| Duration::from_secs(1_700_000_000 + days * 86_400);
        let mut made = Vec::new();
        for time in [day(0), day(1), day(1), day(2)] {
            let name = free_name(&path, time);
            std::fs::write(&name, "").unwrap();
            made.push(name);
        }
        assert!(made[0].ends_with("spans-2023-11-14T22-13-20.000.json"), "{made:?}");
        assert!(made[2].ends_with("spans-2023-11-15T22-13-20.001.json"), "{made:?}");
        for other in
            ["spans.json", "spans-notes.json", "spans-2023-11-14T22-13-20.000.txt", "x-2023-11-14T22-13-20.000.json"]
        {
            std::fs::write(directory.path().join(other), "").unwrap();
        }
        let surplus = |age, count| {
            let mut found = surplus(&path, day(2), age, count).unwrap();
            found.sort();
            found
        };
        assert_eq!(surplus(Duration::ZERO, 0), Vec::<PathBuf>::new());
        assert_eq!(surplus(Duration::ZERO, 2), made[..2]);
        assert_eq!(surplus(Duration::from_secs(86_400 + 60), 0), made[..1]);
        assert_eq!(surplus(Duration::from_secs(60), 1), made[..3]);
    }
}
