//! Settings of the `file` exporter: the Collector's keys and defaults.

use super::FileSender;
use super::writer::{Rotation, SharedWriter, Target};
use crate::component::{BuildError, Context, Exporter, ExporterConfig};
use crate::export::{SendSettings, exporter};
use crate::otlp::compression::Compression;
use crate::yaml::{self, Check, GoDuration, Settings};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// The section of a `file` exporter.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Config {
    /// The file.
    path: PathBuf,
    /// `json` or `proto`.
    format: Format,
    /// `zstd` or `none`.
    compression: Codec,
    /// Keep what is in the file; without this (and without rotation) it is emptied at the start.
    append: bool,
    /// Begin a new file when this one is full; off unless written.
    #[serde(deserialize_with = "yaml::present")]
    rotation: Option<RotationSettings>,
    /// By when a record must be in the file. Records are written at once.
    flush_interval: GoDuration,
    /// Make the directory of the file.
    create_directory: bool,
    /// Its permissions, in octal.
    directory_permissions: Permissions,
    encoding: Option<IgnoredAny>,
    group_by: Option<IgnoredAny>,
    /// The writer that the signals of this exporter share.
    #[serde(skip)]
    writer: Mutex<Weak<SharedWriter>>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            format: Format::Json,
            compression: Codec(Compression::None),
            append: false,
            rotation: None,
            flush_interval: GoDuration(Duration::from_secs(1)),
            create_directory: false,
            directory_permissions: Permissions(0o755),
            encoding: None,
            group_by: None,
            writer: Mutex::default(),
        }
    }
}

impl Settings for Config {
    fn check(&self, check: &mut Check<'_>) {
        if self.encoding.is_some() {
            check.error("encoding", "encoding extensions are not supported; use `format`");
        }
        if self.group_by.is_some() {
            check.error("group_by", "is not supported yet; remove the key");
        }
        if self.path.as_os_str().is_empty() {
            check.error("path", "must be non-empty");
        } else if self.path.file_name().is_none() {
            check.error("path", "is no file");
        }
        if self.append && self.rotation.is_some() {
            check.error("append", "excludes `rotation`, which appends anyway");
        }
        if self.append && self.compression.0 != Compression::None {
            check.error("append", "excludes `compression`");
        }
        if check.is_set("directory_permissions") && !self.create_directory {
            check.error("directory_permissions", "needs `create_directory: true`");
        }
        if let Some(rotation) = &self.rotation {
            if rotation.localtime {
                check.error("rotation.localtime", "is not supported: names of backups are in UTC");
            }
            if rotation.max_megabytes == 0 {
                check.error("rotation.max_megabytes", "must be positive");
            }
        }
    }
}

impl ExporterConfig for Config {
    fn build(&self, context: Context) -> Result<Arc<dyn Exporter>, BuildError> {
        let sender = FileSender { format: self.format, compression: self.compression.0, writer: self.shared_writer() };
        Ok(exporter(context, &SendSettings::default(), sender))
    }
}

impl Config {
    fn shared_writer(&self) -> Arc<SharedWriter> {
        let mut known = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = known.upgrade() {
            return writer;
        }
        let rotation = self.rotation.as_ref().map(|rotation| Rotation {
            max_bytes: rotation.max_megabytes.saturating_mul(1 << 20),
            max_age: Duration::from_secs(rotation.max_days.saturating_mul(86_400)),
            max_backups: rotation.max_backups,
        });
        let writer = Arc::new(SharedWriter::new(Target {
            path: self.path.clone(),
            append: self.append || rotation.is_some(),
            rotation,
            create_directory: self.create_directory.then_some(self.directory_permissions.0),
        }));
        *known = Arc::downgrade(&writer);
        writer
    }
}

/// `format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Format {
    /// A line of OTLP/JSON per batch.
    Json,
    /// The encoded batch.
    Proto,
}

/// `rotation`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RotationSettings {
    /// A file that would grow beyond this is renamed, and a new one begun.
    max_megabytes: u64,
    /// Renamed files older than this are removed; 0 keeps them.
    max_days: u64,
    /// Only so many renamed files are kept; 0 keeps all.
    max_backups: usize,
    /// Not supported.
    localtime: bool,
}

impl Default for RotationSettings {
    fn default() -> Self {
        Self { max_megabytes: 100, max_days: 0, max_backups: 100, localtime: false }
    }
}

/// `compression`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Codec(Compression);

impl TryFrom<String> for Codec {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match &*name {
            "zstd" => Ok(Self(Compression::Zstd)),
            "none" | "" => Ok(Self(Compression::None)),
            _ => Err(format!("compression {name:?} is not supported; use zstd or none")),
        }
    }
}

/// `directory_permissions`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Permissions(u32);

impl TryFrom<String> for Permissions {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mode = u32::from_str_radix(&text, 8).ok().filter(|mode| *mode <= 0o777);
        mode.map(Self).ok_or_else(|| format!("{text:?} are no permissions such as \"0755\""))
    }
}
