//! The way of a request once its body is there: decompress, turn JSON into protobuf, validate, hand on.
//!
//! The same for both protocols. Handing on runs as a task of its own: a client that goes away takes its answer with it, but
//! what the pipeline does with the batch still comes to its end and is counted.

use super::meters::{Meters, Outcome};
use super::server::Life;
use crate::component::{ConsumeError, Consumer, Context, Outputs};
use crate::otlp::compression::{Compression, DecodeError, decode_async, output_hint};
use crate::otlp::frame::{Budget, Charge, Message, ReadError};
use crate::otlp::json;
use crate::otlp::status::{Code, Status};
use crate::pdata::{Batch, Limits, Signal};
use bytes::Bytes;
use std::sync::Arc;
use tailrace_otlp::schema;

/// How a request is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Protobuf.
    Proto,
    /// OTLP/JSON.
    Json,
}

/// Where the requests of one protocol go in.
pub(super) struct Door {
    outputs: Outputs,
    limits: Limits,
    /// Bytes of requests in memory, shared by the protocols of a receiver.
    pub(super) budget: Budget,
    life: Life,
    meters: Arc<Meters>,
}

/// An index of so many bytes is a part of what any request costs.
const SMALL_INDEX: usize = 4 << 10;

/// Why a request was not taken.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The answer.
    pub(super) status: Status,
    /// It is too large: HTTP has a status of its own for that.
    pub(super) too_large: bool,
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self { status, too_large: false }
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        Self { status: Status::from(&error), too_large: matches!(error, ReadError::TooLarge { .. }) }
    }
}

impl From<DecodeError> for Refusal {
    fn from(error: DecodeError) -> Self {
        let code = match error {
            DecodeError::TooLarge { .. } => Code::RESOURCE_EXHAUSTED,
            DecodeError::Corrupt { .. } => Code::INVALID_ARGUMENT,
            DecodeError::Aborted => Code::UNAVAILABLE,
        };
        let too_large = matches!(error, DecodeError::TooLarge { .. });
        Self { status: Status::new(code, error.to_string()), too_large }
    }
}

impl From<json::Error> for Refusal {
    fn from(error: json::Error) -> Self {
        let too_large = matches!(error, json::Error::TooLarge { .. });
        let code = if too_large { Code::RESOURCE_EXHAUSTED } else { Code::INVALID_ARGUMENT };
        Self { status: Status::new(code, error.to_string()), too_large }
    }
}

impl Door {
    pub(super) fn new(
        context: &Context,
        transport: &'static str,
        outputs: Outputs,
        limits: Limits,
        budget: Budget,
        life: Life,
    ) -> Self {
        Self { outputs, limits, budget, life, meters: Arc::new(Meters::new(context, transport)) }
    }

    /// The pipelines of a signal; `None` if there is none.
    pub(super) fn output(&self, signal: Signal) -> Option<&Arc<dyn Consumer>> {
        self.outputs.of(signal)
    }

    /// Counts the answer to a request.
    pub(super) fn answered(&self, signal: Option<Signal>, result: &Result<(), Status>) {
        self.meters.request(signal, result);
    }

    /// Takes a message of at most `limit` bytes once decompressed; the result is what the client is told.
    pub(super) async fn take(
        &self,
        signal: Signal,
        message: Message,
        compression: Compression,
        encoding: Encoding,
        limit: usize,
    ) -> Result<(), Refusal> {
        let Some(output) = self.output(signal) else {
            return Err(Status::new(Code::UNIMPLEMENTED, format!("no pipeline takes {signal}")).into());
        };
        let Message { data, mut charge, .. } = message;
        let data = self.decompress(data, &mut charge, compression, limit).await?;
        let data = match encoding {
            Encoding::Proto => data,
            Encoding::Json => self.transcode(signal, data, &mut charge, limit).await?,
        };
        let batch = self.validate(signal, data, &mut charge).await?;
        if batch.is_empty() {
            return Ok(());
        }
        Ok(self.hand_on(Arc::clone(output), batch, charge).await?)
    }

    /// Of very many messages with nothing in them the index is larger than the request: it is made once there is room for it.
    async fn validate(&self, signal: Signal, data: Bytes, charge: &mut Charge) -> Result<Batch, Refusal> {
        let validate = |data: Bytes| {
            Batch::validate(signal, data, &self.limits)
                .map_err(|error| Status::new(Code::INVALID_ARGUMENT, format!("invalid OTLP {signal}: {error}")))
        };
        let batch = validate(data.clone())?;
        let (bytes, listed) = (batch.bytes(), batch.index().memory_bytes());
        if listed <= bytes.max(SMALL_INDEX) {
            return Ok(batch);
        }
        drop(batch);
        charge.grow_to(bytes + listed).await.map_err(ReadError::from)?;
        Ok(validate(data)?)
    }

    async fn decompress(
        &self,
        data: Bytes,
        charge: &mut Charge,
        compression: Compression,
        limit: usize,
    ) -> Result<Bytes, Refusal> {
        if compression == Compression::None {
            return Ok(data);
        }
        // Both forms are in memory while this runs.
        let hint = data.len() + output_hint(compression, &data, limit);
        charge.grow_to(hint).await.map_err(ReadError::from)?;
        let data = decode_async(compression, data, limit).await?;
        recharge(charge, data.len()).await?;
        Ok(data)
    }

    async fn transcode(
        &self,
        signal: Signal,
        text: Bytes,
        charge: &mut Charge,
        limit: usize,
    ) -> Result<Bytes, Refusal> {
        charge.grow_to(2 * text.len()).await.map_err(ReadError::from)?;
        let limits = json::Limits { bytes: limit, depth: self.limits.depth, elements: self.limits.elements };
        let data = if text.len() <= json::INLINE_MAX {
            json::read(schema::request(signal), &text, &limits)?
        } else {
            let work = tokio::task::spawn_blocking(move || json::read(schema::request(signal), &text, &limits));
            work.await.map_err(|_| DecodeError::Aborted)??
        };
        recharge(charge, data.len()).await?;
        Ok(data.into())
    }

    async fn hand_on(&self, output: Arc<dyn Consumer>, batch: Batch, charge: Charge) -> Result<(), Status> {
        let (signal, items) = (batch.signal(), batch.items());
        let mut counted = Counted { meters: Arc::clone(&self.meters), signal, items, outcome: Outcome::Failure };
        let life = self.life.clone();
        let task = tokio::spawn(async move {
            let _alive = life.enter();
            let _charge = charge;
            let result = tokio::select! {
                biased;
                result = output.consume(batch) => result,
                () = life.forced() => Err(ConsumeError::retryable("the collector is shutting down")),
            };
            let result = result.map_err(|error| Status::from(&error));
            counted.became(Outcome::of(&result));
            result
        });
        task.await.unwrap_or_else(|_| Err(Status::new(Code::INTERNAL, "the pipeline failed")))
    }
}

async fn recharge(charge: &mut Charge, bytes: usize) -> Result<(), ReadError> {
    charge.grow_to(bytes).await?;
    charge.shrink_to(bytes);
    Ok(())
}

/// Items on their way through the pipeline; counted when this is dropped, also by a panic.
struct Counted {
    meters: Arc<Meters>,
    signal: Signal,
    items: usize,
    outcome: Outcome,
}

impl Counted {
    fn became(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.meters.items(self.signal, self.outcome, self.items);
    }
}
