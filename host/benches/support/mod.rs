//! What goes through the plugins of the benches.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

use tailrace::pdata::{Batch, Limits as Validation, Signal};
use tailrace_otlp::view::put_attribute;
use tailrace_otlp::wire::{put_fixed64_field, put_len_field, put_varint_field};
use tailrace_otlp::{RequestWriter, Value};

/// How many spans a batch has.
pub const SPANS: usize = 1000;

/// 1,000 spans of ten services, `user.email` on every n-th of them.
pub fn batch(every: Option<usize>) -> Batch {
    let mut writer = RequestWriter::new(Signal::Traces);
    for number in 0..SPANS {
        if number % 100 == 0 {
            let (mut resource, mut context) = (Vec::new(), Vec::new());
            put_attribute(&mut resource, 1, "service.name".into(), &Value::from("checkout"));
            put_len_field(&mut context, 1, &resource);
            writer.open_resource(&context);
            writer.open_scope(&[]);
        }
        let mut span = Vec::new();
        put_len_field(&mut span, 1, &[7; 16]);
        put_len_field(&mut span, 2, &(number as u64 + 1).to_be_bytes());
        put_len_field(&mut span, 5, b"GET /api/v1/orders/{id}");
        put_varint_field(&mut span, 6, 2);
        put_fixed64_field(&mut span, 7, 1_700_000_000_000_000_000);
        put_fixed64_field(&mut span, 8, 1_700_000_000_012_345_678);
        for (key, value) in [
            ("http.request.method", Value::from("GET")),
            ("url.path", Value::from("/api/v1/orders/8a7b3c")),
            ("url.scheme", Value::from("https")),
            ("server.address", Value::from("orders.shop.example.com")),
            ("http.response.status_code", Value::Int(200)),
            ("server.port", Value::Int(443)),
            ("network.protocol.version", Value::from("1.1")),
            ("user_agent.original", Value::from("Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101")),
            ("thread.id", Value::Int(42)),
            ("thread.name", Value::from("worker-7")),
            ("cache.hit", Value::Bool(true)),
        ] {
            put_attribute(&mut span, 9, key.into(), &value);
        }
        match every {
            Some(every) if number % every == 0 => {
                put_attribute(&mut span, 9, "user.email".into(), &Value::from("ann.example@example.com"));
            }
            _ => put_attribute(&mut span, 9, "order.note".into(), &Value::from("please ring the bell!")),
        }
        writer.item(&span, 2);
    }
    let (data, _) = writer.finish().unwrap();
    Batch::validate(Signal::Traces, data.into(), &Validation::default()).unwrap()
}
