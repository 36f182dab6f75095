//! A directory that only this user can write to, and files in it that are whole or not there.
//!
//! What lies in it is trusted (see [`super::cache`]), so it is refused if another user could have put it there: the
//! directory and each file must belong to the user of this process, and nobody else may have the right to write. A
//! directory that is not there is made, with mode 0700. Several processes may use it at once: a file appears by a
//! rename, complete and synced, and is never changed afterwards; a reader keeps what it has opened.

use rustix::fs::OFlags;
use std::fs::{DirBuilder, File, FileTimes, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Files that are being written begin so.
const TEMPORARY: &str = ".new-";
/// An unfinished file of this age was left behind by a crash.
const ABANDONED: Duration = Duration::from_secs(3600);
/// Rights of others to write.
const OTHERS_WRITE: u32 = 0o022;

/// Such a directory.
#[derive(Clone, Debug)]
pub(super) struct PrivateDir(PathBuf);

impl PrivateDir {
    /// Opens it, or makes it.
    ///
    /// # Errors
    /// Why it cannot be trusted, and what to do; or why it cannot be made.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|error| format!("{shown} cannot be made: {error}"))?;
        let metadata = std::fs::metadata(path).map_err(|error| format!("{shown}: {error}"))?;
        if metadata.uid() != uid() {
            return Err(format!(
                "{shown} belongs to another user (uid {}, we are {}), who could put code into it: name a directory of \
                 our own, or one that does not exist yet",
                metadata.uid(),
                uid()
            ));
        }
        if metadata.permissions().mode() & OTHERS_WRITE != 0 {
            return Err(format!(
                "others may write to {shown} (mode {:03o}), so they could put code into it: `chmod 700 {shown}`, or \
                 name a directory in it that does not exist yet",
                metadata.permissions().mode() & 0o777
            ));
        }
        Ok(Self(path.to_owned()))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The content of a file, if there is one, of at most `bytes_max`. Notes that it has been used.
    ///
    /// # Errors
    /// If it cannot be read, or is not to be trusted.
    pub(super) fn read(&self, name: &str, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let file = match OpenOptions::new().read(true).custom_flags(flags).open(self.0.join(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let metadata = file.metadata()?;
        trusted(&metadata)?;
        if metadata.len() > bytes_max {
            return Err(io::Error::other(format!("it has {} bytes, more than {bytes_max}", metadata.len())));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
        (&file).take(bytes_max).read_to_end(&mut bytes)?;
        // What was used last is evicted last. Not worth an error.
        let _ = file.set_times(FileTimes::new().set_modified(SystemTime::now()));
        Ok(Some(bytes))
    }

    /// Puts a file in place, whole: after a crash there is the old one or the new one.
    ///
    /// # Errors
    /// If the disk does not take it.
    pub(super) fn write(&self, name: &str, parts: &[&[u8]]) -> io::Result<()> {
        let temporary = self.0.join(format!("{TEMPORARY}{}-{:016x}", std::process::id(), fastrand::u64(..)));
        let written = self.write_aside(&temporary, parts).and_then(|()| std::fs::rename(&temporary, self.0.join(name)));
        if written.is_err() {
            let _ = std::fs::remove_file(&temporary);
        }
        written?;
        File::open(&self.0)?.sync_all()
    }

    fn write_aside(&self, path: &Path, parts: &[&[u8]]) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        parts.iter().try_for_each(|part| file.write_all(part))?;
        file.sync_all()
    }

    /// Gives a file another name, in place of what was there.
    ///
    /// # Errors
    /// If there is no such file.
    pub(super) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.0.join(from), self.0.join(to))?;
        File::open(&self.0)?.sync_all()
    }

    /// Removes a file; one that is not there is removed.
    pub(super) fn remove(&self, name: &str) {
        let _ = std::fs::remove_file(self.0.join(name));
    }

    /// Removes the files that were used least recently until the rest has at most `bytes_max`: those that `first` names
    /// before all others, `keep` never. Also what crashed writers left behind. How many went.
    pub(super) fn evict(&self, bytes_max: u64, first: impl Fn(&str) -> bool, keep: &str) -> usize {
        let Ok(entries) = std::fs::read_dir(&self.0) else { return 0 };
        let mut files = Vec::new();
        for entry in entries.flatten() {
            let (Ok(metadata), Ok(name)) = (entry.metadata(), entry.file_name().into_string()) else { continue };
            if !metadata.is_file() {
                continue;
            }
            let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            if name.starts_with(TEMPORARY) {
                if used.elapsed().is_ok_and(|age| age > ABANDONED) {
                    self.remove(&name);
                }
                continue;
            }
            files.push((!first(&name), used, metadata.len(), name));
        }
        files.sort();
        let mut total: u64 = files.iter().map(|(_, _, len, _)| len).sum();
        let mut evicted = 0;
        for (_, _, len, name) in files {
            if total <= bytes_max {
                break;
            }
            if name != keep {
                self.remove(&name);
                total = total.saturating_sub(len);
                evicted += 1;
            }
        }
        evicted
    }
}

/// Whether only this user can have written it.
fn trusted(metadata: &Metadata) -> io::Result<()> {
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    if metadata.uid() != uid() || metadata.permissions().mode() & OTHERS_WRITE != 0 {
        return Err(io::Error::new(ErrorKind::PermissionDenied, "others may have written it"));
    }
    Ok(())
}

fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, create_dir, set_permissions};

    const ANY: u64 = 1 << 20;

    fn names(directory: &PrivateDir) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(directory.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Made private; refused if others may write to it, with the command that helps; taken again afterwards.
    #[test]
    fn private_or_not_at_all() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a/b");
        let directory = PrivateDir::open(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(directory.read("nothing", ANY).unwrap(), None);
        for mode in [0o770, 0o702, 0o777] {
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let refused = PrivateDir::open(&path).unwrap_err();
            assert!(refused.contains("chmod 700") && refused.contains(&format!("{mode:o}")), "{refused}");
        }
        set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        PrivateDir::open(&path).unwrap();
    }

    /// Files are whole and ours; a link, a directory or a file that others may write is not read.
    #[test]
    fn only_own_files_are_read() {
        let place = tempfile::tempdir().unwrap();
        let directory = PrivateDir::open(&place.path().join("d")).unwrap();
        directory.write("a", &[b"one ", b"two"]).unwrap();
        assert_eq!(directory.read("a", ANY).unwrap().unwrap(), b"one two");
        directory.write("a", &[b"three"]).unwrap();
        assert_eq!(directory.read("a", ANY).unwrap().unwrap(), b"three");
        assert!(directory.read("a", 4).is_err());
        directory.rename("a", "b").unwrap();
        assert_eq!(names(&directory), ["b"]);
        std::os::unix::fs::symlink(directory.path().join("b"), directory.path().join("link")).unwrap();
        assert!(directory.read("link", ANY).is_err());
        create_dir(directory.path().join("folder")).unwrap();
        assert!(directory.read("folder", ANY).is_err());
        set_permissions(directory.path().join("b"), Permissions::from_mode(0o666)).unwrap();
        assert_eq!(directory.read("b", ANY).unwrap_err().kind(), ErrorKind::PermissionDenied);
    }

    /// The oldest go first, among those that may go first; what was read counts as used; the new file stays.
    #[test]
    fn least_recently_used_go_first() {
        let place = tempfile::tempdir().unwrap();
        let directory = PrivateDir::open(&place.path().join("d")).unwrap();
        let hours_old = |name: &str, hours: u64| {
            let file = File::open(directory.path().join(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(hours * 3600)).unwrap();
        };
        for (name, hours) in [("a.x", 5), ("b.x", 4), ("c.x", 3), ("d.keep", 9), (".new-crashed", 2)] {
            directory.write(name, &[&[0; 10]]).unwrap();
            hours_old(name, hours);
        }
        directory.read("a.x", ANY).unwrap();
        assert_eq!(directory.evict(30, |name| name.ends_with(".x"), "c.x"), 1);
        assert_eq!(names(&directory), ["a.x", "c.x", "d.keep"]);
        assert_eq!(directory.evict(0, |name| name.ends_with(".x"), "c.x"), 2);
        assert_eq!(names(&directory), ["c.x"]);
    }
}
