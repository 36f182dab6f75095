//! Builds, starts and shuts down the components of a configuration.

use super::edge::{Edge, Side};
use super::fan_out::fan_out;
use crate::component::{
    BuildError, Component, ComponentId, Consumer, Context, Exporter, Extension, Outputs, Processor, Receiver,
};
use crate::config::{Config, Pipeline};
use crate::pdata::Signal;
use crate::shutdown::Deadline;
use crate::telemetry::{Account, Counter, Telemetry, names};
use crate::workers::Workers;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Every component of a running collector.
pub struct Graph {
    extensions: Vec<Arc<dyn Extension>>,
    receivers: Vec<Arc<dyn Receiver>>,
    /// Of each pipeline, in the order in which batches pass.
    processors: Vec<Vec<Arc<dyn Processor>>>,
    exporters: Vec<Arc<dyn Exporter>>,
}

struct Builder<'a> {
    config: &'a Config,
    telemetry: &'a Telemetry,
    workers: &'a Workers,
    errors: Vec<BuildError>,
}

/// A consumer and the ledger of the component behind it.
struct Station {
    consumer: Arc<dyn Consumer>,
    account: Account,
}

/// The exporters, by id and signal.
type Stations = BTreeMap<(ComponentId, Signal), Station>;

impl Graph {
    /// Wires the components of `config`.
    ///
    /// # Errors
    /// Every component that cannot be built, not only the first.
    pub fn build(config: &Config, telemetry: &Telemetry, workers: &Workers) -> Result<Self, Vec<BuildError>> {
        let extensions = config.service.extensions.iter().filter_map(|id| config.extensions.get(id));
        extensions.for_each(|extension| extension.prepare());
        let mut builder = Builder { config, telemetry, workers, errors: Vec::new() };
        let (exporters, stations) = builder.exporters();
        let mut processors = Vec::new();
        let mut entries: BTreeMap<(&ComponentId, Signal), Vec<Arc<dyn Consumer>>> = BTreeMap::new();
        for pipeline in &config.pipelines {
            let (entry, of_pipeline) = builder.pipeline(pipeline, &stations);
            for receiver in &pipeline.receivers {
                entries.entry((receiver, pipeline.signal)).or_default().push(Arc::clone(&entry));
            }
            processors.push(of_pipeline);
        }
        let receivers = builder.receivers(entries);
        let extensions = builder.extensions();
        match builder.errors {
            errors if errors.is_empty() => Ok(Self { extensions, receivers, processors, exporters }),
            errors => Err(errors),
        }
    }

