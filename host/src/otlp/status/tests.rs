use super::*;
use proptest::prelude::*;
use prost::Message as _;

/// `google.rpc.Status` and friends as prost sees them: the oracle.
mod oracle {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Status {
        #[prost(int32, tag = "1")]
        pub code: i32,
        #[prost(string, tag = "2")]
        pub message: String,
        #[prost(message, repeated, tag = "3")]
        pub details: Vec<Any>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Any {
        #[prost(string, tag = "1")]
        pub type_url: String,
        #[prost(bytes = "vec", tag = "2")]
        pub value: Vec<u8>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct RetryInfo {
        #[prost(message, optional, tag = "1")]
        pub delay: Option<Delay>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Delay {
        #[prost(int64, tag = "1")]
        pub seconds: i64,
        #[prost(int32, tag = "2")]
        pub nanos: i32,
    }
}

/// The retryable table of OTLP, the whole of it.
#[test]
fn only_what_otlp_calls_retryable_is() {
    let retryable: Vec<u32> = (0..=16).filter(|code| Status::new(Code(*code), "").is_retryable()).collect();
    assert_eq!(retryable, [1, 4, 10, 11, 14, 15]);
    let delayed = |code| Status::new(code, "").retry_after(Duration::from_secs(1));
    assert!(delayed(Code::RESOURCE_EXHAUSTED).is_retryable());
    assert!(!delayed(Code::INVALID_ARGUMENT).is_retryable());
}

/// The Collector's table from gRPC to HTTP, the whole of it.
#[test]
fn codes_become_the_http_statuses_of_the_collector() {
    let statuses: Vec<u16> = (0..=16).map(|code| Code(code).http().as_u16()).collect();
    assert_eq!(statuses, [200, 503, 500, 400, 503, 500, 500, 403, 429, 500, 503, 503, 404, 500, 503, 503, 401]);
}

#[test]
fn a_refusal_is_what_the_collector_says() {
    let of = |error: ConsumeError| Status::from(&error);
    assert_eq!(of(ConsumeError::permanent("bad")), Status::new(Code::INTERNAL, "bad"));
    assert_eq!(of(ConsumeError::retryable("full")), Status::new(Code::UNAVAILABLE, "full"));
    let coded = ConsumeError::Permanent { code: Some(3), message: "no".into() };
    assert_eq!(of(coded), Status::new(Code::INVALID_ARGUMENT, "no"));
    let after = Some(Duration::from_millis(1500));
    let delayed = of(ConsumeError::Retryable { after, message: "later".into() });
    assert_eq!(delayed.retry_after, after);
    assert_eq!(delayed.http_retry_after().unwrap(), "2", "seconds are rounded up");
    assert_eq!(Status::new(Code::INTERNAL, "").retry_after(Duration::from_secs(1)).http_retry_after(), None);
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    let now = httpdate::parse_http_date("Sun, 22 Nov 2026 10:00:00 GMT").unwrap();
    let parse = |text: &'static str| parse_retry_after(&HeaderValue::from_static(text), now);
    assert_eq!(parse("7"), Some(Duration::from_secs(7)));
    assert_eq!(parse("Sun, 22 Nov 2026 10:00:30 GMT"), Some(Duration::from_secs(30)));
    assert_eq!(parse("Sun, 22 Nov 2026 09:00:00 GMT"), Some(Duration::ZERO));
    assert_eq!(parse("99999999999"), Some(RETRY_AFTER_MAX));
    assert_eq!(parse("soon"), None);
}

#[test]
fn a_message_has_a_largest_length() {
    let status = Status::new(Code::INTERNAL, "ä".repeat(MESSAGE_MAX));
    assert_eq!(status.message.len(), MESSAGE_MAX);
}

#[test]
fn strange_percent_signs_survive() {
    assert_eq!(percent_decode(b"50% of %zz %4"), "50% of %zz %4");
    assert_eq!(percent_encode("a%b\nü"), "a%25b%0A%C3%BC");
}

proptest! {
    /// Whatever a status says arrives at the other end, in all three encodings, and prost reads it the same way.
    #[test]
    fn a_status_survives_every_encoding(code in 0u32..20, message in ".{0,40}", delay in proptest::option::of(0u64..86_400_000_000_000)) {
        let status = Status { retry_after: delay.map(Duration::from_nanos), ..Status::new(Code(code), message.clone()) };
        let proto = status.to_proto();
        prop_assert_eq!(Status::from_proto(&proto), Some(status.clone()));
        let oracle = oracle::Status::decode(&*proto).unwrap();
        prop_assert_eq!(oracle.code, code as i32);
        prop_assert_eq!(&oracle.message, &message);
        if let Some(delay) = status.retry_after {
            let info = oracle::RetryInfo::decode(&*oracle.details[0].value).unwrap();
            let read = info.delay.unwrap();
            prop_assert_eq!((read.seconds as u64, read.nanos as u32), (delay.as_secs(), delay.subsec_nanos()));
        }
        let mut headers = HeaderMap::new();
        status.write_grpc(&mut headers);
        prop_assert_eq!(Status::from_grpc(&headers), Some(status.clone()));
        let json = Status::from_json(&status.to_json()).unwrap();
        prop_assert_eq!((json.code, &json.message), (status.code, &status.message));
        let apart = json.retry_after.unwrap_or_default().abs_diff(status.retry_after.unwrap_or_default());
        prop_assert!(apart < Duration::from_micros(100), "{:?}", apart);
    }

    /// Bytes from a hostile peer never panic.
    #[test]
    fn rubbish_is_refused_or_read(data in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = Status::from_proto(&data);
        let _ = Status::from_json(&data);
        let _ = percent_decode(&data);
        if let Ok(value) = HeaderValue::from_bytes(&data) {
            let mut headers = HeaderMap::new();
            headers.insert(GRPC_STATUS, value.clone());
            headers.insert(GRPC_DETAILS, value);
            prop_assert!(Status::from_grpc(&headers).is_some());
        }
    }
}
