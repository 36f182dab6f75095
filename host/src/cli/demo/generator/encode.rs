//! Spans as the bytes of an OTLP request: what the SDK of one service instance would send.

use super::model::{Attributes, End, Service, Span, Value};
use crate::cli::demo::span_ids::SpanIds;
use tailrace_otlp::view::put_attribute;
use tailrace_otlp::wire::{put_fixed64_field, put_len_field, put_varint_field};

/// The version of the semantic conventions that the attributes follow.
const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.37.0";
const STATUS_ERROR: u64 = 2;

/// An encoded `ExportTraceServiceRequest` with `spans`, all of them of `service`.
pub(super) fn request(service: Service, spans: &[Span], ids: SpanIds) -> Vec<u8> {
    let mut resource = Vec::new();
    put_attributes(&mut resource, 1, &resource_attributes(service));

    let mut scope = Vec::new();
    put_len_field(&mut scope, 1, b"tailrace.demo");
    put_len_field(&mut scope, 2, env!("CARGO_PKG_VERSION").as_bytes());

    let mut scope_spans = Vec::new();
    put_len_field(&mut scope_spans, 1, &scope);
    for span in spans {
        put_len_field(&mut scope_spans, 2, &encode_span(span, ids));
    }

    let mut resource_spans = Vec::new();
    put_len_field(&mut resource_spans, 1, &resource);
    put_len_field(&mut resource_spans, 2, &scope_spans);
    put_len_field(&mut resource_spans, 3, SCHEMA_URL.as_bytes());

    let mut request = Vec::with_capacity(resource_spans.len() + 8);
    put_len_field(&mut request, 1, &resource_spans);
    request
}

fn resource_attributes(service: Service) -> Attributes {
    let name = service.name();
    vec![
        ("service.name", name.into()),
        ("service.namespace", "shop".into()),
        ("service.version", "2.4.1".into()),
        ("service.instance.id", format!("{name}-5d9c7b6f4-x2x7q").into()),
        ("deployment.environment.name", "demo".into()),
        ("telemetry.sdk.name", "tailrace-demo".into()),
        ("telemetry.sdk.language", "rust".into()),
        ("telemetry.sdk.version", env!("CARGO_PKG_VERSION").into()),
    ]
}

fn encode_span(span: &Span, ids: SpanIds) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    put_len_field(&mut out, 1, &span.trace_id);
    put_len_field(&mut out, 2, &ids.id(span.number).to_be_bytes());
    if let Some(parent) = span.parent {
        put_len_field(&mut out, 4, &ids.id(parent).to_be_bytes());
    }
    put_len_field(&mut out, 5, span.name.as_bytes());
    put_varint_field(&mut out, 6, span.kind as u64);
    put_fixed64_field(&mut out, 7, span.start_ns);
    put_fixed64_field(&mut out, 8, span.end_ns);
    put_attributes(&mut out, 9, &span.attributes);
    if let End::Failed(failure) = span.end {
        let mut event = Vec::new();
        put_fixed64_field(&mut event, 1, span.end_ns);
        put_len_field(&mut event, 2, b"exception");
        let attributes =
            vec![("exception.type", failure.exception.into()), ("exception.message", failure.message.into())];
        put_attributes(&mut event, 3, &attributes);
        put_len_field(&mut out, 11, &event);
    }
    if span.end != End::Fine {
        let mut status = Vec::new();
        if let End::Failed(failure) = span.end {
            put_len_field(&mut status, 2, failure.message.as_bytes());
        }
        put_varint_field(&mut status, 3, STATUS_ERROR);
        put_len_field(&mut out, 15, &status);
    }
    out
}

fn put_attributes(out: &mut Vec<u8>, number: u32, attributes: &Attributes) {
    for (key, value) in attributes {
        let value = match value {
            Value::Text(text) => text.as_ref().into(),
            Value::Int(int) => (*int).into(),
        };
        put_attribute(out, number, (*key).into(), &value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::demo::generator::shop::{EMAIL, Shop};
    use crate::pdata::{Batch, Limits, Signal};
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
    use prost::Message;

    /// What leaves is valid OTLP, to our door and to another decoder, and says what the model says.
    #[test]
    fn requests_are_valid_otlp() {
        let ids = SpanIds::new(99);
        let mut shop = Shop::new(3);
        let spans: Vec<Span> = (0..500).flat_map(|_| shop.trace(1_800_000_000_000_000_000)).collect();
        for service in Service::ALL {
            let own: Vec<Span> = spans.iter().filter(|span| span.service == service).cloned().collect();
            let bytes = request(service, &own, ids);
            let batch = Batch::validate(Signal::Traces, bytes.clone().into(), &Limits::default()).unwrap();
            assert_eq!(batch.items(), own.len());

            let decoded = ExportTraceServiceRequest::decode(bytes.as_slice()).unwrap();
            let resource_spans = &decoded.resource_spans[0];
            let name = &resource_spans.resource.as_ref().unwrap().attributes[0];
            assert_eq!(name.value.as_ref().unwrap().value, Some(Any::StringValue(service.name().to_owned())));
            for (span, model) in resource_spans.scope_spans[0].spans.iter().zip(&own) {
                assert_eq!(span.span_id, ids.id(model.number).to_be_bytes());
                let parent = model.parent.map(|parent| ids.id(parent).to_be_bytes().to_vec());
                assert_eq!(span.parent_span_id, parent.unwrap_or_default());
                assert_eq!((span.name.as_str(), span.kind), (model.name.as_ref(), model.kind as i32));
                assert_eq!(span.status.as_ref().map_or(0, |status| status.code) == 2, model.end != End::Fine);
                assert_eq!(span.events.len(), usize::from(matches!(model.end, End::Failed(_))));
                assert_eq!(span.attributes.len(), model.attributes.len());
                let has_email = model.attributes.iter().any(|(key, _)| *key == EMAIL);
                assert_eq!(span.attributes.iter().any(|attribute| attribute.key == EMAIL), has_email);
            }
        }
    }
}
