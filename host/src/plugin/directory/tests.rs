//! A real directory, real files, and a plugin that says which file it was made from.

use super::super::tests::guests;
use super::super::{Limits, Options, Plugin, Role};
use super::*;
use crate::telemetry::Metrics;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use tempfile::TempDir;

/// A directory with a plugin in it, followed.
struct Fixture {
    directory: TempDir,
    file: PathBuf,
    plugin: Arc<Plugin>,
    _watch: Watch,
}

const NEVER: Duration = Duration::from_secs(3600);

impl Fixture {
    fn new(rescan: Duration, lay: impl FnOnce(&Path) -> PathBuf) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = lay(directory.path());
        let candidate = read(&file, 1 << 24).unwrap();
        let options = Options {
            name: "test".into(),
            role: Role::Batches,
            config: "{}".into(),
            error_mode: None,
            limits: Limits::default(),
        };
        let plugin = Arc::new(Plugin::load(&candidate, options, &Metrics::default(), &[]).unwrap());
        let watch = watch(&file, rescan, Arc::clone(&plugin), 1 << 24).unwrap();
        Self { directory, file, plugin, _watch: watch }
    }

    /// A plain file that is followed by events alone.
    fn plain() -> Self {
        Self::new(NEVER, |directory| {
            let file = directory.join("mad.wasm");
            fs::write(&file, guests::stamped("version-0000")).unwrap();
            file
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Waits until this version runs.
    fn runs(&self, version: &str) {
        self.until(|status| status["version"] == version && status["load_error"].is_null(), version);
    }

    /// Waits until the running version stays because of this.
    fn stays(&self, version: &str, reason: &str) {
        self.until(
            |status| {
                let error = status["load_error"]["reason"].as_str();
                status["version"] == version && error.is_some_and(|error| error.contains(reason))
            },
            reason,
        );
    }

    fn until(&self, there: impl Fn(&serde_json::Value) -> bool, what: &str) {
        let start = Instant::now();
        while !there(&self.plugin.status()) {
            assert!(start.elapsed() < Duration::from_secs(60), "no {what}: {}", self.plugin.status());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn replace_by_rename(&self, bytes: &[u8]) {
        let aside = self.path("mad.tmp");
        fs::write(&aside, bytes).unwrap();
        fs::rename(&aside, &self.file).unwrap();
    }
}

#[test]
fn replaced_by_rename() {
    let fixture = Fixture::plain();
    for number in 1..=5 {
        let version = format!("version-{number:04}");
        fixture.replace_by_rename(&guests::stamped(&version));
        fixture.runs(&version);
        assert_eq!(fixture.plugin.generation(), number + 1);
    }
}

/// A copy over the file, written in pieces with pauses longer than any debounce: half a file never runs, the whole one
/// does.
#[test]
fn copied_in_place_in_slow_pieces() {
    let fixture = Fixture::plain();
    let bytes = guests::stamped("version-0001");
    let mut file = fs::File::create(&fixture.file).unwrap();
    for piece in bytes.chunks(bytes.len() / 3 + 1) {
        file.write_all(piece).unwrap();
        file.flush().unwrap();
        std::thread::sleep(3 * QUIET);
    }
    drop(file);
    fixture.runs("version-0001");
    assert_eq!(fixture.plugin.generation(), 2);
}

/// A file that vanishes stops nothing; when it is there again it is followed again.
#[test]
fn deleted_and_created_again() {
    let fixture = Fixture::plain();
    fs::remove_file(&fixture.file).unwrap();
    fixture.stays("version-0000", "is missing");
    fs::write(&fixture.file, guests::stamped("version-0001")).unwrap();
    fixture.runs("version-0001");
    // The same bytes again: deleted, created, nothing to do.
    fs::remove_file(&fixture.file).unwrap();
    fixture.stays("version-0001", "is missing");
    fs::write(&fixture.file, guests::stamped("version-0001")).unwrap();
    fixture.runs("version-0001");
    assert_eq!(fixture.plugin.generation(), 2);
}

/// A Kubernetes ConfigMap: the file is a link to `..data/mad.wasm`, and `..data` a link that is swapped by a rename.
#[test]
fn config_map_swap() {
    let lay = |directory: &Path, data: &str, version: &str| {
        let data = directory.join(data);
        fs::create_dir(&data).unwrap();
        fs::write(data.join("mad.wasm"), guests::stamped(version)).unwrap();
    };
    let fixture = Fixture::new(NEVER, |directory| {
        lay(directory, "..2026_1", "version-0000");
        symlink("..2026_1", directory.join("..data")).unwrap();
        symlink("..data/mad.wasm", directory.join("mad.wasm")).unwrap();
        directory.join("mad.wasm")
    });
    for number in 1..=3 {
        let (data, version) = (format!("..2026_{}", number + 1), format!("version-{number:04}"));
        lay(fixture.directory.path(), &data, &version);
        symlink(&data, fixture.path("..data_tmp")).unwrap();
        fs::rename(fixture.path("..data_tmp"), fixture.path("..data")).unwrap();
        fs::remove_dir_all(fixture.path(&format!("..2026_{number}"))).unwrap();
        fixture.runs(&version);
    }
}

/// Whatever is put there that is no plugin: the old version goes on, and the reason is told until the file is good.
#[test]
fn broken_files_change_nothing() {
    let fixture = Fixture::plain();
    let good = guests::stamped("version-0001");
    for (bytes, reason) in [
        (&b""[..], "empty"),
        (guests::CORE_MODULE, "core WebAssembly module"),
        (&good[..good.len() / 2], "damaged"),
        (b"hello", "not WebAssembly"),
    ] {
        fixture.replace_by_rename(bytes);
        fixture.stays("version-0000", reason);
    }
    fs::remove_file(&fixture.file).unwrap();
    fs::create_dir(&fixture.file).unwrap();
    fixture.stays("version-0000", "not a file");
    fs::remove_dir(&fixture.file).unwrap();
    fixture.replace_by_rename(&good);
    fixture.runs("version-0001");
}

/// Without any event (a network file system, an overflow) the rescan finds the change; here the directory itself is
/// replaced, so that the old watch hears nothing.
#[test]
fn found_by_the_rescan() {
    let fixture = Fixture::new(Duration::from_millis(300), |directory| {
        fs::create_dir(directory.join("plugins")).unwrap();
        let file = directory.join("plugins/mad.wasm");
        fs::write(&file, guests::stamped("version-0000")).unwrap();
        file
    });
    fs::rename(fixture.path("plugins"), fixture.path("old")).unwrap();
    fs::create_dir(fixture.path("plugins")).unwrap();
    fs::write(&fixture.file, guests::stamped("version-0001")).unwrap();
    fixture.runs("version-0001");
}

/// A pipe in place of the file does not hang the thread that reads.
#[test]
fn special_files_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let error = read(directory.path(), 100).unwrap_err();
    assert!(error.contains("not a file"), "{error}");
    let file = directory.path().join("big.wasm");
    fs::write(&file, [0; 101]).unwrap();
    assert!(read(&file, 100).unwrap_err().contains("module_mib"));
    assert!(read(&directory.path().join("none.wasm"), 100).unwrap_err().contains("there is no"));
}
