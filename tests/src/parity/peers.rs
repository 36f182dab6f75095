//! The two collectors: the same configuration, a port each, and one sink that tells them and their pipelines apart by path.

use super::policies::{Case, Traffic};
use crate::http;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The Collector.
    Otelcol,
    /// Tailrace.
    Tailrace,
}

impl Kind {
    /// Its name, and the first part of its paths at the sink.
    pub fn name(self) -> &'static str {
        match self {
            Self::Otelcol => "otelcol",
            Self::Tailrace => "tailrace",
        }
    }
}

/// The configuration of some cases: a pipeline for each, with its own processor and its own path at the sink.
pub fn yaml(kind: Kind, cases: &BTreeMap<usize, Case>) -> String {
    let mut text = String::from("receivers:\n");
    for traffic in Traffic::ALL {
        let (name, port) = (traffic.name(), port(traffic));
        let _ = writeln!(
            text,
            "  otlp/{name}: {{protocols: {{http: {{endpoint: '127.0.0.1:${{env:{port}}}', max_request_body_size: 100000000}}}}}}"
        );
    }
    let (mut processors, mut exporters, mut pipelines) = (String::new(), String::new(), String::new());
    for (number, case) in cases {
        let mut settings = case.settings.clone();
        if let (Kind::Tailrace, Some(settings), Some(ours)) = (kind, settings.as_object_mut(), case.ours.as_object()) {
            settings.extend(ours.clone());
        }
        let _ = writeln!(processors, "  tail_sampling/c{number}: {settings}");
        let _ = writeln!(
            exporters,
            "  otlp_http/c{number}: {{traces_endpoint: '${{env:SINK}}/c{number}', compression: none}}"
        );
        let receiver = case.traffic.name();
        let _ = writeln!(
            pipelines,
            "    traces/c{number}: {{receivers: [otlp/{receiver}], processors: [tail_sampling/c{number}, batch], exporters: [otlp_http/c{number}]}}"
        );
    }
    // A receiver must be used.
    let idle = "receivers: [otlp/random, otlp/equal, otlp/whole, otlp/blocking, otlp/pending], exporters: [nop]";
    let _ = write!(
        text,
        "processors:\n  batch: {{timeout: 100ms}}\n{processors}exporters:\n  nop:\n{exporters}service:\n  \
         telemetry: {{metrics: {{level: none}}, logs: {{level: error}}}}\n  pipelines:\n    traces/idle: {{{idle}}}\n{pipelines}"
    );
    text
}

/// The variable with the port for some traffic.
fn port(traffic: Traffic) -> &'static str {
    match traffic {
        Traffic::Random => "RANDOM_PORT",
        Traffic::Equal => "EQUAL_PORT",
        Traffic::Whole => "WHOLE_PORT",
        Traffic::Blocking => "BLOCKING_PORT",
        Traffic::Pending => "PENDING_PORT",
    }
}

/// A program and the flags that it gets.
#[derive(Clone, Debug)]
pub struct Binary {
    /// Where it is.
    pub path: PathBuf,
    /// Feature gates, which both know by the same flag.
    pub flags: Vec<String>,
}

/// A collector in a process of its own; it is killed when this is dropped.
pub struct Peer {
    /// Which it is.
    pub kind: Kind,
    child: Child,
    ports: [u16; Traffic::ALL.len()],
    log: PathBuf,
    _directory: tempfile::TempDir,
}

impl Peer {
    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// What it says when it does not.
    pub async fn start(kind: Kind, binary: &Binary, yaml: &str, sink: SocketAddr) -> Result<Self, String> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (config, log) = (directory.path().join("config.yaml"), directory.path().join("log"));
        std::fs::write(&config, yaml).expect("writable");
        // Free a moment ago: one that chooses a port itself does not say which.
        let free = || TcpListener::bind("127.0.0.1:0").expect("a free port");
        let sockets = Traffic::ALL.map(|_| free());
        let ports = sockets.map(|socket| socket.local_addr().expect("an address").port());
        let mut command = Command::new(&binary.path);
        command.args(&binary.flags).arg("--config").arg(&config);
        if kind == Kind::Tailrace {
            command.args(["--admin-endpoint", "127.0.0.1:0"]);
        }
        command.envs(Traffic::ALL.map(port).into_iter().zip(ports.map(|port| port.to_string())));
        command.env("SINK", format!("http://{sink}/{}", kind.name()));
        let file = std::fs::File::create(&log).expect("writable");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        let child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", binary.path.display()));
        let mut peer = Self { kind, child, ports, log, _directory: directory };
        let end = Instant::now() + Duration::from_secs(60);
        let listens = |port| std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
        while !peer.ports.into_iter().all(listens) {
            if peer.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return Err(peer.log());
            }
            assert!(Instant::now() < end, "{} does not get ready:\n{}", kind.name(), peer.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(peer)
    }

    /// Tells it to end, and waits until it has.
    pub async fn end(&mut self) {
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(told.is_ok_and(|status| status.success()), "{} has ended before:\n{}", self.kind.name(), self.log());
        let end = Instant::now() + Duration::from_secs(60);
        while !self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
            assert!(Instant::now() < end, "{} does not end:\n{}", self.kind.name(), self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends a request; its status and what was said.
    pub async fn send(&self, traffic: Traffic, request: Bytes) -> (u16, String) {
        let at = Traffic::ALL.iter().position(|own| *own == traffic).expect("it is one of them");
        let address = (Ipv4Addr::LOCALHOST, self.ports[at]).into();
        let reply = http::post(address, "/v1/traces", "application/x-protobuf", request).await;
        (reply.status, String::from_utf8_lossy(&reply.body).into_owned())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The cases that a message about a configuration names, with what it says of them.
pub fn named(message: &str) -> BTreeMap<usize, String> {
    let mut found = BTreeMap::new();
    for line in message.lines() {
        for rest in line.split("tail_sampling/c").skip(1) {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            if let Ok(number) = rest[..digits].parse() {
                let (what, known) = (rest[digits..].trim(), found.entry(number).or_insert_with(String::new));
                // Several lines may name it: the longest says why.
                if what.len() > known.len() {
                    *known = what.to_owned();
                }
            }
        }
    }
    found
}

/// The cases that `tailrace validate` refuses, and why.
pub fn refused(binary: &Binary, yaml: &str) -> BTreeMap<usize, String> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let config = directory.path().join("config.yaml");
    std::fs::write(&config, yaml).expect("writable");
    let mut command = Command::new(&binary.path);
    command.arg("validate").args(&binary.flags).arg("--config").arg(&config);
    command.envs(Traffic::ALL.map(port).into_iter().zip(["1", "2", "4", "5", "6"])).env("SINK", "http://127.0.0.1:3");
    let output = command.output().unwrap_or_else(|error| panic!("{}: {error}", binary.path.display()));
    if output.status.success() {
        return BTreeMap::new();
    }
    let message = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    let errors: String =
        message.lines().filter(|line| !line.contains("warning")).map(|line| format!("{line}\n")).collect();
    let found = named(&errors);
    assert!(!found.is_empty(), "tailrace refuses all of it:\n{message}");
    found
}
