//! The first lines of the demo: what runs, where to look, and how to swap the plugin.

use super::config::DECISION_WAIT_SECONDS;
use super::screen::Style;
use super::world::World;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What the first lines tell.
pub(super) struct Welcome {
    grpc: Option<SocketAddr>,
    http: Option<SocketAddr>,
    metrics: Option<SocketAddr>,
    admin: Option<SocketAddr>,
    watched: PathBuf,
    running: PathBuf,
    original: PathBuf,
    other: PathBuf,
}

impl Welcome {
    /// To this world.
    pub(super) fn of(world: &World) -> Self {
        let plugins = world.plugins();
        Self {
            grpc: world.address("otlp/grpc"),
            http: world.address("otlp/http"),
            metrics: world.address("metrics"),
            admin: world.address("admin"),
            watched: plugins.watched().to_owned(),
            running: plugins.running(),
            original: plugins.original(),
            other: plugins.other(),
        }
    }
}

/// The lines; paths and addresses are never cut.
pub(super) fn lines(welcome: &Welcome, style: Style) -> Vec<String> {
    let Welcome { watched, running, original, other, .. } = welcome;
    let (watched, running) = (watched.display(), running.display());
    let (original, other) = (original.display(), other.display());
    let url = |address: Option<SocketAddr>, path: &str| match address {
        Some(address) => format!("http://{address}{path}"),
        None => "off".to_owned(),
    };
    let row = |label: &str, text: String| format!("  {label:<10}  {text}");
    vec![
        style.bold("A shop of five services -> redact (Wasm) -> tail sampling -> batch -> a backend"),
        row("", "OTLP over gRPC at both ends, all in this process, the article's configuration".to_owned()),
        row("", format!("with decision_wait {DECISION_WAIT_SECONDS}s. Ctrl-C ends it with a summary.")),
        String::new(),
        row(
            "send yours",
            format!("OTEL_EXPORTER_OTLP_ENDPOINT={} (grpc), {} (http)", url(welcome.grpc, ""), url(welcome.http, "")),
        ),
        row("look", format!("{}, {}", url(welcome.admin, "/status"), url(welcome.metrics, "/metrics"))),
        row("plugins", format!("{watched} (watched)")),
        String::new(),
        style.bold("Swap the plugin while spans flow, and watch the span at the end of the status:"),
        format!("  cp {other} {running}"),
        format!("  cp {original} {running}"),
        String::new(),
    ]
}
