//! A condition and a trace request, divided by the first zero byte: parsing says what is wrong inside the text or gives a
//! condition, and it can be evaluated on every span and event of a request that is valid, twice with the same answer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tailrace_otlp::{Limits, ResourceView, ScopeView, Signal, SpanView, resource_context, scope_context, validate};
use tailrace_ottl::{Condition, Context, Scene};

fuzz_target!(|input: &[u8]| {
    let mut halves = input.splitn(2, |byte| *byte == 0);
    let Some(Ok(text)) = halves.next().map(std::str::from_utf8) else { return };
    let data = halves.next().unwrap_or_default();
    let index = validate(Signal::Traces, data, &Limits::default()).unwrap_or_default();
    for context in [Context::Span, Context::SpanEvent] {
        let condition = match Condition::parse(text, context) {
            Ok(condition) => condition,
            Err(error) => {
                assert!(text.is_char_boundary(error.at) || error.at > text.len());
                continue;
            }
        };
        for item in &index.items {
            let (mut scope, mut resource) = (Vec::new(), Vec::new());
            let parent = item.parent as usize;
            scope_context(data, &index, parent, &mut scope);
            resource_context(data, &index, index.scopes[parent].resource as usize, &mut resource);
            let span = SpanView::new(&data[item.range()]);
            let (resource, scope) = (ResourceView::new(&resource), ScopeView::new(&scope));
            let mut scene = Scene { resource, scope, span, event: None, now: 1_700_000_000_000_000_000 };
            assert_eq!(condition.eval(&scene), condition.eval(&scene));
            for event in (0..).zip(span.events()) {
                scene.event = Some(event);
                assert_eq!(condition.eval(&scene), condition.eval(&scene));
            }
        }
    }
});
