//! The demo's configuration: the article's, unchanged, and over it what differs on this machine.

use std::net::SocketAddr;
use std::path::Path;

/// The configuration of the article.
const ARTICLE: &str = include_str!("../../../../examples/article/tailrace.yaml");

/// Name of the file in the plugin directory, without `.wasm`.
pub(super) const MODULE: &str = "redact";
/// Time until a trace is decided; the article waits ten seconds.
pub(super) const DECISION_WAIT_SECONDS: u64 = 2;

/// Sources for `config::load`, later ones over earlier ones.
pub(super) fn sources(plugins: &Path, backend: SocketAddr) -> Vec<String> {
    vec![format!("yaml:{ARTICLE}"), format!("yaml:{}", overlay(plugins, backend))]
}

/// Free ports, the built-in backend, shorter waits, and the plugin in front of tail sampling.
fn overlay(plugins: &Path, backend: SocketAddr) -> String {
    // JSON is YAML, and a dollar sign would begin a substitution.
    let directory = serde_json::Value::from(plugins.to_string_lossy()).to_string().replace('$', "$$");
    format!(
        "
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: 127.0.0.1:0
      http:
        endpoint: 127.0.0.1:0
processors:
  wasm/redact:
    directory: {directory}
    module: {MODULE}
    config: {{keys: [user.email]}}
  tail_sampling:
    decision_wait: {DECISION_WAIT_SECONDS}s
  batch:
    timeout: 500ms
exporters:
  otlp/tempo:
    endpoint: {backend}
service:
  pipelines:
    traces:
      processors: [memory_limiter, wasm/redact, tail_sampling, batch]
  telemetry:
    metrics:
      readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: 0}}}}}}}}]
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The overlay names nothing that the article's file does not have, but the plugin.
    #[test]
    fn quotes_the_directory() {
        let text = overlay(Path::new("/tmp/a \"b\" $c"), ([127, 0, 0, 1], 4317).into());
        assert!(text.contains(r#"directory: "/tmp/a \"b\" $$c""#), "{text}");
        assert!(text.contains("endpoint: 127.0.0.1:4317\n"), "{text}");
    }
}
