//! Against another implementation's server, which answers as the test says.

use super::*;
use crate::otlp::status::Status;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use std::collections::VecDeque;
use std::sync::Mutex;

type Reply = Result<ExportTraceServiceResponse, tonic::Status>;

/// Answers with these, one after the other.
struct Script(Mutex<VecDeque<Reply>>);

#[tonic::async_trait]
impl TraceService for Script {
    async fn export(
        &self,
        _: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        self.0.lock().unwrap().pop_front().unwrap().map(tonic::Response::new)
    }
}

async fn serve(replies: impl IntoIterator<Item = Reply>) -> SocketAddr {
    let incoming = tonic::transport::server::TcpIncoming::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = incoming.local_addr().unwrap();
    let service = TraceServiceServer::new(Script(Mutex::new(replies.into_iter().collect())));
    tokio::spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming));
    address
}

fn refusal(code: tonic::Code, message: &str) -> Reply {
    Err(tonic::Status::new(code, message))
}

fn rejected(spans: i64) -> Reply {
    let partial_success = ExportTracePartialSuccess { rejected_spans: spans, error_message: "too old".to_owned() };
    Ok(ExportTraceServiceResponse { partial_success: Some(partial_success) })
}

/// Each kind of answer means to the client what OTLP says it means.
#[tokio::test]
async fn answers_are_understood() {
    let mut with_delay = Status::new(Code::RESOURCE_EXHAUSTED, "full");
    with_delay.retry_after = Some(Duration::from_millis(1_500));
    let details = tonic::Status::with_details(tonic::Code::ResourceExhausted, "full", with_delay.to_proto().into());
    let replies = [
        Ok(ExportTraceServiceResponse::default()),
        refusal(tonic::Code::Unavailable, "later"),
        Err(details),
        refusal(tonic::Code::ResourceExhausted, "never"),
        refusal(tonic::Code::InvalidArgument, "no OTLP"),
        rejected(0),
        rejected(3),
    ];
    let mut client = Client::new(serve(replies).await);
    let mut answers = Vec::new();
    for _ in 0..7 {
        answers.push(client.export(&[]).await);
    }
    let expected = [
        Answer::Accepted,
        Answer::Retry(None, "UNAVAILABLE: later".to_owned()),
        Answer::Retry(with_delay.retry_after, "RESOURCE_EXHAUSTED: full".to_owned()),
        Answer::Refused("RESOURCE_EXHAUSTED: never".to_owned()),
        Answer::Refused("INVALID_ARGUMENT: no OTLP".to_owned()),
        Answer::Accepted,
        Answer::Refused("3 spans rejected: too old".to_owned()),
    ];
    assert_eq!(answers, expected);
}

/// Nobody listens: that may change, so it is tried again.
#[tokio::test]
async fn a_closed_port_is_retried() {
    let address = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let answer = Client::new(address).export(&[]).await;
    assert!(matches!(answer, Answer::Retry(None, _)), "{answer:?}");
}
