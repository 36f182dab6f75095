//! A look at a file: what is there, and whether it has changed.

use super::Candidate;
use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

/// Longest wait for a file to stop changing.
const STABLE_WAIT_MAX: Duration = Duration::from_secs(5);

/// For opening: no read waits.
const NONBLOCK: i32 = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();

/// What tells one state of a file from another without reading it, links followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint {
    device: u64,
    inode: u64,
    len: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// A file or directory.
    File(Fingerprint),
    /// Nothing.
    Missing,
    /// Something that cannot be used, and why.
    Unusable(String),
}

impl Fingerprint {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            len: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Which file it is, whatever is in it.
    pub(super) fn identity(&self) -> (u64, u64) {
        (self.device, self.inode)
    }
}

impl Look {
    /// The fingerprint, if there is something.
    pub(super) fn fingerprint(&self) -> Option<Fingerprint> {
        if let Self::File(fingerprint) = self { Some(*fingerprint) } else { None }
    }
}

/// Looks at what is at `path`.
pub(super) fn of(path: &Path) -> Look {
    match std::fs::metadata(path) {
        Ok(metadata) => Look::File(Fingerprint::of(&metadata)),
        // Somebody wants something to be here: to take it for nothing would be to run without it.
        Err(error) if error.kind() == ErrorKind::NotFound && path.is_symlink() => {
            Look::Unusable(format!("{} is a link that leads nowhere", path.display()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Look::Missing,
        Err(error) => Look::Unusable(format!("{}: {error}", path.display())),
    }
}

/// Reads a plugin of at most `bytes_max`.
pub(super) fn read(path: &Path, bytes_max: usize) -> Result<Candidate, String> {
    bytes(path, bytes_max, "module_mib allows").map(Candidate::new)
}

/// Reads a text of at most `bytes_max`.
pub(super) fn read_text(path: &Path, bytes_max: usize) -> Result<String, String> {
    let bytes = bytes(path, bytes_max, "are possible")?;
    String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8 text", path.display()))
}

fn bytes(path: &Path, bytes_max: usize, allowed: &str) -> Result<Vec<u8>, String> {
    let named = |error: std::io::Error| format!("{}: {error}", path.display());
    let too_long = || format!("{} has more than the {bytes_max} bytes that {allowed}", path.display());
    let check = |metadata: &Metadata| match metadata {
        metadata if !metadata.is_file() => Err(format!("{} is not a file", path.display())),
        metadata if metadata.len() > u64::try_from(bytes_max).unwrap_or(u64::MAX) => Err(too_long()),
        _ => Ok(()),
    };
    // Before it is opened, since to open a device may do something.
    std::fs::metadata(path).map_err(named).and_then(|metadata| check(&metadata))?;
    // Without waiting: a pipe would wait for somebody to write into it, and some files of /proc until something happens.
    let file = File::options().read(true).custom_flags(NONBLOCK).open(path).map_err(named)?;
    check(&file.metadata().map_err(named)?)?;
    let mut bytes = Vec::new();
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut bytes).map_err(named)?;
    if bytes.len() > bytes_max {
        return Err(too_long());
    }
    Ok(bytes)
}

/// Reads a file once it has looked the same for `stable`.
pub(super) fn read_stable(path: &Path, bytes_max: usize, stable: Duration) -> Result<Candidate, String> {
    let start = Instant::now();
    let mut before = of(path);
    loop {
        match before {
            Look::Missing => return Err(format!("there is no {}", path.display())),
            Look::Unusable(problem) => return Err(problem),
            Look::File(_) => {}
        }
        let long_ago = before.fingerprint().is_some_and(|fingerprint| fingerprint.is_older_than(stable));
        if !long_ago {
            std::thread::sleep(stable);
        }
        if of(path) == before {
            let candidate = read(path, bytes_max)?;
            if of(path) == before {
                return Ok(candidate);
            }
        }
        if start.elapsed() > STABLE_WAIT_MAX {
            return Err(format!("{} does not stop changing", path.display()));
        }
        before = of(path);
    }
}

impl Fingerprint {
    /// Whether the file has not been touched for `age`, if the clock can be believed.
    fn is_older_than(&self, age: Duration) -> bool {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let changed =
            Duration::new(u64::try_from(self.changed.0).unwrap_or(0), u32::try_from(self.changed.1).unwrap_or(0));
        since.checked_sub(changed).is_some_and(|passed| passed > age)
    }
}
