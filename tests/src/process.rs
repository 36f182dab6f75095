//! The real `tailrace`, in a process of its own: what it uses and what it says, seen from outside.

use crate::http;
use serde_json::Value;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running collector; it is killed when this is dropped.
pub struct Process {
    child: Child,
    admin: SocketAddr,
    directory: tempfile::TempDir,
}

impl Process {
    /// Starts `binary` with a configuration and waits until it is ready.
    ///
    /// # Panics
    /// When it does not get ready within a minute: its log is the message.
    pub async fn start(binary: &Path, yaml: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let config = directory.path().join("tailrace.yaml");
        std::fs::write(&config, yaml).expect("writable");
        // Free a moment ago.
        let admin = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port");
        let log = std::fs::File::create(directory.path().join("log")).expect("writable");
        let mut command = Command::new(binary);
        command.arg("--config").arg(&config).arg("--admin-endpoint").arg(admin.to_string());
        command.env_remove("RUST_LOG").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
        let mut process = Self { child, admin, directory };
        let end = Instant::now() + Duration::from_secs(60);
        while process.try_status().await.is_none_or(|status| status["state"] != "ready") {
            assert!(Instant::now() < end && process.lives(), "it does not get ready:\n{}", process.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        process
    }

    async fn try_status(&self) -> Option<Value> {
        let reply = http::try_send(self.admin, hyper::Method::GET, "/status", &[], "").await.ok()?;
        serde_json::from_slice(&reply.body).ok()
    }

    /// `GET /status`.
    ///
    /// # Panics
    /// When nobody answers.
    pub async fn status(&self) -> Value {
        self.try_status().await.unwrap_or_else(|| panic!("no status:\n{}", self.log()))
    }

    /// The address of a listener, as in `otlp/grpc`.
    pub async fn address(&self, listener: &str) -> SocketAddr {
        let status = self.status().await;
        let address = status["listening"][listener].as_str().unwrap_or_else(|| panic!("no {listener}: {status:#}"));
        address.parse().expect("an address")
    }

    /// Whether it still runs.
    pub fn lives(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|ended| ended.is_none())
    }

    /// What it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Its memory in MiB: now, and at most so far.
    pub fn memory_mib(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let kib = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()
        };
        (kib("VmRSS:").unwrap_or_default() / 1024, kib("VmHWM:").unwrap_or_default() / 1024)
    }

    /// Asks it to end; whether it did in good order within this time.
    pub async fn stop(&mut self, within: Duration) -> bool {
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let end = Instant::now() + within;
        while Instant::now() < end {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.success();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        false
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processor time of a process and of all that it started.
pub fn processor_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace();
    // After the name: user and system time of its own, and of children that ended, in hundredths of a second.
    let ticks: u64 = fields.skip(11).take(4).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(10 * ticks) + children(pid).into_iter().map(processor_time).sum::<Duration>()
}

/// What a process started, by whichever of its threads.
pub fn children(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let children = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    children.collect::<String>().split_ascii_whitespace().filter_map(|child| child.parse().ok()).collect()
}
