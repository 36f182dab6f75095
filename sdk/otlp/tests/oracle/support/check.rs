//! Everything that must hold for one string of bytes, whatever they are.

use super::model::{Flat, Model};
use super::source::Source;
use super::views::{self, same_value};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use prost::Message as _;
use std::ops::Range;
use tailrace_otlp::schema::{self, Kind, Message};
use tailrace_otlp::wire::Fields;
use tailrace_otlp::{
    Bound, Edits, ErrorKind, Found, Index, Intrinsic, KeySet, Limits, NONE, New, RequestWriter, Signal, Target, Value,
    close_within, contains_any, find, merge, metric_context, resource_context, scope_context, select, split, validate,
};

/// The index of a request that must be valid.
fn index_of(signal: Signal, data: &[u8]) -> Index {
    validate(signal, data, &Limits::default()).expect("a result of ours must be valid")
}

/// Whether the bytes break a rule that prost does not have: length of ids, values given twice.
fn breaks_our_rules(message: &Message, payload: &[u8]) -> bool {
    let mut once = Vec::new();
    Fields::new(payload).any(|field| {
        let Some(schema) = message.field(field.number) else { return false };
        if schema.once {
            // The kinds of data of a metric are one value.
            let value = if message.name == "Metric" { 0 } else { field.number };
            if once.contains(&value) {
                return true;
            }
            once.push(value);
        }
        match (schema.kind, field.bytes()) {
            (Kind::Id(id), Some(bytes)) => !bytes.is_empty() && bytes.len() != id.len(),
            (Kind::Message(inner), Some(bytes)) => breaks_our_rules(inner, bytes),
            _ => false,
        }
    })
}

/// Sub-messages and repeated strings.
fn count_elements(message: &Message, payload: &[u8]) -> usize {
    let count = |field: tailrace_otlp::wire::Field<'_>| {
        let schema = message.field(field.number)?;
        match schema.kind {
            Kind::Message(inner) => Some(1 + count_elements(inner, field.bytes()?)),
            Kind::String => schema.repeated.then_some(1),
            _ => None,
        }
    };
    Fields::new(payload).filter_map(count).sum()
}

/// All unknown fields outside of attributes, with the message that they are in.
fn unknown_fields<'a>(message: &'static Message, payload: &'a [u8], out: &mut Vec<(&'static str, &'a [u8])>) {
    for field in Fields::new(payload) {
        let Some(schema) = message.field(field.number) else {
            out.push((message.name, &payload[field.start..field.end]));
            continue;
        };
        if let (Kind::Message(inner), Some(bytes)) = (schema.kind, field.bytes())
            && !matches!(inner.name, "KeyValue" | "AnyValue")
        {
            unknown_fields(inner, bytes, out);
        }
    }
}

/// No field is missing in the schema.
pub fn all_known(message: &Message, payload: &[u8]) {
    for field in Fields::new(payload) {
        let schema = message.field(field.number).unwrap_or_else(|| panic!("{}.{}", message.name, field.number));
        if let (Kind::Message(inner), Some(bytes)) = (schema.kind, field.bytes()) {
            all_known(inner, bytes);
        }
    }
}

/// Validation agrees with prost, and the fast path with the general walker. The index and the decoded request if the bytes are
/// valid.
pub fn agree(signal: Signal, data: &[u8]) -> Option<(Index, Model)> {
    let ours = validate(signal, data, &Limits::default());
    let mut walked = Index::default();
    let by_walk = tailrace_otlp::validate_by_walk(signal, data, &Limits::default(), &mut walked);
    assert_eq!(ours.as_ref().err(), by_walk.as_ref().err(), "the fast path decides differently");
    match (ours, Model::decode(signal, data)) {
        (Ok(index), Ok(model)) => {
            assert_eq!(index, walked, "the fast path yields another index");
            assert!(!breaks_our_rules(schema::request(signal), data), "accepted against our rules");
            Some((index, model))
        }
        (Err(_), Err(_)) => None,
        (Err(error), Ok(_)) => {
            assert!(breaks_our_rules(schema::request(signal), data), "refused: {error}");
            let kind = error.kind();
            assert!(matches!(kind, ErrorKind::TraceId | ErrorKind::SpanId | ErrorKind::Repeated), "{error}");
            None
        }
        (Ok(_), Err(error)) => panic!("accepted, but prost says: {error}"),
    }
}

