//! What is in the file, also when the disk is full.

use super::config::Config;
use crate::component::ExporterConfig;
use crate::export::testing::{Rig, batch, context, span_names};
use crate::pdata::{Batch, Signal};
use crate::yaml;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

fn config(path: &Path, more: &str) -> Config {
    let text = format!("path: {}\n{more}", path.display());
    yaml::from_str("test", &text).unwrap_or_else(|problems| panic!("{problems}"))
}

async fn start(config: &Config, signal: Signal) -> Rig {
    let context = context(signal);
    Rig::start(context.clone(), config.build(context).unwrap()).await
}

/// Records with a length in front, decompressed by other means than ours.
fn records(mut data: &[u8], compressed: bool) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while let Some((len, rest)) = data.split_first_chunk::<4>() {
        let (record, rest) = rest.split_at(u32::from_be_bytes(*len) as usize);
        let mut plain = Vec::new();
        if compressed {
            zstd::Decoder::new(record).unwrap().read_to_end(&mut plain).unwrap();
        } else {
            plain.extend_from_slice(record);
        }
        records.push(plain);
        data = rest;
    }
    assert!(data.is_empty());
    records
}

fn json_names(json: &[u8]) -> Vec<String> {
    let json: serde_json::Value = serde_json::from_slice(json).unwrap();
    let spans = json["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
    spans.iter().map(|span| span["name"].as_str().unwrap().to_owned()).collect()
}

fn proto_names(proto: &[u8]) -> Vec<String> {
    span_names(ExportTraceServiceRequest::decode(proto).unwrap().resource_spans)
}

#[tokio::test]
async fn every_format() {
    let directory = tempfile::tempdir().unwrap();
    for (more, compressed, json) in [
        ("format: json", false, true),
        ("format: proto", false, false),
        ("format: json\ncompression: zstd", true, true),
        ("format: proto\ncompression: zstd", true, false),
    ] {
        let path = directory.path().join("out");
        std::fs::write(&path, "old").unwrap();
        let rig = start(&config(&path, more), Signal::Traces).await;
        rig.consume(batch("a", 2)).await.unwrap();
        rig.consume(batch("b", 1)).await.unwrap();
        rig.shutdown(Duration::from_secs(1)).await;
        assert_eq!(rig.settled().handed_on, 3);
        let data = std::fs::read(&path).unwrap();
        let names: Vec<Vec<String>> = match (compressed, json) {
            (false, true) => data.split_terminator_lines().map(json_names).collect(),
            (_, true) => records(&data, compressed).iter().map(|record| json_names(record)).collect(),
            (_, false) => records(&data, compressed).iter().map(|record| proto_names(record)).collect(),
        };
        assert_eq!(names, [vec!["a"; 2], vec!["b"]], "{more}");
    }
}

trait Lines {
    fn split_terminator_lines(&self) -> impl Iterator<Item = &[u8]>;
}

impl Lines for Vec<u8> {
    fn split_terminator_lines(&self) -> impl Iterator<Item = &[u8]> {
        assert_eq!(self.last(), Some(&b'\n'));
        self[..self.len() - 1].split(|byte| *byte == b'\n')
    }
}

#[tokio::test]
async fn append_keeps_what_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deep/er/out.json");
    let config = config(&path, "append: true\ncreate_directory: true\ndirectory_permissions: \"0700\"");
    for name in ["a", "b"] {
        let rig = start(&config, Signal::Traces).await;
        rig.consume(batch(name, 1)).await.unwrap();
        rig.shutdown(Duration::from_secs(1)).await;
        assert!(rig.consume(batch("late", 1)).await.is_err());
    }
    let names: Vec<_> = std::fs::read(&path).unwrap().split_terminator_lines().map(json_names).collect();
    assert_eq!(names, [["a"], ["b"]]);
}

