//! A mad plugin and its neighbours: one process with two pipelines. In one of them stands the plugin `mad`, whose file a
//! test replaces, and behind it a good one; in the other a good one alone, and its senders measure how long an answer takes.

use crate::client::{Books, Client};
use crate::guests::{behaving, guest};
use crate::plugins::{PluginDirectory, stamp};
use crate::process::Process;
use crate::spans::{Generator, attribute};
use crate::{bomb, crafted, hoards};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tailrace::plugin::Candidate;

/// Every kind of madness that fits into a file: its name, and the plugin.
pub fn mad_plugins() -> Vec<(String, Vec<u8>)> {
    let attributes = [
        "trap",
        "trap on poison",
        "loop",
        "wait",
        "poll the clock",
        "grow",
        "leak",
        "recurse",
        "exit",
        "giant",
        "multiply",
        "add without end",
        "a hundred thousand additions",
        "drop everything again and again",
        "twice",
        "not UTF-8",
        "shout",
        "print without end",
        "flood of metrics",
        "match for ever",
        "hash for ever",
        "compile for ever",
        "compile a set with each call",
        "hoard patterns",
        "panic in configure",
        "ask for a million",
    ];
    let processor = [
        "hand back rubbish",
        "hand back twice as much",
        "hand back crumbs",
        "hand back ten times what it may",
        "never",
    ];
    let of = |guest: &'static str| move |what: &&str| ((*what).to_owned(), behaving(guest, what));
    let by_hand = crafted::NAMES.iter().filter(|name| !matches!(**name, "loop in start" | "loop in describe"));
    attributes
        .iter()
        .map(of("mad-attributes"))
        .chain(processor.iter().map(of("mad-processor")))
        .chain(by_hand.map(|name| ((*name).to_owned(), crafted::guest(name))))
        .chain(hoards::NAMES.iter().map(|name| ((*name).to_owned(), hoards::guest(name))))
        .collect()
}

/// Plugins that are dear to compile, small enough for any test.
pub fn small_bombs() -> Vec<(String, Vec<u8>)> {
    vec![("1 MiB of code".to_owned(), bomb::large(1024)), ("values in loops".to_owned(), bomb::locals(300, 300))]
}

/// The two pipelines.
pub struct Scene {
    /// The collector.
    pub process: Process,
    /// Where the file of the mad plugin lies.
    pub plugins: PluginDirectory,
    _good: PluginDirectory,
}

impl Scene {
    /// Starts the collector with a good plugin in the place of the mad one. `settings` are further settings of its
    /// processor, `platform` those of what all plugins share, `backends` where the two pipelines send to: that of the mad
    /// plugin, and the other.
    pub async fn start(binary: &Path, settings: &str, platform: &str, backends: [SocketAddr; 2]) -> Self {
        let plugins = PluginDirectory::with("mad", &guest("mad-attributes"));
        let good = PluginDirectory::with("stamp", &stamp("good"));
        let (mad, stamps) = (plugins.path().display(), good.path().display());
        let [behind_mad, behind_neighbour] = backends;
        let yaml = format!(
            "receivers:
  otlp/mad: {{protocols: {{grpc: {{endpoint: '127.0.0.1:0'}}}}}}
  otlp/neighbour: {{protocols: {{grpc: {{endpoint: '127.0.0.1:0'}}}}}}
processors:
  wasm/mad: {{directory: '{mad}', module: mad, {settings}}}
  wasm/beside: {{directory: '{stamps}', module: stamp}}
  wasm/neighbour: {{directory: '{stamps}', module: stamp}}
exporters:
  otlp_grpc/mad: {{endpoint: '{behind_mad}', tls: {{insecure: true}}, compression: none}}
  otlp_grpc/neighbour: {{endpoint: '{behind_neighbour}', tls: {{insecure: true}}, compression: none}}
extensions:
  plugins: {{{platform}}}
service:
  extensions: [plugins]
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    traces/mad: {{receivers: [otlp/mad], processors: [wasm/mad, wasm/beside], exporters: [otlp_grpc/mad]}}
    traces/neighbour: {{receivers: [otlp/neighbour], processors: [wasm/neighbour], exporters: [otlp_grpc/neighbour]}}
",
        );
        let process = Process::start(binary, &yaml).await;
        Self { process, plugins, _good: good }
    }

