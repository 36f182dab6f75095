//! What holds for any bytes: shared by a loop of the tests and by the fuzz target.

use tailrace_otlp::{Limits, ResourceView, ScopeView, Signal, SpanView, resource_context, scope_context, validate};
use tailrace_ottl::{Condition, Context, Scene};

/// A condition and a trace request, divided by the first zero byte: parsing says what is wrong inside the text or gives a condition, and it
/// can be evaluated on every span and event of a request that is valid, twice with the same answer. Says how many answers there were.
pub(crate) fn check(input: &[u8]) -> usize {
    let mut halves = input.splitn(2, |byte| *byte == 0);
    let Some(Ok(text)) = halves.next().map(std::str::from_utf8) else { return 0 };
    let data = halves.next().unwrap_or_default();
    let index = validate(Signal::Traces, data, &Limits::default()).unwrap_or_default();
    let mut answers = 0;
    for context in [Context::Span, Context::SpanEvent] {
        let condition = match Condition::parse(text, context) {
            Ok(condition) => condition,
            Err(error) => {
                assert!(error.at <= text.len() && text.is_char_boundary(error.at), "{text:?}: {error}");
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
            answers += 1;
            for event in (0..).zip(span.events()) {
                scene.event = Some(event);
                assert_eq!(condition.eval(&scene), condition.eval(&scene));
                answers += 1;
            }
        }
    }
    answers
}