    /// Starts everything, the last stage first, so that whoever takes data has somewhere to hand it on.
    ///
    /// # Errors
    /// The first component that does not start; those already running are then shut down at once.
    pub async fn start(&self) -> Result<(), BuildError> {
        for component in self.downstream_first() {
            if let Err(error) = component.start().await {
                self.shutdown(Deadline::after(std::time::Duration::ZERO)).await;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Receivers stop first, then each stage flushes into a stage that is still alive; what is left at the deadline is
    /// dropped and counted.
    pub async fn shutdown(&self, deadline: Deadline) {
        together(&self.receivers, deadline).await;
        let longest = self.processors.iter().map(Vec::len).max().unwrap_or(0);
        for stage in 0..longest {
            let stage: Vec<_> =
                self.processors.iter().filter_map(|of_pipeline| of_pipeline.get(stage)).cloned().collect();
            together(&stage, deadline).await;
        }
        together(&self.exporters, deadline).await;
        together(&self.extensions, deadline).await;
    }

    fn downstream_first(&self) -> impl Iterator<Item = &dyn Component> {
        let extensions = self.extensions.iter().map(|extension| &**extension as &dyn Component);
        let exporters = self.exporters.iter().map(|exporter| &**exporter as &dyn Component);
        let processors = self.processors.iter().flat_map(|of_pipeline| of_pipeline.iter().rev());
        let processors = processors.map(|processor| &**processor as &dyn Component);
        let receivers = self.receivers.iter().map(|receiver| &**receiver as &dyn Component);
        extensions.chain(exporters).chain(processors).chain(receivers)
    }
}

/// Shuts siblings down side by side: each has the whole of the time that is left.
async fn together<C: Component + ?Sized>(components: &[Arc<C>], deadline: Deadline) {
    let mut tasks = tokio::task::JoinSet::new();
    for component in components {
        let component = Arc::clone(component);
        tasks.spawn(async move { component.shutdown(deadline).await });
    }
    tasks.join_all().await;
}

impl<'a> Builder<'a> {
    /// One instance per exporter and signal, as in the Collector: each signal has a queue of its own.
    fn exporters(&mut self) -> (Vec<Arc<dyn Exporter>>, Stations) {
        let mut exporters = Vec::new();
        let mut stations = BTreeMap::new();
        for pipeline in &self.config.pipelines {
            for id in &pipeline.exporters {
                let Some(settings) = self.config.exporters.get(id) else { continue };
                if stations.contains_key(&(id.clone(), pipeline.signal)) {
                    continue;
                }
                let context = self.context("exporter", id, None, Some(pipeline.signal));
                let account = context.account.clone();
                if let Some(exporter) = self.keep(settings.build(context)) {
                    let consumer = Arc::clone(&exporter) as Arc<dyn Consumer>;
                    stations.insert((id.clone(), pipeline.signal), Station { consumer, account });
                    exporters.push(exporter);
                }
            }
        }
        (exporters, stations)
    }

    /// The processors of a pipeline, wired back from its exporters; the first value takes what receivers bring.
    fn pipeline(&mut self, pipeline: &Pipeline, stations: &Stations) -> (Arc<dyn Consumer>, Vec<Arc<dyn Processor>>) {
        let stations = pipeline.exporters.iter().filter_map(|id| stations.get(&(id.clone(), pipeline.signal)));
        let into_exporter = |station: &Station| {
            let into = Some(Side { account: station.account.clone(), items: None });
            Arc::new(Edge { from: None, into, next: Arc::clone(&station.consumer) }) as Arc<dyn Consumer>
        };
        let mut next = fan_out(stations.map(into_exporter).collect());
        let mut processors = Vec::new();
        for id in pipeline.processors.iter().rev() {
            let Some(settings) = self.config.processors.get(id) else { continue };
            let context = self.context("processor", id, Some(&pipeline.id), Some(pipeline.signal));
            let account = context.account.clone();
            let counter = |desc| Some(self.item_counter(desc, id, pipeline.signal));
            let leaving = Side { account: account.clone(), items: counter(&names::PROCESSOR_OUTGOING) };
            let entering = Side { account, items: counter(&names::PROCESSOR_INCOMING) };
            let behind = Arc::new(Edge { from: Some(leaving), into: None, next: Arc::clone(&next) });
            if let Some(processor) = self.keep(settings.build(context, behind)) {
                next = Arc::new(Edge { from: None, into: Some(entering), next: Arc::clone(&processor) as _ });
                processors.push(processor);
            }
        }
        processors.reverse();
        (next, processors)
    }

    fn receivers(
        &mut self,
        mut entries: BTreeMap<(&'a ComponentId, Signal), Vec<Arc<dyn Consumer>>>,
    ) -> Vec<Arc<dyn Receiver>> {
        let mut receivers = Vec::new();
        for (id, settings) in &self.config.receivers {
            let mut wanted = Signal::ALL.map(|signal| entries.remove(&(id, signal)));
            if wanted.iter().all(Option::is_none) {
                continue;
            }
            let context = self.context("receiver", id, None, None);
            let mut wanted = wanted.iter_mut().map(|next| {
                let next = fan_out(next.take()?);
                let side = || Side { account: context.account.clone(), items: None };
                Some(Arc::new(Edge { from: Some(side()), into: Some(side()), next }) as Arc<dyn Consumer>)
            });
            let mut output = || wanted.next().flatten();
            let outputs = Outputs { traces: output(), metrics: output(), logs: output() };
            receivers.extend(self.keep(settings.build(context.clone(), outputs)));
        }
        receivers
    }

    fn extensions(&mut self) -> Vec<Arc<dyn Extension>> {
        let mut extensions = Vec::new();
        for id in &self.config.service.extensions {
            let Some(settings) = self.config.extensions.get(id) else { continue };
            let context = self.context("extension", id, None, None);
            extensions.extend(self.keep(settings.build(context)));
        }
        extensions
    }

    fn keep<C>(&mut self, built: Result<C, BuildError>) -> Option<C> {
        built.map_err(|error| self.errors.push(error)).ok()
    }

    fn context(&self, kind: &str, id: &ComponentId, pipeline: Option<&ComponentId>, signal: Option<Signal>) -> Context {
        let name = match pipeline {
            Some(pipeline) => format!("{kind}:{id}@{pipeline}"),
            None => format!("{kind}:{id}"),
        };
        Context {
            id: id.clone(),
            pipeline: pipeline.cloned(),
            signal,
            telemetry: self.telemetry.clone(),
            workers: self.workers.clone(),
            account: self.telemetry.ledger().open(&name, signal),
        }
    }

    fn item_counter(&self, desc: &crate::telemetry::Desc, id: &ComponentId, signal: Signal) -> Counter {
        let labels = [("processor", &*id.to_string()), ("otel_signal", signal.as_str())];
        self.telemetry.metrics().counter(desc, None, &labels)
    }
}