    /// Starts senders to the pipeline of the mad plugin, or to the other one.
    pub async fn pump(&self, mad: bool, period: Duration, traces: usize, seed: u64) -> Pump {
        let address = self.process.address(if mad { "otlp/mad/grpc" } else { "otlp/neighbour/grpc" }).await;
        Pump::start(address, period, traces, seed).await
    }

    /// How often the mad plugin was replaced, or a file refused.
    pub async fn swaps(&self) -> u64 {
        self.swaps_and_hash().await.0
    }

    /// That, and what runs.
    async fn swaps_and_hash(&self) -> (u64, String) {
        let status = self.process.status().await;
        let plugin = &status["components"]["processor:wasm/mad@traces/mad"];
        let count = |name: &str| plugin[name].as_u64().unwrap_or_default();
        (count("generation") + count("reload_failures"), plugin["hash"].as_str().unwrap_or_default().to_owned())
    }

    /// Replaces the file of the mad plugin and waits until the collector has done something about it, unless that very file
    /// runs already: one that was refused in between is then all that is gone.
    ///
    /// # Panics
    /// When it does nothing within three minutes, in which an interpreter compiles on a busy machine.
    pub async fn swap(&self, name: &str, wasm: &[u8]) {
        let (before, runs) = self.swaps_and_hash().await;
        self.plugins.replace("mad", wasm);
        if runs == Candidate::new(wasm).hash().to_string() {
            return;
        }
        let end = Instant::now() + Duration::from_secs(180);
        while self.swaps().await == before {
            assert!(Instant::now() < end, "{name}: the file was not noticed\n{}", self.process.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Sends at a steady pace, whether answers come or not; keeps the books, and the times of the answers.
pub struct Pump {
    stop: Arc<AtomicBool>,
    state: Arc<Mutex<State>>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct State {
    books: Books,
    micros: Vec<u64>,
}

/// Requests on their way at most.
const IN_FLIGHT: usize = 64;

impl Pump {
    async fn start(address: SocketAddr, period: Duration, traces: usize, seed: u64) -> Self {
        let client = Client::connect(address).await;
        let (stop, state) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(State::default())));
        let (stopped, shared) = (Arc::clone(&stop), Arc::clone(&state));
        let task = tokio::spawn(async move {
            let mut generator = Generator::new(seed);
            let mut ticks = tokio::time::interval(period);
            let places = Arc::new(tokio::sync::Semaphore::new(IN_FLIGHT));
            while !stopped.load(Relaxed) {
                ticks.tick().await;
                // A pipeline that is stuck is not sent more: its senders wait, as real ones do.
                let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
                let mut request = generator.request(traces);
                let scopes = request.resource_spans.iter_mut().flat_map(|resource| &mut resource.scope_spans);
                for (at, span) in scopes.flat_map(|scope| &mut scope.spans).enumerate() {
                    let victim = if at == 3 { "poison" } else { "any" };
                    span.attributes.push(attribute("victim", victim));
                }
                let (client, shared) = (client.clone(), Arc::clone(&shared));
                tokio::spawn(async move {
                    let start = Instant::now();
                    let answer = client.send(request.clone()).await;
                    let micros = start.elapsed().as_micros() as u64;
                    let mut state = shared.lock().expect("no panic");
                    state.micros.push(micros);
                    state.books.enter(&request, &answer);
                    drop(place);
                });
            }
            let all = u32::try_from(IN_FLIGHT).unwrap_or(u32::MAX);
            let _ = tokio::time::timeout(Duration::from_secs(30), places.acquire_many(all)).await;
        });
        Self { stop, state, task }
    }

    /// Takes the times of the answers since the last call, in order of size.
    pub fn take_micros(&self) -> Vec<u64> {
        let mut micros = std::mem::take(&mut self.state.lock().expect("no panic").micros);
        micros.sort_unstable();
        micros
    }

    /// How many answers have come since the last [`Self::take_micros`].
    pub fn answers(&self) -> usize {
        self.state.lock().expect("no panic").micros.len()
    }

    /// Waits for the answers that are on their way and gives the books.
    pub async fn stop(self) -> Books {
        self.stop.store(true, Relaxed);
        self.task.await.expect("a sender does not panic");
        std::mem::take(&mut self.state.lock().expect("no panic").books)
    }
}

/// A quantile of sorted times, in milliseconds.
pub fn quantile(sorted: &[u64], q: f64) -> f64 {
    let at = ((sorted.len() as f64 * q) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(at).map_or(0.0, |micros| *micros as f64 / 1000.0)
}
