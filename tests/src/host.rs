//! A collector in this process, on free ports.

use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;
use tailrace::collector::{Collector, Options};
use tailrace::components::FACTORIES;
use tailrace::config;
use tailrace::shutdown::Deadline;
use tailrace::telemetry::{Line, Telemetry};

/// A running collector.
pub struct Host(Collector);

impl Host {
    /// Starts one from YAML text, with metrics and admin on free ports.
    ///
    /// # Panics
    /// When the configuration is refused: the faults are the message.
    pub async fn start(yaml: &str) -> Self {
        Self::try_start(&[format!("yaml:{yaml}")], &[]).await.unwrap_or_else(|faults| panic!("{faults}"))
    }

    /// Starts one from sources and `--set`s, as the command line does.
    pub async fn try_start(sources: &[String], sets: &[String]) -> Result<Self, String> {
        let free_port = "yaml:service::telemetry::metrics::readers: \
            [{pull: {exporter: {prometheus: {host: 127.0.0.1, port: 0}}}}]";
        let mut sources = sources.to_vec();
        sources.push(free_port.to_owned());
        let config = config::load(&sources, sets, &FACTORIES).map_err(|problems| problems.to_string())?;
        let options = Options { workers: 2, admin_endpoint: Some("127.0.0.1:0".to_owned()) };
        Ok(Self(Collector::start(&config, &options).await.map_err(|error| error.to_string())?))
    }

    /// Its own telemetry.
    pub fn telemetry(&self) -> &Telemetry {
        self.0.telemetry()
    }

    /// The address of a listener, as in `otlp/grpc`.
    pub fn address(&self, name: &str) -> SocketAddr {
        let status = self.0.telemetry().status();
        status.address(name).unwrap_or_else(|| panic!("{name} is not among {:?}", status.addresses()))
    }

    /// A metric as `/metrics` shows it, summed over the series that carry all of `labels`.
    pub fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        self.0.telemetry().metrics().total(name, labels)
    }

    /// `GET path` of a listener: status and body.
    pub async fn get(&self, listener: &str, path: &str) -> (u16, String) {
        get(self.address(listener), path).await
    }

    /// `GET /status`.
    pub async fn status(&self) -> Value {
        let (status, body) = self.get("admin", "/status").await;
        assert_eq!(status, 200);
        serde_json::from_str(&body).expect("the status is JSON")
    }

    /// Drains within 10 s and gives the final ledger.
    pub async fn stop(self) -> Vec<Line> {
        self.0.shutdown(Deadline::after(Duration::from_secs(10))).await
    }
}

/// `GET` over HTTP/1.1: status and body.
pub async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    use http_body_util::{BodyExt, Empty};
    let stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.expect("it speaks HTTP");
    tokio::spawn(connection);
    let request = hyper::Request::get(path).header("host", "test").body(Empty::<bytes::Bytes>::new());
    let response = sender.send_request(request.expect("a request")).await.expect("an answer");
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    (status, String::from_utf8(body.to_vec()).expect("text"))
}

/// The ledger adds up for every component and nothing is held.
///
/// # Panics
/// When it does not.
pub fn assert_balanced(ledger: &[Line]) {
    for line in ledger {
        assert_eq!((line.gap(), line.held), (0, 0), "{line:?}");
    }
}