/// [`agree`], and if the bytes are valid, everything that is made of them is right. `s` decides which edits and bounds are
/// tried. Returns whether they are valid.
pub fn check(signal: Signal, data: &[u8], s: &mut Source<'_>) -> bool {
    let Some((index, model)) = agree(signal, data) else { return false };
    // The budget is exactly what there is, on both paths.
    let elements = count_elements(schema::request(signal), data);
    let limits = Limits { elements, ..Limits::default() };
    assert!(validate(signal, data, &limits).is_ok());
    if let Some(elements) = elements.checked_sub(1) {
        let error = validate(signal, data, &Limits { elements, ..limits }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Elements);
    }
    let limits = Limits { entries: index.entries(), ..Limits::default() };
    assert!(validate(signal, data, &limits).is_ok());
    if let Some(entries) = limits.entries.checked_sub(1) {
        let error = validate(signal, data, &Limits { entries, ..limits }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Elements);
    }
    let flats = model.flatten();
    check_index(signal, &model, &flats, data, &index);
    views::check(&model, data, &index);
    check_find(signal, model.clone(), data, &index, s);
    check_parts(signal, &flats, data, &index, s);
    check_merge(signal, &model, data, &index, s);
    check_writer(signal, &flats, data, &index);
    check_edits(signal, model, data, &index, s);
    true
}

fn check_index(signal: Signal, model: &Model, flats: &[Flat], data: &[u8], index: &Index) {
    let counts = model.counts();
    assert_eq!((index.resources.len(), index.scopes.len(), index.metrics.len()), counts);
    assert_eq!(index.items.len(), flats.len());
    assert_eq!(index.bytes as usize, data.len());
    for (number, (item, flat)) in index.items.iter().zip(flats).enumerate() {
        // The bytes of the item are the item.
        let whole = item_again(signal, index, item.parent, &data[item.range()]);
        assert_eq!(whole, flat.item);
        let id = Some(&flat.trace_id[..]).filter(|id| id.iter().any(|byte| *byte != 0));
        assert_eq!(index.trace_id(data, number).map(|id| &id[..]), id);
        assert_eq!(index.resource_of(number), Some(flat.numbers.0));
        assert_eq!(index.scope_of(number), Some(flat.numbers.1));
        assert!(index.items_of_scope(flat.numbers.1).contains(&number));
    }
    for (number, resource) in index.resources.iter().enumerate() {
        assert!(resource.scopes().all(|scope| index.scopes[scope].resource as usize == number));
    }
}

/// An item decoded and encoded by prost.
fn item_again(signal: Signal, index: &Index, parent: u32, item: &[u8]) -> Vec<u8> {
    use opentelemetry_proto::tonic::metrics::v1 as m;
    use tailrace_otlp::MetricKind as K;
    fn again<M: prost::Message + Default>(item: &[u8]) -> Vec<u8> {
        M::decode(item).unwrap().encode_to_vec()
    }
    match signal {
        Signal::Traces => again::<opentelemetry_proto::tonic::trace::v1::Span>(item),
        Signal::Logs => again::<opentelemetry_proto::tonic::logs::v1::LogRecord>(item),
        Signal::Metrics => match index.metrics[parent as usize].kind {
            K::Empty => panic!("a metric without data has points"),
            K::Gauge | K::Sum => again::<m::NumberDataPoint>(item),
            K::Histogram => again::<m::HistogramDataPoint>(item),
            K::ExponentialHistogram => again::<m::ExponentialHistogramDataPoint>(item),
            K::Summary => again::<m::SummaryDataPoint>(item),
        },
    }
}

