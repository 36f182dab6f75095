//! One batch to several consumers: the reference is cloned, not the bytes.
//!
//! All are asked at once, so that a slow one delays the answer but not its siblings. The answer is `Ok` when all took
//! the batch. Otherwise it is retryable if any of them may take it later: those that took it will then see it again,
//! as in the Collector.

use crate::component::{BoxFuture, ConsumeError, Consumer};
use crate::pdata::Batch;
use std::sync::Arc;
use std::task::Poll;

/// A consumer in front of `next`: itself when there is just one.
pub(super) fn fan_out(mut next: Vec<Arc<dyn Consumer>>) -> Arc<dyn Consumer> {
    match (next.pop(), next.is_empty()) {
        (Some(only), true) => only,
        (Some(last), false) => {
            next.push(last);
            Arc::new(FanOut(next))
        }
        (None, _) => Arc::new(FanOut(next)),
    }
}

struct FanOut(Vec<Arc<dyn Consumer>>);

impl Consumer for FanOut {
    fn consume(&self, batch: Batch) -> BoxFuture<'_, Result<(), ConsumeError>> {
        let mut asked: Vec<_> = self.0.iter().map(|next| Some(next.consume(batch.clone()))).collect();
        let mut worst = Ok(());
        Box::pin(std::future::poll_fn(move |context| {
            let mut waiting = false;
            for slot in &mut asked {
                let Some(answer) = slot else { continue };
                match answer.as_mut().poll(context) {
                    Poll::Pending => waiting = true,
                    Poll::Ready(outcome) => {
                        *slot = None;
                        let so_far = std::mem::replace(&mut worst, Ok(()));
                        worst = combine(so_far, outcome);
                    }
                }
            }
            if waiting { Poll::Pending } else { Poll::Ready(std::mem::replace(&mut worst, Ok(()))) }
        }))
    }
}

/// Retryable beats permanent beats `Ok`; of two delays the longer one.
fn combine(a: Result<(), ConsumeError>, b: Result<(), ConsumeError>) -> Result<(), ConsumeError> {
    use ConsumeError::{Permanent, Retryable};
    match (a, b) {
        (Ok(()), other) | (other, Ok(())) => other,
        (Err(Retryable { after: a, message }), Err(Retryable { after: b, .. })) => {
            Err(Retryable { after: a.max(b), message })
        }
        (retryable @ Err(Retryable { .. }), Err(Permanent { .. })) => retryable,
        (Err(Permanent { .. }), other) => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    struct Scripted(Result<(), ConsumeError>, AtomicUsize);

    impl Consumer for Scripted {
        fn consume(&self, _: Batch) -> BoxFuture<'_, Result<(), ConsumeError>> {
            Box::pin(async {
                tokio::task::yield_now().await;
                self.1.fetch_add(1, Ordering::Relaxed);
                self.0.clone()
            })
        }
    }

    /// Everybody is asked whatever the others say; a retryable refusal with the longest delay wins.
    #[tokio::test]
    async fn asks_all_and_answers_with_the_worst() {
        let retry = |after| Err(ConsumeError::Retryable { after, message: "later".into() });
        let minute = Some(Duration::from_secs(60));
        for (answers, expected) in [
            (vec![Ok(()), Ok(())], "Ok(())"),
            (vec![Ok(()), Err(ConsumeError::permanent("never"))], "Permanent"),
            (vec![retry(None), Err(ConsumeError::permanent("never")), Ok(())], "Retryable { after: None"),
            (vec![Err(ConsumeError::permanent("never")), retry(None), retry(minute)], "Retryable { after: Some(60s)"),
        ] {
            let consumers: Vec<_> =
                answers.into_iter().map(|answer| Arc::new(Scripted(answer, AtomicUsize::new(0)))).collect();
            let next = consumers.iter().map(|consumer| Arc::clone(consumer) as Arc<dyn Consumer>).collect();
            let batch = Batch::from_parts(crate::pdata::Signal::Traces, vec![], crate::pdata::Index::default());
            let outcome = format!("{:?}", fan_out(next).consume(batch).await);
            assert!(outcome.contains(expected), "{outcome} should contain {expected}");
            assert!(consumers.iter().all(|consumer| consumer.1.load(Ordering::Relaxed) == 1));
        }
    }
}
