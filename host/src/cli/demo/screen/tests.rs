use super::*;

fn view() -> View {
    let shown =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    View {
        elapsed: Duration::from_millis(12_400),
        limit: Some(Duration::from_secs(20)),
        accepted: 24_810,
        per_second: 2_003,
        kept: 4_702,
        policies: vec![("errors-policy".into(), 251), ("slow-traces".into(), 240), ("probabilistic".into(), 511)],
        dropped: vec![("not_sampled".into(), 16_100)],
        held: 4_008,
        redacted: 9_911,
        arrived: 4_690,
        unredacted: 0,
        plugin: Some(PluginView {
            name: "redact".into(),
            version: "0.1.0".into(),
            generation: 1,
            hash: "8c41d2e0".into(),
            ns_per_span: Some(183),
            error: None,
        }),
        pair: Some(Pair {
            span_id: 0x00f0_67aa_0ba9_02b7,
            service: "frontend",
            name: "POST /checkout".into(),
            before: shown(&[("user.id", "\"u-1815\""), ("user.email", "\"ada@example.com\"")]),
            after: shown(&[("user.id", "\"u-1815\"")]),
        }),
        refusal: None,
    }
}

#[test]
fn the_block_on_a_terminal() {
    let expected = "
  time        12s of 20s
  spans in        24,810  2,003 a second, over OTLP gRPC
  kept             4,702  traces: errors-policy 251 · slow-traces 240 · probabilistic 511
  dropped         16,100  not sampled 16,100
  held             4,008  until their trace is decided or their batch is sent
  arrived          4,690  at the backend, over OTLP gRPC
  redacted         9,911  attributes; no address reached the backend

  plugin      redact 0.1.0 · generation 1 · 8c41d2e0 · 183 ns per span
  one span    POST /checkout of frontend, span 00f067aa0ba902b7
              user.email: \"ada@example.com\" -> (gone)";
    assert_eq!(block(&view(), Style::Plain).join("\n"), expected);
}

/// What goes wrong is said: a file that does not load, addresses that got through, a refusal.
#[test]
fn the_block_when_things_go_wrong() {
    let mut view = view();
    view.unredacted = 3;
    view.limit = None;
    view.refusal = Some("UNAVAILABLE: memory".into());
    view.plugin.as_mut().unwrap().error = Some("no component".into());
    view.pair.as_mut().unwrap().after[0].1 = "\"x\"".into();
    let text = block(&view, Style::Plain).join("\n");
    for expected in [
        "  time               12s\n",
        "redacted         9,911  attributes; 3 addresses reached the backend\n",
        "183 ns per span · not loaded: no component\n",
        "              user.id: \"u-1815\" -> \"x\"\n              user.email: \"ada@example.com\" -> (gone)\n",
        "  refused     UNAVAILABLE: memory",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in\n{text}");
    }
}

#[test]
fn the_line_without_a_terminal() {
    assert_eq!(
        line(&view()),
        " 12s  in 24,810 (2,003/s)  kept 4,702 (traces: errors-policy 251 · slow-traces 240 · probabilistic 511)  \
         dropped 16,100  held 4,008  arrived 4,690  redacted 9,911  redact 0.1.0 gen 1 183 ns/span"
    );
}

/// Before anything has happened there is something to show, too.
#[test]
fn nothing_yet() {
    let text = block(&View::default(), Style::Plain).join("\n");
    assert!(text.contains("  spans in             0  0 a second, over OTLP gRPC\n"), "{text}");
    assert!(text.ends_with("  plugin         loading"), "{text}");
}

/// Colour only adds escape sequences: the text without them is the same.
#[test]
fn colour_changes_no_text() {
    let coloured = block(&view(), Style::Colour).join("\n");
    assert!(coloured.contains("\x1b[1m"));
    let mut plain = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, escape)) = rest.split_once('\x1b') {
        plain.push_str(before);
        rest = escape.split_once('m').unwrap().1;
    }
    plain.push_str(rest);
    assert_eq!(plain, block(&view(), Style::Plain).join("\n"));
}

#[test]
fn thousands() {
    for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
        assert_eq!(count(number), text);
    }
}
