//! A batch of which edits are still to be written: what neighbouring plugin stages hand to each other, so that one scan and
//! one splice serve them all.

use crate::pdata::{Batch, Signal};
use std::sync::Arc;
use tailrace_columns::{Table, Union};
use tailrace_otlp::Error;

/// A batch, and the edits that it is still to get.
#[derive(Debug)]
pub struct Draft {
    batch: Batch,
    table: Option<Box<Table>>,
}

impl Draft {
    /// A batch without any edits.
    pub fn new(batch: Batch) -> Self {
        Self { batch, table: None }
    }

    /// Traces, metrics or logs.
    pub fn signal(&self) -> Signal {
        self.batch.signal()
    }

    /// How many items there are. Drops are written at once, so that this is always true.
    pub fn items(&self) -> usize {
        self.batch.items()
    }

    /// The batch as it was last written, and the edits since then if it was scanned.
    pub fn parts(&mut self) -> (&Batch, Option<&mut Table>) {
        (&self.batch, self.table.as_deref_mut())
    }

    /// Scans for everything that is `wanted`. Edits must have been [settled](Self::settle) before.
    pub fn scan(&mut self, wanted: Arc<Union>) {
        let table = Table::scan(self.batch.signal(), self.batch.data(), self.batch.index(), wanted);
        self.table = Some(Box::new(table));
    }

    /// Writes the edits, and forgets the scan; the batch as it is then.
    ///
    /// # Errors
    /// If the result would be too long.
    pub fn settle(&mut self) -> Result<&Batch, Error> {
        if let Some(table) = self.table.take()
            && !table.is_untouched()
        {
            let (signal, data, index) = (self.batch.signal(), self.batch.data(), self.batch.index());
            if let Some((data, index)) = table.splice(signal, data, index)?.request {
                self.batch = Batch::from_parts(signal, data, index);
            }
        }
        Ok(&self.batch)
    }

    /// How many bytes [settling](Self::settle) copies, about.
    pub fn bytes_to_write(&self) -> usize {
        match &self.table {
            Some(table) if !table.is_untouched() => self.batch.data().len().saturating_add(table.growth_max()),
            _ => 0,
        }
    }

    /// Goes on with another batch instead; edits that were not settled are gone.
    pub fn replace(&mut self, batch: Batch) {
        *self = Self::new(batch);
    }

    /// The batch with all edits written.
    ///
    /// # Errors
    /// If the result would be too long.
    pub fn into_batch(mut self) -> Result<Batch, Error> {
        self.settle()?;
        Ok(self.batch)
    }
}
