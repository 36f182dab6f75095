//! What plugins can do with a group, run natively with the code that the host uses.
#![allow(clippy::unwrap_used, reason = "a test")]

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use tailrace_sdk::{
    Attributes, Decision, Edit, Failure, Group, Interest, Intrinsic, Level, NewValue, Plugin, Sampler, Signal, Trace,
    Value, testing,
};

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::StringValue(value.into())) });
    KeyValue { key: key.into(), value, ..Default::default() }
}

fn span(trace: u8, name: &str, attributes: &[(&str, &str)]) -> Span {
    let attributes = attributes.iter().map(|(key, value)| attribute(key, value)).collect();
    Span { trace_id: vec![trace; 16], span_id: vec![1; 8], name: name.into(), attributes, ..Default::default() }
}

/// Two services with two spans each.
fn request() -> ExportTraceServiceRequest {
    let service = |name: &str, spans| ResourceSpans {
        resource: Some(Resource { attributes: vec![attribute("service.name", name)], ..Default::default() }),
        scope_spans: vec![ScopeSpans {
            scope: Some(InstrumentationScope { name: format!("{name} library"), ..Default::default() }),
            spans,
            ..Default::default()
        }],
        ..Default::default()
    };
    let shop = vec![span(1, "buy", &[("route", "/buy"), ("tier", "old")]), span(2, "look", &[])];
    let bank = vec![span(1, "pay", &[("route", "/pay")]), span(3, "health", &[])];
    ExportTraceServiceRequest { resource_spans: vec![service("shop", shop), service("bank", bank)] }
}

/// Runs the plugin over the request; each span that is left as `name: key=value ...`, each resource likewise.
fn run<P: Attributes>() -> Vec<String> {
    let mut plugin = testing::attributes::<P>("null").unwrap();
    let after = plugin.run(Signal::Traces, &request().encode_to_vec()).unwrap();
    let after = ExportTraceServiceRequest::decode(&*after).unwrap();
    let words = |name: &str, attributes: &[KeyValue]| {
        let value = |attribute: &KeyValue| match attribute.value.clone().and_then(|value| value.value) {
            Some(any_value::Value::StringValue(text)) => format!(" {}={text}", attribute.key),
            other => format!(" {}={other:?}", attribute.key),
        };
        format!("{name}:{}", attributes.iter().map(value).collect::<String>())
    };
    let mut lines = Vec::new();
    for resource in after.resource_spans {
        lines.push(words("resource", &resource.resource.unwrap_or_default().attributes));
        let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
        lines.extend(spans.map(|span| words(&span.name, &span.attributes)));
    }
    lines
}

macro_rules! plugin {
    ($name:ident, $interest:expr, |$group:ident| $body:expr) => {
        struct $name;
        impl Plugin for $name {
            type Config = ();
            fn new((): ()) -> Result<Self, String> {
                Ok(Self)
            }
            fn interest(&self) -> Interest {
                $interest
            }
        }
        impl Attributes for $name {
            fn group(&mut self, $group: &mut Group<'_>) -> Result<(), Failure> {
                $body;
                Ok(())
            }
        }
    };
}

plugin!(Copies, Interest::in_attributes(["route", "tier"]), |group| {
    let route = group.find("route").and_then(|route| NewValue::try_from(route.value).ok());
    if let Some(route) = route {
        group.set("tier", route);
        group.remove("route");
    }
});

#[test]
fn an_attribute_is_set_from_another() {
    assert_eq!(
        run::<Copies>(),
        [
            "resource: service.name=shop",
            "buy: tier=/buy",
            "look:",
            "resource: service.name=bank",
            "pay: tier=/pay",
            "health:"
        ]
    );
}

plugin!(Marks, Interest::in_attributes(["service.name"]).and_every(Level::Item), |group| {
    if group.level() == Level::Item {
        if let Some(Value::String(service)) = group.of_resource("service.name").map(|service| service.value) {
            group.set_if_absent("tier", service.to_owned());
        }
    } else {
        group.set("cluster", "c1");
    }
});

#[test]
fn every_item_is_seen_with_its_resource() {
    assert_eq!(
        run::<Marks>(),
        [
            "resource: service.name=shop cluster=c1",
            "buy: route=/buy tier=old",
            "look: tier=shop",
            "resource: service.name=bank cluster=c1",
            "pay: route=/pay tier=bank",
            "health: tier=bank",
        ]
    );
}

