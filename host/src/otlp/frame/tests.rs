use super::*;
use http_body::Frame;
use http_body_util::Full;
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

type Piece = Result<Frame<Bytes>, &'static str>;

/// A body that arrives in pieces and then ends, or stalls.
struct Pieces {
    left: VecDeque<Bytes>,
    stalls: bool,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = &'static str;
    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Piece>> {
        match self.left.pop_front() {
            Some(data) => Poll::Ready(Some(Ok(Frame::data(data)))),
            None if self.stalls => Poll::Pending,
            None => Poll::Ready(None),
        }
    }
}

fn pieces(pieces: Vec<Vec<u8>>) -> Pieces {
    Pieces { left: pieces.into_iter().map(Bytes::from).collect(), stalls: false }
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&prefix(false, message.len()).unwrap()[..], message].concat()
}

async fn read(body: Vec<Vec<u8>>, limit: usize) -> Result<Vec<u8>, ReadError> {
    let budget = Budget::new(1 << 20);
    let result = read_grpc(pieces(body), limit, &budget, None).await.map(|message| message.data.to_vec());
    assert_eq!(budget.left(), 1 << 20, "every charge is given back");
    result
}

/// A frame is read in whatever pieces it comes.
#[tokio::test]
async fn a_message_in_pieces() {
    let body = framed(b"hello");
    for cut in 0..body.len() {
        let (a, b) = body.split_at(cut);
        assert_eq!(read(vec![a.to_vec(), b.to_vec()], 100).await, Ok(b"hello".to_vec()));
    }
    let bytes = body.iter().map(|byte| vec![*byte]).collect();
    assert_eq!(read(bytes, 100).await, Ok(b"hello".to_vec()));
    assert_eq!(read(vec![framed(b"")], 100).await, Ok(vec![]));
}

/// Exactly the limit is read; a byte more is refused on its announcement, before anything is kept.
#[tokio::test]
async fn the_limit_is_exact() {
    assert_eq!(read(vec![framed(&[1; 100])], 100).await, Ok(vec![1; 100]));
    assert_eq!(read(vec![framed(&[1; 101])], 100).await, Err(ReadError::TooLarge { limit: 100 }));
    let bomb = vec![0, 0xff, 0xff, 0xff, 0xff];
    let error = read(vec![bomb], 100).await.unwrap_err();
    let status = Status::from(&error);
    assert_eq!((status.code, status.retry_after), (Code::RESOURCE_EXHAUSTED, None), "not retryable");
}

/// Cut off, too long, without a prefix, with an unknown flag.
#[tokio::test]
async fn malformed_frames_are_refused() {
    let whole = framed(b"hello");
    for bad in [vec![], whole[..3].to_vec(), whole[..8].to_vec(), [&whole[..], b"x"].concat(), vec![2, 0, 0, 0, 0]] {
        let error = read(vec![bad.clone()], 100).await.unwrap_err();
        assert!(matches!(error, ReadError::Malformed(_)), "{bad:?}: {error}");
        assert_eq!(Status::from(&error).code, Code::INVALID_ARGUMENT);
    }
}

/// A body that stops in its middle, on a connection that stays open, is given up, and what it held is given back.
#[tokio::test(start_paused = true)]
async fn a_stalled_body_is_given_up() {
    let budget = Budget::new(1 << 20);
    let start = Instant::now();
    let half = framed(&[1; 1_000])[..500].to_vec();
    let body = Pieces { stalls: true, ..pieces(vec![half]) };
    let result = read_grpc(body, 4_000, &budget, None).await;
    assert_eq!(result.unwrap_err(), ReadError::TimedOut);
    assert_eq!(start.elapsed(), STALL);
    assert_eq!(budget.left(), 1 << 20);
}

/// The announcement is a hint: a stream that announces much and sends little is charged for little.
#[tokio::test]
async fn only_what_arrives_is_charged() {
    let budget = Budget::new(10 << 20);
    let mut growing = Growing::new(8 << 20, 8 << 20, budget.charge());
    growing.push(&[1; 10]).await.unwrap();
    assert!(budget.left() >= (10 << 20) - (64 << 10));
    growing.push(&[1; 100_000]).await.unwrap();
    let message = growing.finish(false);
    assert_eq!((message.data.len(), message.charge.bytes()), (100_010, 100_010));
    drop(message);
    assert_eq!(budget.left(), 10 << 20);
}

/// Who finds no room waits, gets in when somebody leaves, and is refused in a way that may be retried after a second.
#[tokio::test(start_paused = true)]
async fn a_full_budget_makes_wait_and_then_refuses() {
    let budget = Budget::new(1_000);
    let mut first = budget.charge();
    first.grow_to(900).await.unwrap();
    let refused = read_all(Full::new(Bytes::from(vec![0; 200])), Some(200), 500, &budget, None).await.unwrap_err();
    assert_eq!(refused, ReadError::NoRoom);
    let status = Status::from(&refused);
    assert!(status.is_retryable() && status.retry_after.is_some());

    let waiting = tokio::spawn({
        let budget = budget.clone();
        async move { read_all(Full::new(Bytes::from(vec![0; 200])), Some(200), 500, &budget, None).await.is_ok() }
    });
    tokio::task::yield_now().await;
    drop(first);
    assert!(waiting.await.unwrap());
    assert_eq!(budget.left(), 1_000);
}

/// A body larger than the budget is served when it is alone; it cannot wait for ever for what does not exist.
#[tokio::test]
async fn more_than_the_whole_budget() {
    let budget = Budget::new(100);
    let message = read_all(Full::new(Bytes::from(vec![0; 500])), Some(500), 500, &budget, None).await.unwrap();
    assert_eq!((message.data.len(), budget.left()), (500, 0));
}

#[tokio::test]
async fn http_bodies_have_the_same_limit() {
    let budget = Budget::new(1 << 20);
    let read = |len: usize, announced| {
        let budget = budget.clone();
        async move { read_all(Full::new(Bytes::from(vec![0; len])), announced, 100, &budget, None).await }
    };
    assert_eq!(read(100, None).await.unwrap().data.len(), 100);
    assert_eq!(read(101, None).await.unwrap_err(), ReadError::TooLarge { limit: 100 });
    assert_eq!(read(1, Some(101)).await.unwrap_err(), ReadError::TooLarge { limit: 100 });
}

#[test]
fn an_answer_is_one_frame() {
    assert_eq!(split_message(framed(b"ok").into()), Ok((false, Bytes::from_static(b"ok"))));
    for bad in [&b""[..], b"\0\0\0\0\x02o", b"\0\0\0\0\x01ok", b"\x03\0\0\0\0"] {
        assert!(split_message(Bytes::from_static(bad)).is_err(), "{bad:?}");
    }
}
