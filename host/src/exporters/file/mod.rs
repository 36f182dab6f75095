//! The `file` exporter: telemetry into a file.
//!
//! ```yaml
//! exporters:
//!   file:
//!     path: /var/lib/tailrace/spans.json
//!     format: json            # json: a line of OTLP/JSON per batch | proto
//!     compression: zstd       # each record for itself
//!     append: false           # keep what is in the file
//!     rotation: {max_megabytes: 100, max_days: 3, max_backups: 100}
//! ```
//!
//! A record is a line of JSON; with `format: proto` or a compression it is preceded by its length in four bytes, the most
//! significant first.
//!
//! **Promise.** `Ok` means that the operating system has the whole record; it is not synced to the disk. Records are written
//! at once, never gathered in memory, which is sooner than any `flush_interval`. What cannot be written (a full disk) is
//! refused with a retryable error, and what was written of it is cut off again. Files are written beside the data path.
//! One writer serves all signals of an exporter.

mod backups;
mod config;
mod writer;

#[cfg(test)]
mod tests;

use crate::component::{ComponentInfo, ConsumeError, ExporterFactory, Stability, parse};
use crate::export::{Sender, Sent};
use crate::otlp::compression::{Compression, encode};
use crate::otlp::json;
use crate::pdata::{Batch, Signal};
use config::Format;
use std::sync::Arc;
use tailrace_otlp::schema;
use writer::SharedWriter;

/// The line for `components.rs`.
pub const FACTORY: ExporterFactory = ExporterFactory {
    info: ComponentInfo { kind: "file", deprecated: &[], signals: &Signal::ALL, stability: Stability::Alpha },
    parse: |section, problems| Some(parse::<config::Config>(section, problems)? as _),
};

/// Writes batches of one signal.
struct FileSender {
    format: Format,
    compression: Compression,
    writer: Arc<SharedWriter>,
}

impl Sender for FileSender {
    async fn send(&self, batch: Batch) -> Result<Sent, ConsumeError> {
        let (format, compression, writer) = (self.format, self.compression, Arc::clone(&self.writer));
        let written = tokio::task::spawn_blocking(move || {
            let record = record(&batch, format, compression)?;
            writer.write(&record).map_err(|error| ConsumeError::retryable(error.to_string()))
        });
        written.await.unwrap_or_else(|error| Err(ConsumeError::retryable(error.to_string())))?;
        Ok(Sent::all())
    }

    async fn start(&self) -> Result<(), String> {
        let writer = Arc::clone(&self.writer);
        let opened = tokio::task::spawn_blocking(move || writer.open());
        opened.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }

    async fn stop(&self) {
        self.writer.close();
    }
}

/// A batch as it stands in the file.
fn record(batch: &Batch, format: Format, compression: Compression) -> Result<Vec<u8>, ConsumeError> {
    let plain = match format {
        Format::Proto => batch.data().to_vec(),
        Format::Json => {
            let mut line = Vec::with_capacity(2 * batch.bytes());
            json::write(schema::request(batch.signal()), batch.data(), &mut line)
                .map_err(|_| ConsumeError::permanent("the batch cannot be written as JSON"))?;
            line
        }
    };
    if format == Format::Json && compression == Compression::None {
        let mut line = plain;
        line.push(b'\n');
        return Ok(line);
    }
    let body = match compression {
        Compression::None => plain,
        compression => encode(compression, None, &plain).map_err(|error| ConsumeError::permanent(error.to_string()))?,
    };
    let len = u32::try_from(body.len()).map_err(|_| ConsumeError::permanent("a record of more than 4 GiB"))?;
    let mut record = Vec::with_capacity(4 + body.len());
    record.extend_from_slice(&len.to_be_bytes());
    record.extend_from_slice(&body);
    Ok(record)
}
