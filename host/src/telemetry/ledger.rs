//! Where every accepted item is: accepted = handed on + dropped by reason + held, for each component.
//!
//! An [`Account`] is a component's column. The edges (`pipeline`) fill in what went in and out; the component itself
//! says what it dropped, and why, and what it holds.

use super::{Counter, Gauge, Metrics, names};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tailrace_otlp::Signal;

/// The accounts of all components.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    metrics: Metrics,
    accounts: Arc<Mutex<Vec<Account>>>,
}

/// One component's column. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Account(Arc<Columns>);

#[derive(Debug)]
struct Columns {
    name: String,
    signal: Option<Signal>,
    metrics: Metrics,
    taken: Counter,
    handed_on: Counter,
    added: Counter,
    held: Gauge,
    dropped: Mutex<BTreeMap<&'static str, Counter>>,
}

/// A snapshot of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// `kind:id@pipeline`.
    pub component: String,
    /// Items for which this component said `Ok`.
    pub taken: u64,
    /// Items that the next component, or the backend, said `Ok` to.
    pub handed_on: u64,
    /// Items that it made itself.
    pub added: u64,
    /// Items let go of, by reason.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Items inside.
    pub held: i64,
}

impl Line {
    /// `taken + added - handed_on - dropped - held`: zero when nothing was lost silently.
    pub fn gap(&self) -> i64 {
        let dropped: u64 = self.dropped.values().sum();
        (self.taken + self.added) as i64 - (self.handed_on + dropped) as i64 - self.held
    }
}

impl Ledger {
    pub(super) fn new(metrics: Metrics) -> Self {
        Self { metrics, accounts: Arc::default() }
    }

    /// Opens the account of a component. `name` is `kind:id` or `kind:id@pipeline`.
    pub fn open(&self, name: &str, signal: Option<Signal>) -> Account {
        let labels = [("component", name), ("signal", signal.map_or("", Signal::as_str))];
        let account = Account(Arc::new(Columns {
            name: name.to_owned(),
            signal,
            taken: Counter::default(),
            handed_on: Counter::default(),
            added: self.metrics.counter(&names::ADDED, None, &labels),
            held: self.metrics.gauge(&names::HELD, &labels),
            dropped: Mutex::default(),
            metrics: self.metrics.clone(),
        }));
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).push(account.clone());
        account
    }

    /// Every account as it stands.
    pub fn lines(&self) -> Vec<Line> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).iter().map(Account::line).collect()
    }
}

impl Account {
    /// The component said `Ok` to `items`. Called by the edge in front of it.
    pub fn taken(&self, items: usize) {
        self.0.taken.add(items as u64);
    }

    /// The next one said `Ok` to `items`. Called by the edge behind it, or by an exporter when the backend did.
    pub fn handed_on(&self, items: usize) {
        self.0.handed_on.add(items as u64);
    }

    /// The component made `items` itself.
    pub fn added(&self, items: usize) {
        self.0.added.add(items as u64);
    }

    /// The component let go of `items` that it had taken (or is about to say `Ok` to), for `reason`.
    pub fn dropped(&self, reason: &'static str, items: usize) {
        if items > 0 {
            self.drop_counter(reason).add(items as u64);
        }
    }

    /// The counter behind [`Self::dropped`], for those who drop often.
    pub fn drop_counter(&self, reason: &'static str) -> Counter {
        let mut dropped = self.0.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        let open = || {
            let signal = self.0.signal.map_or("", Signal::as_str);
            let labels = [("component", self.0.name.as_str()), ("signal", signal), ("reason", reason)];
            self.0.metrics.counter(&names::DROPPED, None, &labels)
        };
        dropped.entry(reason).or_insert_with(open).clone()
    }

    /// Items taken and still inside: add when they come, subtract when they leave.
    pub fn held(&self) -> &Gauge {
        &self.0.held
    }

    /// Holds `items` until the guard is dropped.
    pub fn hold(&self, items: usize) -> Holding {
        self.0.held.add(items as i64);
        Holding { held: self.0.held.clone(), items: items as i64 }
    }

    /// As it stands. Columns are read one after the other: while batches move, `gap` can be off by those in motion.
    pub fn line(&self) -> Line {
        let dropped = self.0.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        Line {
            component: self.0.name.clone(),
            taken: self.0.taken.get(),
            handed_on: self.0.handed_on.get(),
            added: self.0.added.get(),
            dropped: dropped.iter().map(|(reason, counter)| (*reason, counter.get())).collect(),
            held: self.0.held.get(),
        }
    }
}

/// Items held; released when this is dropped.
#[derive(Debug)]
pub struct Holding {
    held: Gauge,
    items: i64,
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.held.add(-self.items);
    }
}