/// Whether a key is wanted.
type Wanted = Box<dyn Fn(&str) -> bool>;

fn check_find(signal: Signal, mut model: Model, data: &[u8], index: &Index, s: &mut Source<'_>) {
    let mut keys = KeySet::new();
    let mut wanted: Vec<Wanted> = Vec::new();
    for _ in 0..1 + s.below(4) {
        let key = s.string();
        match s.below(8) {
            0 => {
                keys.add_all();
                wanted.push(Box::new(|_| true));
            }
            1 => {
                let prefix: String = key.chars().take(2).collect();
                keys.add_prefix(&prefix);
                wanted.push(Box::new(move |key| key.starts_with(&prefix)));
            }
            _ => {
                keys.add(&key);
                wanted.push(Box::new(move |other| key == other));
            }
        }
    }
    let mut found: Vec<Found<'_>> = Vec::new();
    find(signal, data, index, &keys, |one| found.push(one));
    found.sort_by_key(|found| found.target);
    let mut expected: Vec<(Target, usize, KeyValue)> = Vec::new();
    model.attributes(|target, attributes| {
        for attribute in attributes.iter() {
            if let Some(key) = wanted.iter().position(|wanted| wanted(&attribute.key)) {
                expected.push((target, key, attribute.clone()));
            }
        }
    });
    expected.sort_by_key(|expected| expected.0);
    assert_eq!(found.len(), expected.len());
    for (found, (target, key, attribute)) in found.iter().zip(&expected) {
        assert_eq!((found.target, found.key), (*target, *key));
        assert_eq!(found.attribute.key.to_str(), attribute.key);
        same_value(&found.attribute.value, attribute.value.as_ref());
        let record = Fields::new(&data[found.record.clone()]).next().unwrap();
        assert_eq!(record.end, found.record.len());
        assert_eq!(KeyValue::decode(record.bytes().unwrap()).unwrap().encode_to_vec(), attribute.encode_to_vec());
    }
    if !found.is_empty() {
        assert!(contains_any(signal, data, index, &keys));
    } else if keys.len() > 2 {
        assert!(!contains_any(signal, data, index, &keys));
    }
}

/// Flats without the numbers, which are others in every part.
fn anonymous(flats: impl IntoIterator<Item = Flat>) -> Vec<Flat> {
    flats.into_iter().map(|flat| Flat { numbers: (0, 0, 0), ..flat }).collect()
}

fn flatten(signal: Signal, data: &[u8]) -> Vec<Flat> {
    anonymous(Model::decode(signal, data).expect("prost refuses a result of ours").flatten())
}

fn check_parts(signal: Signal, flats: &[Flat], data: &[u8], index: &Index, s: &mut Source<'_>) {
    let all = anonymous(flats.to_vec());
    let bound = if s.bool() { Bound::Items(s.below(6)) } else { Bound::Bytes(s.below(data.len() + 200)) };
    let mut rest = &all[..];
    let mut parts = split(signal, data, index, bound).peekable();
    while let Some((part, part_index)) = parts.next() {
        assert_eq!(part_index, index_of(signal, &part));
        let count = part_index.items.len();
        let flats = flatten(signal, &part);
        assert_eq!(flats, rest[..count]);
        rest = &rest[count..];
        match bound {
            Bound::Items(max) => {
                assert!(count <= max.max(1) && count > 0);
                assert!(count == max.max(1) || parts.peek().is_none(), "not full");
            }
            Bound::Bytes(max) => {
                assert!(count == 1 || part.len() <= max, "{} bytes of {max}", part.len());
                if part.len() <= max && !rest.is_empty() {
                    // One item more would not have fitted.
                    let first = all.len() - rest.len() - count;
                    let (more, _) =
                        select(signal, data, index, |item| (first..=first + count).contains(&item)).unwrap();
                    assert!(more.len() > max, "not full");
                }
            }
        }
    }
    assert!(rest.is_empty());

    let kept: Vec<bool> = (0..all.len()).map(|_| s.bool()).collect();
    let (selected, selected_index) = select(signal, data, index, |item| kept[item]).unwrap();
    assert_eq!(selected_index, index_of(signal, &selected));
    let expected: Vec<Flat> = all.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(flat, _)| flat.clone()).collect();
    assert_eq!(flatten(signal, &selected), expected);
}

