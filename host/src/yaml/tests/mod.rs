//! YAML in, typed settings or faults with places out.

mod any_text;
mod durations;
mod parsing;

use super::*;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

fn tree(text: &str) -> Node {
    let mut problems = Problems::default();
    parse("t.yaml", text, &mut problems).unwrap_or_else(|| panic!("{text:?}: {problems}"))
}

fn refusal(text: &str) -> String {
    let mut problems = Problems::default();
    assert!(parse("t.yaml", text, &mut problems).is_none(), "{text:?} was accepted");
    problems.to_string()
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
struct Exporter {
    endpoint: String,
    timeout: GoDuration,
    compression: Compression,
    headers: BTreeMap<String, String>,
    tags: Vec<String>,
    ratio: f64,
    enabled: bool,
    sending_queue: Option<Queue>,
    policies: Vec<Policy>,
}

#[derive(Debug, Deserialize, PartialEq, Default, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Compression {
    #[default]
    Gzip,
    Zstd,
    None,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
struct Queue {
    queue_size: u32,
    num_consumers: usize,
}

#[derive(Debug, Deserialize, PartialEq, Default)]
#[serde(deny_unknown_fields)]
struct Policy {
    name: String,
    latency: Option<Latency>,
}

#[derive(Debug, Deserialize, PartialEq, Default)]
#[serde(default, deny_unknown_fields)]
struct Latency {
    threshold_ms: u64,
}

impl Default for Queue {
    fn default() -> Self {
        Self { queue_size: 1000, num_consumers: 10 }
    }
}

impl Default for Exporter {
    fn default() -> Self {
        Self {
            endpoint: "here:1".to_owned(),
            timeout: GoDuration::from_secs(5),
            compression: Compression::Gzip,
            headers: BTreeMap::new(),
            tags: vec!["default".to_owned()],
            ratio: 0.5,
            enabled: true,
            sending_queue: None,
            policies: Vec::new(),
        }
    }
}

impl Settings for Exporter {
    fn check(&self, check: &mut Check<'_>) {
        if self.endpoint == "here:1" {
            check.error("endpoint", "must be set");
        }
        for (i, policy) in self.policies.iter().enumerate() {
            if policy.latency.as_ref().is_some_and(|latency| latency.threshold_ms == 0) {
                check.error(&format!("policies[{i}].latency.threshold_ms"), "must not be 0");
            }
        }
        if self.headers.contains_key("a.b") {
            check.warning("headers.a.b", "is odd");
        }
    }
}

fn faults(text: &str) -> String {
    let node = tree(text);
    let mut problems = Problems::default();
    let section = Section { path: "exporters::otlp/tempo", node: &node };
    let settings = section.settings::<Exporter>(&mut problems);
    assert_eq!(settings.is_none(), problems.has_errors(), "{problems}");
    problems.to_string()
}

fn read(text: &str) -> Exporter {
    from_str("t.yaml", text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// What can be written is read as meant, and what is not written keeps its default.
#[test]
fn settings_are_read() {
    let read = read(
        "endpoint: tempo:4317\ntimeout: 1m30s\ncompression: zstd\nheaders: {a: b}\ntags: [x, y]\nratio: 1\nenabled: false\n\
         sending_queue:\n  queue_size: 1e3\npolicies:\n- name: slow\n  latency: {threshold_ms: 0x10}\n",
    );
    assert_eq!(
        read,
        Exporter {
            endpoint: "tempo:4317".to_owned(),
            timeout: Duration::from_secs(90).into(),
            compression: Compression::Zstd,
            headers: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
            tags: vec!["x".to_owned(), "y".to_owned()],
            ratio: 1.0,
            enabled: false,
            sending_queue: Some(Queue { queue_size: 1000, num_consumers: 10 }),
            policies: vec![Policy { name: "slow".to_owned(), latency: Some(Latency { threshold_ms: 16 }) }],
        }
    );
}

/// A key with nothing behind it is the same as no key; an optional struct is then there with its defaults.
#[test]
fn nulls_keep_defaults() {
    let read = read(
        "endpoint: a:1\ntimeout:\ncompression: ~\nheaders:\ntags: null\nratio:\nenabled:\nsending_queue:\npolicies:\n",
    );
    let defaults = Exporter::default();
    assert_eq!(read.timeout, defaults.timeout);
    assert_eq!(read.tags, defaults.tags);
    assert_eq!((read.ratio, read.enabled, read.compression), (0.5, true, Compression::Gzip));
    assert_eq!(read.sending_queue, Some(Queue::default()));
    assert_eq!(from_str::<Exporter>("t.yaml", "").unwrap_err().to_string(), "t.yaml:1:1: error: endpoint: must be set");
}

/// As the Collector splits them.
#[test]
fn a_list_of_texts_may_be_one_text_with_commas() {
    assert_eq!(read("{endpoint: 'a:1', tags: 'x,y'}").tags, ["x", "y"]);
    assert_eq!(read("{endpoint: 'a:1', tags: ''}").tags, [""; 0]);
    assert_eq!(
        faults("{endpoint: 'a:1', policies: 'a,b'}"),
        "t.yaml:1:29: error: exporters::otlp/tempo::policies: expected a list, found text \"a,b\""
    );
}

/// Every fault of a section is reported in one go, each at its place and only once, without follow-ups.
#[test]
fn all_faults_at_once() {
    let text = "
endpont: a:1
timeout: 5
compression: gzp
headers:
  a: 1
  b: [x]
ratio: high
enabled: \"yes\"
sending_queue:
  queue_size: -1
  num_consumer: 3
policies:
- nme: x
- name: y
  latency: {threshold_ms: fast}
- name: z
  latency: {threshold_ms: 0}
-
";
    assert_eq!(
        faults(text),
        "\
t.yaml:2:1: error: exporters::otlp/tempo::endpont: unknown key (did you mean \"endpoint\"?)
t.yaml:3:10: error: exporters::otlp/tempo::timeout: \"5\" needs a unit, as in \"5s\"
t.yaml:4:14: error: exporters::otlp/tempo::compression: \"gzp\" is none of \"gzip\", \"zstd\", \"none\" (did you mean \"gzip\"?)
t.yaml:6:6: error: exporters::otlp/tempo::headers::a: expected text, found number 1
t.yaml:7:6: error: exporters::otlp/tempo::headers::b: expected text, found a list
t.yaml:8:8: error: exporters::otlp/tempo::ratio: expected a number, found text \"high\"
t.yaml:9:10: error: exporters::otlp/tempo::enabled: expected true or false, found text \"yes\"
t.yaml:11:15: error: exporters::otlp/tempo::sending_queue::queue_size: expected a whole number from 0 to 4294967295, found number -1
t.yaml:12:3: error: exporters::otlp/tempo::sending_queue::num_consumer: unknown key (did you mean \"num_consumers\"?)
t.yaml:14:3: error: exporters::otlp/tempo::policies[0]: missing key \"name\"
t.yaml:14:3: error: exporters::otlp/tempo::policies[0]::nme: unknown key (did you mean \"name\"?)
t.yaml:16:27: error: exporters::otlp/tempo::policies[1]::latency::threshold_ms: expected a whole number from 0, found text \"fast\"
t.yaml:19:2: error: exporters::otlp/tempo::policies[3]: missing key \"name\""
    );
}

/// A fault of `check` stands at the deepest key of its path that is written; `is_set` means written with something.
#[test]
fn checks_know_their_places() {
    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Nested {
        a: BTreeMap<String, Nested>,
        b: Vec<u8>,
    }

    impl Settings for Nested {
        fn check(&self, check: &mut Check<'_>) {
            for key in ["a.x.y.b[1]", "a.x.y.b[7]", "a.x.y.a.b", "a.x.y.nothing.here", "b", "", "a::x"] {
                check.error(key, "E");
            }
            check.warning("a", "W");
            let set = ["a", "a.x.y", "a.x.y.b", "a.x.y.b[1]", "b"].map(|key| check.is_set(key));
            assert_eq!(set, [true, true, true, true, false]);
            assert!(!["a.x.y.b[2]", "c", "a.x.z", "b[0]"].iter().any(|key| check.is_set(key)));
        }
    }

    let node = tree("a:\n  x:\n  x.y:\n    b: [1, 2]\n    a:\nb:\n");
    let mut problems = Problems::default();
    let section = Section { path: "processors::p", node: &node };
    assert!(section.settings::<Nested>(&mut problems).is_none());
    assert_eq!(
        problems.to_string(),
        "\
t.yaml:4:12: error: processors::p::a::x.y::b[1]: E
t.yaml:4:8: error: processors::p::a::x.y::b[7]: E
t.yaml:5:5: error: processors::p::a::x.y::a::b: E
t.yaml:4:5: error: processors::p::a::x.y::nothing::here: E
t.yaml:6:1: error: processors::p::b: E
t.yaml:1:1: error: processors::p: E
t.yaml:2:3: error: processors::p::a::x: E
t.yaml:2:3: warning: processors::p::a: W"
    );
}

/// Parts that somebody else reads later come through as they are, places included.
#[test]
fn raw_parts() {
    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Raw {
        node: Option<Node>,
        nodes: BTreeMap<String, Node>,
        json: serde_json::Value,
    }

    impl Settings for Raw {}

    let part = "{z: [1, 1.5, null, true, 'x'], a: {}, big: 18446744073709551615}";
    let raw: Raw = from_str("t.yaml", &format!("node: {part}\nnodes: {{n: {part}, e: }}\njson: {part}")).unwrap();
    let expected = r#"{"z":[1,1.5,null,true,"x"],"a":{},"big":18446744073709551615}"#;
    assert_eq!(raw.json.to_string(), expected);
    let node = raw.node.unwrap();
    assert_eq!(node.to_json().to_string(), expected);
    assert_eq!(node.get("z").unwrap().items()[1].origin.to_string(), "t.yaml:1:15");
    assert_eq!(raw.nodes["n"].to_json().to_string(), expected);
    assert!(raw.nodes["e"].is_null());
}

/// Variants with content, as maps of one key.
#[test]
fn enums_with_content() {
    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "snake_case")]
    enum Shape {
        Nothing,
        Text(String),
        Block { size: u8 },
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Shapes {
        shapes: Vec<Shape>,
    }

    impl Settings for Shapes {}

    let read: Shapes = from_str("t.yaml", "shapes: [nothing, text: x, block: {size: 1}, nothing: ]").unwrap();
    assert_eq!(read.shapes, [Shape::Nothing, Shape::Text("x".to_owned()), Shape::Block { size: 1 }, Shape::Nothing]);
    let faults = from_str::<Shapes>(
        "t.yaml",
        "shapes: [nothin, text: 5, block: {sise: 1}, {a: 1, b: 2}, block: {size: 300}, blok: 1, ~]",
    );
    assert_eq!(
        faults.unwrap_err().to_string(),
        "\
t.yaml:1:10: error: shapes[0]: \"nothin\" is none of \"nothing\", \"text\", \"block\" (did you mean \"nothing\"?)
t.yaml:1:24: error: shapes[1]::text: expected text, found number 5
t.yaml:1:34: error: shapes[2]::block: missing key \"size\"
t.yaml:1:35: error: shapes[2]::block::sise: unknown key (did you mean \"size\"?)
t.yaml:1:45: error: shapes[3]: expected one of the known names, found a map
t.yaml:1:73: error: shapes[4]::block::size: expected a whole number from 0 to 255, found number 300
t.yaml:1:85: error: shapes[5]::blok: \"blok\" is none of \"nothing\", \"text\", \"block\" (did you mean \"block\"?)
t.yaml:1:88: error: shapes[6]: expected one of the known names, found nothing"
    );
}

/// However many faults there are, reading ends and says so.
#[test]
fn faults_are_bounded() {
    let policies = "- {name: x, latency: {threshold_ms: -1}}\n".repeat(2000);
    let faults = faults(&format!("endpoint: a:1\npolicies:\n{policies}"));
    assert!(faults.contains("there are more faults than are shown"));
    assert_eq!(faults.lines().count(), 101);
}

#[test]
fn endpoints() {
    use endpoint::{EndpointError, HostPort};
    for good in ["localhost:4317", "0.0.0.0:0", ":8888", "[::1]:65535", "tempo.ns.svc:1", "[fe80::1%eth0]:1"] {
        assert_eq!(good.parse::<HostPort>().map(|parsed| parsed.to_string()).as_deref(), Ok(good));
    }
    type Make = fn(String) -> EndpointError;
    let bad: [(&str, Make); 7] = [
        ("localhost", EndpointError::NoPort),
        ("localhost:", EndpointError::NoPort),
        ("[::1]", EndpointError::NoPort),
        ("::1", EndpointError::Colons),
        ("[::1", EndpointError::Brackets),
        ("http://a:1", EndpointError::Url),
        ("a b:1", EndpointError::BadHost),
    ];
    for (text, error) in bad {
        assert_eq!(text.parse::<HostPort>(), Err(error(text.to_owned())));
    }
    for port in ["65536", "-1", "+1", "http"] {
        let text = format!("a:{port}");
        assert_eq!(text.parse::<HostPort>(), Err(EndpointError::BadPort(text.clone(), port.to_owned())));
    }
}
