//! Sources in, a checked configuration or every fault of it out.

mod factories;
mod golden;
mod values;

use super::*;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Files and variables of a test.
#[derive(Default)]
struct Fake {
    variables: BTreeMap<String, String>,
    files: BTreeMap<String, String>,
    looked_up: RefCell<usize>,
}

impl Fake {
    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.to_owned(), text.to_owned());
        self
    }
}

impl Environment for Fake {
    fn variable(&self, name: &str) -> Result<Option<String>, String> {
        *self.looked_up.borrow_mut() += 1;
        Ok(self.variables.get(name).cloned())
    }

    fn file(&self, path: &str) -> Result<String, String> {
        *self.looked_up.borrow_mut() += 1;
        self.files.get(path).cloned().ok_or_else(|| format!("cannot open {path:?}: no such file"))
    }
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

fn ids(list: &[&str]) -> Vec<ComponentId> {
    list.iter().map(|id| id.parse().unwrap()).collect()
}

/// The configuration of the article, as it stands, with nothing but the endpoint changed from outside.
#[test]
fn the_articles_configuration_loads() {
    let article = include_str!("../cases/article.yaml");
    let world = Fake::default().file("article.yaml", article);
    let sets = ["exporters.otlp/tempo.endpoint=localhost:5317"];
    let config = load_from(&world, &texts(&["article.yaml"]), &texts(&sets), &[], &factories::FACTORIES);
    let config = config.unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(
        config.pipelines,
        [Pipeline {
            id: "traces".parse().unwrap(),
            signal: Signal::Traces,
            receivers: ids(&["otlp"]),
            processors: ids(&["memory_limiter", "tail_sampling", "batch"]),
            exporters: ids(&["otlp/tempo"]),
        }]
    );
    let exporters: Vec<_> = config.exporters.keys().cloned().collect();
    assert_eq!(exporters, ids(&["otlp/jaeger", "otlp/tempo"]));
    assert_eq!(config.service.telemetry.metrics_endpoint.as_deref(), Some("localhost:8888"));
    let warnings: Vec<_> = config.warnings.iter().map(|warning| warning.key.as_str()).collect();
    assert_eq!(warnings, ["exporters::otlp/tempo", "exporters::otlp/jaeger"]);
}

/// Metrics and logs of the collector itself are what the section says.
#[test]
fn telemetry_is_read() {
    let base = "
receivers: {nop: }
exporters: {nop: }
service: {pipelines: {traces: {receivers: [nop], exporters: [nop]}}}
";
    let telemetry = |set: &str| {
        let world = Fake::default().file("base.yaml", base);
        let config = load_from(&world, &texts(&["base.yaml"]), &texts(&[set]), &[], &factories::FACTORIES);
        config.map(|config| config.service.telemetry).unwrap_or_else(|problems| panic!("{set}: {problems}"))
    };
    let metrics = |set: &str| telemetry(&format!("service.telemetry.metrics.{set}")).metrics_endpoint;
    assert_eq!(metrics("level=none"), None);
    assert_eq!(metrics("level=detailed").as_deref(), Some("localhost:8888"));
    assert_eq!(metrics("address=0.0.0.0:9999").as_deref(), Some("0.0.0.0:9999"));
    let reader = "readers=[{pull: {exporter: {prometheus: {host: '::', port: 1234}}}}]";
    assert_eq!(metrics(reader).as_deref(), Some("[::]:1234"));
    assert_eq!(
        telemetry("service.telemetry.logs={level: WARN, encoding: json}").logs,
        Logs { level: "warn".to_owned(), encoding: crate::telemetry::log::Encoding::Json }
    );
}

/// Files and variables of the process itself.
#[test]
fn the_process_is_an_environment() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.yaml");
    std::fs::write(&path, "a: 1").unwrap();
    let path = path.to_str().unwrap();
    assert_eq!(Process.file(path).as_deref(), Ok("a: 1"));
    std::fs::write(path, [0xff]).unwrap();
    assert_eq!(Process.file(path), Err(format!("{path:?} is no UTF-8 text")));
    std::fs::write(path, vec![b' '; crate::yaml::BYTES_MAX + 1]).unwrap();
    assert!(Process.file(path).unwrap_err().contains("is longer than"));
    let missing = directory.path().join("b");
    assert!(Process.file(missing.to_str().unwrap()).unwrap_err().contains("cannot open"));
    assert!(Process.variable("PATH").unwrap().is_some());
    assert_eq!(Process.variable("SURELY_NOT_SET_ANYWHERE"), Ok(None));
}

/// The whole configurations that `CONFIG.md` shows load without a warning once the components they name are there.
/// (Fragments are run with the real components by the end-to-end tests.)
#[test]
fn the_reference_page_shows_what_loads() {
    let page = include_str!("../../../CONFIG.md");
    let samples = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let samples: Vec<_> = samples.filter(|sample| sample.contains("pipelines:")).collect();
    assert!(!samples.is_empty());
    let components = "{receivers: {otlp: {protocols: {grpc: }}}, processors: {memory_limiter: , batch: }, \
        exporters: {otlp_grpc: {endpoint: a:1}}, extensions: {health_check: }}";
    for sample in samples {
        let world = Fake::default().file("components.yaml", components).file("sample.yaml", sample);
        let config = load_from(&world, &texts(&["components.yaml", "sample.yaml"]), &[], &[], &factories::FACTORIES);
        let config = config.unwrap_or_else(|problems| panic!("{problems}"));
        assert!(config.warnings.is_empty(), "{}", config.warnings);
    }
}