fn check_merge(signal: Signal, model: &Model, data: &[u8], index: &Index, s: &mut Source<'_>) {
    let other = super::objects::encoded(signal, s);
    let other_index = match validate(signal, &other, &Limits::default()) {
        Ok(index) => index,
        Err(error) => panic!("an encoded object is refused: {error}"),
    };
    let parts = [(data, index), (&other[..], &other_index), (&[][..], &Index::default()), (data, index)];
    let (merged, merged_index) = merge(parts).unwrap();
    assert_eq!(merged, [data, &other, data].concat());
    assert_eq!(merged_index, index_of(signal, &merged));
    let mut flats = anonymous(model.flatten());
    flats.extend(flatten(signal, &other));
    flats.extend(anonymous(model.flatten()));
    assert_eq!(flatten(signal, &merged), flats);
}

/// The request put together again item by item, and in runs, is the same request.
fn check_writer(signal: Signal, flats: &[Flat], data: &[u8], index: &Index) {
    let mut one = RequestWriter::new(signal);
    let mut runs = RequestWriter::new(signal);
    for (r, resource) in index.resources.iter().enumerate() {
        let mut context = Vec::new();
        resource_context(data, index, r, &mut context);
        one.open_resource(&context);
        runs.open_resource(&context);
        for s in resource.scopes() {
            context.clear();
            scope_context(data, index, s, &mut context);
            one.open_scope(&context);
            runs.open_scope(&context);
            let mut items = |numbers: Range<usize>| {
                let mut run = Vec::new();
                for item in &index.items[numbers] {
                    let payload = &data[item.range()];
                    one.item(payload, item.trace_in_item());
                    tailrace_otlp::wire::put_len_field(
                        &mut run,
                        if signal == Signal::Metrics { 1 } else { 2 },
                        payload,
                    );
                }
                runs.run(&run);
            };
            if signal != Signal::Metrics {
                items(index.scopes[s].children());
                continue;
            }
            for m in index.scopes[s].children() {
                if index.metrics[m].count == 0 {
                    continue;
                }
                let (mut context, mut points) = (Vec::new(), Vec::new());
                let kind = metric_context(data, index, m, &mut context, &mut points);
                one.open_metric(&context, kind, &points);
                runs.open_metric(&context, kind, &points);
                let mut run = Vec::new();
                for item in &index.items[index.metrics[m].items()] {
                    let payload = &data[item.range()];
                    one.item(payload, NONE);
                    tailrace_otlp::wire::put_len_field(&mut run, 1, payload);
                }
                runs.run(&run);
            }
        }
    }
    let (written, written_index) = one.finish().unwrap();
    assert_eq!(written_index, index_of(signal, &written));
    assert_eq!(flatten(signal, &written), anonymous(flats.to_vec()));
    assert_eq!(runs.finish().unwrap(), (written, written_index));
}

fn to_object(value: &Value<'_>) -> AnyValue {
    let mut out = Vec::new();
    tailrace_otlp::view::put_value(&mut out, value);
    AnyValue::decode(&out[..]).unwrap()
}

fn random_value(s: &mut Source<'_>, text: &mut Vec<u8>) -> AnyValue {
    let object = super::objects::any_value(s, 2);
    *text = object.encode_to_vec();
    AnyValue { value: object.value.filter(|value| !matches!(value, any_value::Value::StringValueStrindex(_))) }
}

/// The n-th attribute of a target gets this key and value, or goes.
type ByRecord = (Target, usize, Option<(String, AnyValue)>);