/// The signals of one exporter share the file; it stays open until the last one stops.
#[tokio::test]
async fn signals_share_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out.json");
    let config = config(&path, "");
    let traces = start(&config, Signal::Traces).await;
    traces.consume(batch("a", 1)).await.unwrap();
    let logs = start(&config, Signal::Logs).await;
    traces.shutdown(Duration::from_secs(1)).await;
    let some = batch("b", 1);
    logs.consume(Batch::from_parts(Signal::Logs, Vec::new(), Arc::clone(some.index()))).await.unwrap();
    logs.shutdown(Duration::from_secs(1)).await;
    let lines = std::fs::read(&path).unwrap();
    assert_eq!(lines.split_terminator_lines().count(), 2);
}

/// No file grows beyond the limit, every record is in exactly one of them, and only so many are kept.
#[tokio::test]
async fn rotates() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out.json");
    let rig = start(&config(&path, "rotation: {max_megabytes: 1, max_backups: 3}"), Signal::Traces).await;
    let name = "n".repeat(300);
    for i in 0..12 {
        rig.consume(batch(&format!("{i}-{name}"), 1_000)).await.unwrap();
    }
    rig.shutdown(Duration::from_secs(1)).await;
    assert_eq!(rig.settled().handed_on, 12_000);
    let mut files: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    // The current file sorts last: '.' comes after '-'.
    files.sort();
    assert_eq!(files.len(), 4, "{files:?}");
    assert_eq!(files.last(), Some(&path));
    let mut found = Vec::new();
    for file in files {
        let data = std::fs::read(&file).unwrap();
        assert!(data.len() <= 1 << 20, "{file:?}: {}", data.len());
        found.extend(
            data.split_terminator_lines().map(|line| json_names(line)[0].split('-').next().unwrap().to_owned()),
        );
    }
    let (first, last): (usize, usize) = (found[0].parse().unwrap(), found.last().unwrap().parse().unwrap());
    assert_eq!(last, 11);
    assert_eq!(found, (first..=last).map(|i| i.to_string()).collect::<Vec<_>>());
}

/// A full disk refuses retryably; nothing is lost silently.
#[tokio::test]
async fn a_full_disk_refuses() {
    let full = Path::new("/dev/full");
    if !full.exists() {
        return;
    }
    let rig = start(&config(full, ""), Signal::Traces).await;
    let error = rig.consume(batch("a", 4)).await.unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains("/dev/full"), "{error}");
    rig.shutdown(Duration::from_secs(1)).await;
    assert_eq!(rig.settled().taken, 0);
    assert_eq!(rig.metric("otelcol_exporter_send_failed_spans_total"), 4);
}

#[tokio::test]
async fn a_missing_directory_stops_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(&directory.path().join("no/out.json"), "");
    let started = config.build(context(Signal::Traces)).unwrap().start().await;
    assert!(started.unwrap_err().to_string().contains("out.json"));
}

#[test]
fn rules_of_the_section() {
    for (text, fault) in [
        ("{}", "path"),
        ("path: /", "no file"),
        ("path: a\nencoding: otlp_json", "encoding"),
        ("path: a\ngroup_by: {enabled: true}", "group_by"),
        ("path: a\nformat: xml", "xml"),
        ("path: a\ncompression: gzip", "gzip"),
        ("path: a\nappend: true\nrotation: ", "rotation"),
        ("path: a\nappend: true\ncompression: zstd", "compression"),
        ("path: a\nrotation: {localtime: true}", "localtime"),
        ("path: a\nrotation: {max_megabytes: 0}", "max_megabytes"),
        ("path: a\ndirectory_permissions: \"0755\"", "create_directory"),
        ("path: a\ncreate_directory: true\ndirectory_permissions: \"999\"", "999"),
    ] {
        let found = yaml::from_str::<Config>("test", text).map(|_| ()).unwrap_err().to_string();
        assert!(found.contains(fault), "{text:?} should complain about {fault:?}: {found}");
    }
}
