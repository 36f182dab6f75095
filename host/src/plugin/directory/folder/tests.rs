//! What a directory makes of files that are no plugins for a pipeline; plugins that run are seen end to end.

use super::*;
use crate::plugin::contract::SAMPLER_ONLY;
use crate::plugin::directory::loads::Loads;
use crate::plugin::log::is_one_line;

/// Finds a sampler in every file whose name says so, and no plugin in any other.
struct Fake;

impl Loader for Fake {
    fn load(&self, found: &Found<'_>, _: Option<&Plugin>) -> Result<Plugin, LoadError> {
        match found.name.contains("sampler") {
            true => Err(LoadError(SAMPLER_ONLY.to_owned())),
            false => Err(LoadError(format!("{} is not to my taste", found.name))),
        }
    }

    fn publish(&self, members: Vec<Arc<Member>>) {
        assert!(members.is_empty());
    }
}

fn options(path: &Path) -> FolderOptions {
    FolderOptions { path: path.to_owned(), plugins_max: 2, grace: Duration::from_secs(60), bytes_max: 1000 }
}

fn open(path: &Path) -> Result<Arc<Folder>, String> {
    Folder::open(options(path), Box::new(Fake))
}

/// A sampler is passed over, at the start and later; what is hidden, or no plugin by its name, is not looked at.
#[test]
fn samplers_are_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["10-sampler.wasm", ".x.wasm", "#x.wasm", "x.wasm~", "x.wasm.tmp", ".wasm"] {
        std::fs::write(directory.path().join(name), b"bytes").unwrap();
    }
    let folder = open(directory.path()).unwrap();
    let plugins = folder.status()["plugins"].clone();
    assert_eq!(plugins.as_array().unwrap().len(), 1, "{plugins:#}");
    assert_eq!((&plugins[0]["name"], &plugins[0]["state"]), (&"10-sampler".into(), &"sampler".into()));
    assert!(folder.members().is_empty());
    std::fs::remove_file(directory.path().join("10-sampler.wasm")).unwrap();
    folder.follow(&Loads::new(1, || ()));
    assert_eq!(folder.status()["plugins"], json!([]), "what never ran need not be waited for");
}

/// At the start every fault is told; too many plugins are one.
#[test]
fn faults_from_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| std::fs::write(directory.path().join(name), bytes).unwrap();
    put("a.wasm", b"bytes");
    put("b.wasm", b"bytes");
    put("b.yaml", &[0xff]);
    let faults = open(directory.path()).map(drop).unwrap_err();
    assert!(faults.contains("a is not to my taste") && faults.contains("b.yaml is not UTF-8 text"), "{faults}");
    put("c.wasm", b"bytes");
    assert!(open(directory.path()).map(drop).unwrap_err().contains("max_plugins"));
    put("c.wasm", &[0; 1001]);
    std::fs::remove_file(directory.path().join("a.wasm")).unwrap();
    assert!(open(directory.path()).map(drop).unwrap_err().contains("module_mib"));
}

/// A name that could write a line of its own into the log, or that is no text at all, is no plugin; the status says so.
#[test]
fn names_that_are_no_names() {
    use std::os::unix::ffi::OsStrExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    for name in [&b"a\n2026-01-01 ERROR forged.wasm"[..], b"b\x1b[31m.wasm", b"\xff.wasm", "\u{202e}c.wasm".as_bytes()]
    {
        std::fs::write(path.join(std::ffi::OsStr::from_bytes(name)), b"bytes").unwrap();
    }
    let folder = open(path).unwrap();
    folder.follow(&Loads::new(1, || ()));
    let status = folder.status();
    assert_eq!(status["plugins"], json!([]));
    let unused = status["unused"].as_array().unwrap();
    assert_eq!(unused.len(), 4, "{unused:?}");
    for line in unused {
        let line = line.as_str().unwrap();
        assert!(line.contains("is not used: its name") && is_one_line(line), "{line}");
    }
}

/// What may hold plugins, or leads to one, is not taken for nothing: at the start nothing would stop what they stop.
#[test]
fn what_cannot_be_looked_at() {
    let parent = tempfile::tempdir().unwrap();
    let at = |name: &str| parent.path().join(name);
    let refused = |path: &Path, words: &str| {
        let faults = open(path).map(drop).unwrap_err();
        assert!(faults.contains(words), "{faults}");
    };
    std::fs::write(at("file"), b"").unwrap();
    refused(&at("file"), "cannot read");
    std::os::unix::fs::symlink("nowhere", at("link")).unwrap();
    refused(&at("link"), "there is no");
    std::fs::create_dir(at("plugins")).unwrap();
    std::os::unix::fs::symlink("nowhere", at("plugins/a.wasm")).unwrap();
    refused(&at("plugins"), "a.wasm is a link that leads nowhere");
    std::fs::remove_file(at("plugins/a.wasm")).unwrap();
    std::fs::write(at("plugins/a.wasm"), b"bytes").unwrap();
    std::os::unix::fs::symlink("nowhere", at("plugins/a.yaml")).unwrap();
    refused(&at("plugins"), "a.yaml is a link that leads nowhere");
    std::fs::create_dir(at("many")).unwrap();
    for number in 0..=10_000 {
        std::fs::write(at("many").join(number.to_string()), b"").unwrap();
    }
    refused(&at("many"), "more than 10000 entries");
}

/// What is no file is not read, whatever would come of it, and one that is too long not to its end.
#[test]
fn what_is_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    rustix::fs::mknodat(rustix::fs::CWD, at("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    std::fs::create_dir(at("directory")).unwrap();
    std::os::unix::fs::symlink("loop", at("loop")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", at("zero")).unwrap();
    std::fs::File::create(at("sparse")).unwrap().set_len(1 << 40).unwrap();
    for (name, words) in [
        ("fifo", "is not a file"),
        ("directory", "is not a file"),
        ("zero", "is not a file"),
        ("loop", "loop"),
        ("sparse", "more than the 1000 bytes"),
    ] {
        let error = look::read(&at(name), 1000).unwrap_err();
        assert!(error.contains(words), "{name}: {error}");
    }
}

/// A directory that is not there is one without plugins, and says so until it is.
#[test]
fn no_directory() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("plugins");
    let folder = open(&path).unwrap();
    assert!(folder.status()["problem"].as_str().unwrap().contains("there is no"));
    std::fs::create_dir(&path).unwrap();
    std::fs::write(path.join("a.yml"), b"").unwrap();
    std::fs::write(path.join("b.yaml"), b"").unwrap();
    std::fs::write(path.join("a.wasm"), b"bytes").unwrap();
    // Seen for the first time, and then found to be stable.
    let loads = Loads::new(1, || ());
    assert_eq!((folder.follow(&loads), folder.follow(&loads)), (Some(STABLE), None));
    loads.wait();
    let status = folder.status();
    assert!(status["problem"].is_null(), "{status:#}");
    assert_eq!(
        status["unused"],
        json!(["a.yml is not used: call it a.yaml", "b.yaml belongs to no plugin: there is no b.wasm"])
    );
    assert_eq!(status["plugins"][0]["state"], "not loaded");
    assert!(status["plugins"][0]["problem"].as_str().unwrap().contains("not to my taste"));
}