/// Edits are what the same edits are on objects, and nothing else changes.
fn check_edits(signal: Signal, mut model: Model, data: &[u8], index: &Index, s: &mut Source<'_>) {
    let mut targets: Vec<(Target, Vec<String>)> = Vec::new();
    model.attributes(|target, attributes| {
        targets.push((target, attributes.iter().map(|attribute| attribute.key.clone()).collect()));
    });
    targets.push((Target::Item(1_000), vec![]));
    targets.push((Target::Event { item: 0, event: 9 }, vec![]));
    targets.push((Target::Resource(99), vec![]));
    let mut found: Vec<(Target, Range<usize>)> = Vec::new();
    let mut all = KeySet::new();
    all.add_all();
    find(signal, data, index, &all, |one| found.push((one.target, one.record)));

    let values: Vec<(AnyValue, Vec<u8>)> = (0..8)
        .map(|_| {
            let mut text = Vec::new();
            (random_value(s, &mut text), text)
        })
        .collect();
    let texts: Vec<String> = (0..4).map(|_| s.string()).collect();
    let mut edits = Edits::new();
    // By the place where they were found; the n-th attribute of its target.
    let mut by_record: Vec<ByRecord> = Vec::new();
    if s.bool() {
        for (at, (target, record)) in found.iter().enumerate() {
            if !s.one_in(3) {
                continue;
            }
            let nth = found[..at].iter().filter(|(other, _)| other == target).count();
            if s.bool() {
                edits.remove_found(*target, record.clone());
                by_record.push((*target, nth, None));
            } else {
                let (key, (value, text)) = (s.string(), &values[s.below(values.len())]);
                edits.set_found(*target, record.clone(), &key, new(Value::new(text), s));
                by_record.push((*target, nth, Some((key, value.clone()))));
            }
        }
    }
    model.attributes(|target, attributes| {
        let mut edited: Vec<Option<KeyValue>> = attributes.drain(..).map(Some).collect();
        for (_, nth, change) in by_record.iter().filter(|(other, ..)| *other == target) {
            edited[*nth] = change.clone().map(|(key, value)| KeyValue { key, value: Some(value), key_strindex: 0 });
        }
        attributes.extend(edited.into_iter().flatten());
    });

    for _ in 0..s.below(6) {
        let (target, keys) = &targets[s.below(targets.len())];
        let key = if keys.is_empty() || s.one_in(4) { s.string() } else { keys[s.below(keys.len())].clone() };
        match s.below(5) {
            0 | 1 => {
                let (value, text) = &values[s.below(values.len())];
                edits.set(*target, &key, new(Value::new(text), s));
                model.attributes(|other, attributes| {
                    if other == *target {
                        set(attributes, &key, value);
                    }
                });
            }
            2 => {
                edits.remove(*target, &key);
                model.attributes(|other, attributes| {
                    if other == *target {
                        attributes.retain(|attribute| attribute.key != key);
                    }
                });
            }
            3 => {
                let to = s.string();
                edits.rename(*target, &key, &to);
                model.attributes(|other, attributes| {
                    if other == *target && key != to && attributes.iter().any(|attribute| attribute.key == key) {
                        attributes.retain(|attribute| attribute.key != to);
                        for attribute in attributes.iter_mut().filter(|attribute| attribute.key == key) {
                            attribute.key.clone_from(&to);
                        }
                    }
                });
            }
            _ => set_intrinsic(&mut edits, &mut model, *target, &texts[s.below(texts.len())], s),
        }
    }
    let (edited, edited_index) = edits.apply(signal, data, index).unwrap();
    assert_eq!(edited_index, index_of(signal, &edited));
    // With the longest value apart, and put together within the buffer of that.
    let (open, open_index) = edits.apply_open(signal, data, index, s.below(20)).unwrap();
    assert_eq!(open_index, edited_index);
    let (before, after) = (s.below(300), s.below(300));
    let buffer = [&vec![b'-'; before], open.value, &vec![b'-'; after]].concat();
    assert_eq!(close_within(buffer, before..before + open.value.len(), &open.bytes, open.at), edited);
    assert_eq!(open.close(), edited);
    let result = Model::decode(signal, &edited).unwrap();
    // An attribute set and removed again leaves no resource where there was none; the model keeps an empty one.
    let (result, model) = (result.without_empty_contexts(), model.without_empty_contexts());
    assert_eq!(result.encode(), model.encode(), "{edits:?}");
    if edits.is_empty() {
        assert_eq!(edited, data);
    }
    // Fields that nobody knows survive, in their order, where no attribute around them was replaced.
    let schema = schema::request(signal);
    let (mut before, mut after) = (Vec::new(), Vec::new());
    unknown_fields(schema, data, &mut before);
    unknown_fields(schema, &edited, &mut after);
    assert_eq!(before, after);
}

