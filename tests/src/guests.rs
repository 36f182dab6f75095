//! Plugins for tests: compiled from source once per test process, or made on the spot.
//!
//! Built with a nested cargo into a target directory of their own, the same as the host's build script uses, so that a
//! second build is a matter of milliseconds.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "support of tests: a failure here is one there"
)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

/// The component of a crate of this workspace: `redact`, `drop-health`, `mad-attributes` ...
///
/// # Panics
/// If it does not build: then no test that wants it means anything.
pub fn guest(name: &str) -> Arc<[u8]> {
    static BUILT: Mutex<Option<HashMap<String, Arc<[u8]>>>> = Mutex::new(None);
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(built.get_or_insert_default().entry(name.to_owned()).or_insert_with(|| build(name).into()))
}

fn build(name: &str) -> Vec<u8> {
    let manifest_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = manifest_dir.parent().expect("the crate lies in a workspace");
    let target = target_dir(root).join("guests");
    let mut cargo = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    cargo.current_dir(root).args(["build", "--quiet", "--profile", "plugin", "--target", "wasm32-wasip2", "-p", name]);
    cargo.arg("--target-dir").arg(&target).env_remove("CARGO_TARGET_DIR");
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().contains("RUSTFLAGS") {
            cargo.env_remove(variable);
        }
    }
    let status = cargo.status().expect("cargo runs");
    assert!(status.success(), "{name} does not build");
    let file = target.join("wasm32-wasip2/plugin").join(format!("{}.wasm", name.replace('-', "_")));
    std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The target directory of this workspace: above this test's executable.
fn target_dir(root: &Path) -> PathBuf {
    let exe = std::env::current_exe().unwrap_or_default();
    let marked = exe.ancestors().find(|path| path.join("CACHEDIR.TAG").exists()).map(Path::to_owned);
    marked.unwrap_or_else(|| root.join("target"))
}

/// The length of a stamp.
pub const STAMP_LEN: usize = 12;

/// `mad-attributes` with another stamp: it sets every attribute `victim` to this text, and says that it is its version.
/// Each stamp makes a file of its own hash.
///
/// # Panics
/// If the text is not [`STAMP_LEN`] bytes long.
pub fn stamped(text: &str) -> Vec<u8> {
    const ORIGINAL: &[u8; STAMP_LEN] = b"@@STAMP-00@@";
    assert_eq!(text.len(), STAMP_LEN, "{text:?} must have {STAMP_LEN} bytes");
    let mut bytes = guest("mad-attributes").to_vec();
    let places: Vec<_> = (0..bytes.len() - STAMP_LEN).filter(|at| &bytes[*at..at + STAMP_LEN] == ORIGINAL).collect();
    assert!(!places.is_empty(), "the stamp is not in the file");
    for at in places {
        bytes[at..at + STAMP_LEN].copy_from_slice(text.as_bytes());
    }
    bytes
}

/// `mad-attributes` or `mad-processor` that does this without being told by a configuration: a file of its own for each
/// behaviour.
///
/// # Panics
/// If the text is too long.
pub fn behaving(guest_name: &str, what: &str) -> Vec<u8> {
    const MARK: &[u8] = b"MAD-BEHAVIOUR->";
    const ROOM: usize = 64 - MARK.len();
    assert!(what.len() <= ROOM, "{what:?} is too long");
    let mut bytes = guest(guest_name).to_vec();
    let at = bytes.windows(MARK.len()).position(|window| window == MARK).expect("the guest has its mark") + MARK.len();
    bytes[at..at + ROOM].fill(b' ');
    bytes[at..at + what.len()].copy_from_slice(what.as_bytes());
    bytes
}

/// The same component with a custom section more: another file, the same behaviour.
pub fn retouched(component: &[u8], note: u8) -> Vec<u8> {
    let section = [0, 7, 4, b'n', b'o', b't', b'e', note, note];
    [component, &section].concat()
}

/// A core module, which is no component: the smallest there is.
pub const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// A component that exports nothing: the smallest there is.
pub const EMPTY_COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
