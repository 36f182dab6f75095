//! What `GET /status` shows: each component can publish a small JSON view of itself.

use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

type View = Arc<dyn Fn() -> Value + Send + Sync>;

/// Views and listening addresses by component. Cloning shares it.
#[derive(Clone, Default)]
pub struct Status(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    views: BTreeMap<String, View>,
    listening: BTreeMap<String, SocketAddr>,
}

impl std::fmt::Debug for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Status")
    }
}

impl Status {
    /// Publishes a view under `component` (`processor:wasm/redact@traces`), computed when somebody asks.
    pub fn publish(&self, component: &str, view: impl Fn() -> Value + Send + Sync + 'static) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.views.insert(component.to_owned(), Arc::new(view));
    }

    /// Records the address that a listener really got; `name` as in `otlp/grpc`.
    pub fn listening(&self, name: &str, address: SocketAddr) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.listening.insert(name.to_owned(), address);
    }

    /// The address of a listener.
    pub fn address(&self, name: &str) -> Option<SocketAddr> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).listening.get(name).copied()
    }

    /// All addresses by name.
    pub fn addresses(&self) -> BTreeMap<String, SocketAddr> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).listening.clone()
    }

    /// All views by component.
    pub fn views(&self) -> BTreeMap<String, Value> {
        let views = self.0.lock().unwrap_or_else(PoisonError::into_inner).views.clone();
        views.into_iter().map(|(component, view)| (component, view())).collect()
    }
}