fn set(attributes: &mut Vec<KeyValue>, key: &str, value: &AnyValue) {
    let mut value = Some(value.clone());
    attributes.retain_mut(|attribute| {
        if attribute.key != key {
            return true;
        }
        match value.take() {
            Some(value) => {
                *attribute = KeyValue { key: key.into(), value: Some(value), key_strindex: 0 };
                true
            }
            None => false,
        }
    });
    if value.is_some() {
        attributes.push(KeyValue { key: key.into(), value, key_strindex: 0 });
    }
}

/// Copied or borrowed.
fn new<'v>(value: Value<'v>, s: &mut Source<'_>) -> New<'v, 'v> {
    if s.bool() { New::Copied(value) } else { New::Borrowed(value) }
}

fn set_intrinsic<'v>(edits: &mut Edits<'v>, model: &mut Model, target: Target, text: &'v str, s: &mut Source<'_>) {
    let (string, text) = (new(text.into(), s), text.to_string());
    let number = s.number() as i32;
    let int = Value::Int(i64::from(number));
    match target {
        Target::Item(item) => match s.below(7) {
            0 => {
                assert!(edits.set_intrinsic(target, Intrinsic::SpanName, string));
                if let Some(span) = model.span(item) {
                    span.name = text;
                }
            }
            1 => {
                assert!(edits.set_intrinsic(target, Intrinsic::SpanKind, int));
                if let Some(span) = model.span(item) {
                    span.kind = number;
                }
            }
            2 => {
                assert!(edits.set_intrinsic(target, Intrinsic::SpanStatusCode, int));
                model.status(item, |status| status.code = number);
            }
            3 => {
                assert!(edits.set_intrinsic(target, Intrinsic::SpanStatusMessage, string));
                model.status(item, |status| status.message = text);
            }
            4 => {
                assert!(edits.set_intrinsic(target, Intrinsic::LogBody, string));
                if let Some(record) = model.log(item) {
                    record.body = Some(to_object(&text.as_str().into()));
                }
            }
            5 => {
                assert!(edits.set_intrinsic(target, Intrinsic::LogSeverityNumber, int));
                if let Some(record) = model.log(item) {
                    record.severity_number = number;
                }
            }
            _ => {
                assert!(edits.set_intrinsic(target, Intrinsic::LogSeverityText, string));
                if let Some(record) = model.log(item) {
                    record.severity_text = text;
                }
            }
        },
        Target::Event { item, event } => {
            assert!(edits.set_intrinsic(target, Intrinsic::SpanName, string));
            if let Some(event) = model.span(item).and_then(|span| span.events.get_mut(event as usize)) {
                event.name = text;
            }
        }
        Target::Metric(number) => {
            assert!(edits.set_intrinsic(target, Intrinsic::MetricName, string));
            if let Some(metric) = model.metric(number) {
                metric.name = text;
            }
        }
        Target::Scope(number) => {
            assert!(edits.set_intrinsic(target, Intrinsic::ScopeName, string));
            if let Some(scope) = model.scope(number) {
                scope.get_or_insert_default().name = text;
            }
        }
        Target::Resource(_) | Target::Link { .. } | Target::Exemplar { .. } => {
            assert!(!edits.set_intrinsic(target, Intrinsic::SpanName, string));
        }
    }
    assert!(!edits.set_intrinsic(target, Intrinsic::SpanKind, i64::MAX));
}