plugin!(Drops, Interest::in_intrinsic(Intrinsic::SpanName).and_every(Level::Scope), |group| {
    match group.find("span.name").map(|name| name.value) {
        Some(Value::String("health")) => group.drop_item(),
        Some(Value::String(name)) => group.edit(0, Edit::set(name.to_uppercase())),
        _ => group.set_if_absent("seen", true),
    }
});

#[test]
fn fields_are_set_and_items_dropped() {
    assert_eq!(
        run::<Drops>(),
        [
            "resource: service.name=shop",
            "BUY: route=/buy tier=old",
            "LOOK:",
            "resource: service.name=bank",
            "PAY: route=/pay",
        ]
    );
}

plugin!(Nothing, Interest::default().and_every(Level::Resource), |group| {
    if group.is_empty() && group.level() == Level::Resource {
        group.drop_item();
    }
});

#[test]
fn what_has_no_rows_can_be_dropped() {
    assert_eq!(run::<Nothing>(), [""; 0]);
}

/// Keeps what the shop is in, rejects what nobody names, and waits for the rest.
struct Business;

impl Plugin for Business {
    type Config = ();
    fn new((): ()) -> Result<Self, String> {
        Ok(Self)
    }
    fn interest(&self) -> Interest {
        Interest::in_attributes(["service.name", "route"]).and_intrinsic(Intrinsic::SpanName)
    }
}

impl Sampler for Business {
    const WANTS_SPANS: bool = true;

    fn decide(&mut self, trace: &Trace<'_>) -> Result<Decision, Failure> {
        let spans = trace.batch().index()?.len();
        assert_eq!((spans, trace.spans().count()), (trace.span_count as usize, trace.span_count as usize));
        let services = trace.resources().filter(|resource| resource.find("service.name").is_some()).count();
        assert_eq!(trace.resources().map(|resource| resource.span_count).sum::<u32>(), trace.span_count);
        assert_eq!(trace.resources().flat_map(|resource| resource.values()).count(), trace.values().count());
        Ok(match trace.spans().find_map(|span| Some(span.find("route")?.value)) {
            Some(Value::String("/buy")) if services == 2 => Decision::Sample(None),
            _ if trace.find("span.name").is_some_and(|name| name.value == Value::String("health")) => Decision::Drop,
            _ => Decision::Undecided,
        })
    }
}

#[test]
fn a_sampler_sees_traces() {
    let mut plugin = testing::sampler::<Business>("null").unwrap();
    let decisions = plugin.run(&request().encode_to_vec()).unwrap();
    let expected = [(1, Decision::Sample(None)), (2, Decision::Undecided), (3, Decision::Drop)];
    assert_eq!(decisions, expected.map(|(id, decision)| ([id; 16], decision)));
}

/// `find` sees what belongs to the span itself; the attribute of an event in it is only among the values.
struct Own(Vec<(bool, usize)>);

impl Plugin for Own {
    type Config = ();

    fn new(_: ()) -> Result<Self, String> {
        Ok(Self(Vec::new()))
    }

    fn interest(&self) -> Interest {
        Interest::in_attributes(["k"])
    }
}

impl Attributes for Own {
    fn group(&mut self, group: &mut Group<'_>) -> Result<(), Failure> {
        self.0.push((group.find("k").is_some(), group.len()));
        Ok(())
    }
}

#[test]
fn an_attribute_of_an_event_is_not_that_of_its_span() {
    let event = || Event { attributes: vec![attribute("k", "of the event")], ..Default::default() };
    let spans = vec![
        Span { events: vec![event()], ..span(1, "event only", &[]) },
        Span { events: vec![event()], ..span(1, "both", &[("k", "of the span")]) },
    ];
    let scope_spans = vec![ScopeSpans { spans, ..Default::default() }];
    let request =
        ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..Default::default() }] };
    let mut plugin = testing::attributes::<Own>("null").unwrap();
    plugin.run(Signal::Traces, &request.encode_to_vec()).unwrap();
    assert_eq!(plugin.plugin().0, [(false, 1), (true, 2)]);
}
