//! Sends the requests of one service, in order, each until it is answered for good.

use super::Tally;
use super::client::{Answer, Client};
use crate::cli::demo::ledger::SpanLedger;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// First delay before a request is sent again, unless the collector asks for another; doubled each time.
const DELAY_FIRST: Duration = Duration::from_millis(100);
/// Longest delay.
const DELAY_MAX: Duration = Duration::from_secs(5);
/// How long after the end of the demo a refused request is still tried again.
const LAST_CALL: Duration = Duration::from_secs(3);

/// Spans of one service.
pub(super) struct Request {
    /// The encoded request.
    pub bytes: Vec<u8>,
    /// Which spans it holds.
    pub numbers: Vec<u64>,
}

/// The sending side of a service.
pub(super) struct Sender {
    client: Client,
    ledger: SpanLedger,
    tally: Tally,
    stopped: watch::Receiver<bool>,
    /// Set when the demo has ended.
    last_call: Option<Instant>,
}

impl Sender {
    pub(super) fn new(target: SocketAddr, ledger: SpanLedger, tally: Tally, stopped: watch::Receiver<bool>) -> Self {
        Self { client: Client::new(target), ledger, tally, stopped, last_call: None }
    }

    /// Sends until the queue is closed and empty.
    pub(super) async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        while let Some(request) = requests.recv().await {
            self.deliver(&request).await;
        }
    }

    async fn deliver(&mut self, request: &Request) {
        let spans = request.numbers.len() as u64;
        let mut delay = DELAY_FIRST;
        loop {
            match self.client.export(&request.bytes).await {
                Answer::Accepted => {
                    self.ledger.accept(&request.numbers);
                    self.tally.accepted.add(spans);
                    return;
                }
                Answer::Refused(reason) => {
                    self.tally.refused.add(spans);
                    self.tally.note(reason);
                    return;
                }
                Answer::Retry(after, reason) => {
                    self.tally.note(reason);
                    if !self.wait(after.unwrap_or(delay).min(DELAY_MAX)).await {
                        self.tally.given_up.add(spans);
                        return;
                    }
                    self.tally.retries.add(1);
                    delay = (delay * 2).min(DELAY_MAX);
                }
            }
        }
    }

    /// Waits before the next attempt; `false` if there is none, because the demo has ended and the last call is over.
    async fn wait(&mut self, delay: Duration) -> bool {
        let again = Instant::now() + delay;
        if self.last_call.is_none() {
            tokio::select! {
                () = tokio::time::sleep_until(again) => return true,
                _ = self.stopped.wait_for(|stopped| *stopped) => self.last_call = Some(Instant::now() + LAST_CALL),
            }
        }
        if self.last_call.is_some_and(|last_call| again > last_call) {
            return false;
        }
        tokio::time::sleep_until(again).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::demo::span_ids::SpanIds;

    /// While the demo runs a refused request is always tried again; after its end for some seconds more.
    #[tokio::test(start_paused = true)]
    async fn refusals_end_with_the_demo() {
        let (stop, stopped) = watch::channel(false);
        let ledger = SpanLedger::new(SpanIds::new(1));
        let mut sender = Sender::new(([127, 0, 0, 1], 1).into(), ledger, Tally::default(), stopped);
        for _ in 0..100 {
            assert!(sender.wait(DELAY_MAX).await);
        }
        stop.send(true).unwrap();
        let stopped = Instant::now();
        assert!(sender.wait(LAST_CALL / 2).await);
        assert!(sender.wait(LAST_CALL / 2).await);
        assert_eq!(stopped.elapsed(), LAST_CALL);
        assert!(!sender.wait(DELAY_FIRST).await);
        assert_eq!(stopped.elapsed(), LAST_CALL, "no time is lost on it");
    }
}
