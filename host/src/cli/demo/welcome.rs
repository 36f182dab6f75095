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
        format!(
            "  OTLP over gRPC at both ends, all in this process; the article's configuration with decision_wait \
             {DECISION_WAIT_SECONDS}s."
        ),
        "  Ctrl-C ends it with a summary.".to_owned(),
        String::new(),
        row(
            "send yours",
            format!(
                "OTEL_EXPORTER_OTLP_ENDPOINT={} (grpc), {} (http/protobuf)",
                url(welcome.grpc, ""),
                url(welcome.http, "")
            ),
        ),
        row("look", format!("{}, {}", url(welcome.admin, "/status"), url(welcome.metrics, "/metrics"))),
        row("plugins", format!("{watched} (watched)")),
        String::new(),
        style.bold("Swap the plugin while spans flow, there and back, and watch the span at the end of the status:"),
        format!("  cp {other} {running}"),
        format!("  cp {original} {running}"),
        String::new(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_where_to_look_and_what_to_copy() {
        let welcome = Welcome {
            grpc: Some(([127, 0, 0, 1], 1).into()),
            http: Some(([127, 0, 0, 1], 2).into()),
            metrics: Some(([127, 0, 0, 1], 3).into()),
            admin: None,
            watched: "/tmp/demo/plugins".into(),
            running: "/tmp/demo/plugins/redact.wasm".into(),
            original: "/tmp/demo/redact.wasm".into(),
            other: "/tmp/demo/mask-email.wasm".into(),
        };
        let expected = "\
A shop of five services -> redact (Wasm) -> tail sampling -> batch -> a backend
  OTLP over gRPC at both ends, all in this process; the article's configuration with decision_wait 2s.
  Ctrl-C ends it with a summary.

  send yours  OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1 (grpc), http://127.0.0.1:2 (http/protobuf)
  look        off, http://127.0.0.1:3/metrics
  plugins     /tmp/demo/plugins (watched)

Swap the plugin while spans flow, there and back, and watch the span at the end of the status:
  cp /tmp/demo/mask-email.wasm /tmp/demo/plugins/redact.wasm
  cp /tmp/demo/redact.wasm /tmp/demo/plugins/redact.wasm
";
        assert_eq!(lines(&welcome, Style::Plain).join("\n"), expected);
    }
}
