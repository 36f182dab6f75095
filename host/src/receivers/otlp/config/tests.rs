use super::*;
use crate::yaml::from_str;
use std::time::Duration;

fn read(yaml: &str) -> Config {
    from_str("test.yaml", yaml).unwrap_or_else(|problems| panic!("{yaml}\n{problems}"))
}

fn faults(yaml: &str) -> String {
    from_str::<Config>("test.yaml", yaml).err().map(|problems| problems.to_string()).unwrap_or_default()
}

/// A key without a value means its defaults, and these are the Collector's.
#[test]
fn present_keys_mean_defaults() {
    let config = read("protocols: {grpc: , http: }");
    let (grpc, http) = (config.protocols.grpc.unwrap(), config.protocols.http.unwrap());
    assert_eq!(
        (grpc.endpoint.to_string(), http.endpoint.to_string()),
        ("localhost:4317".into(), "localhost:4318".into())
    );
    assert_eq!((grpc.request_bytes_max(), http.request_bytes_max()), (4 << 20, 20 << 20));
    assert_eq!((grpc.keepalive.max_idle(), grpc.keepalive.max_age()), (None, None));
    assert_eq!(grpc.keepalive.ping_interval(), Duration::from_secs(7_200));
    assert_eq!(http.signal("/v1/traces"), Some(crate::pdata::Signal::Traces));
    assert_eq!(http.codings().len(), 4);
    assert_eq!((http.read_timeout(), http.write_timeout(), http.idle_timeout()), (None, None, None));
    assert!(http.keep_alives_enabled);
}

#[test]
fn one_protocol_is_enough_and_none_is_not() {
    let config = read("protocols: {http: {endpoint: ':0'}}");
    assert!(config.protocols.grpc.is_none() && config.protocols.http.is_some());
    assert!(faults("protocols: {}").contains("at least one of grpc and http"));
    assert!(faults("{}").contains("at least one of grpc and http"));
}

/// Every key that this version can honour.
#[test]
fn every_supported_key_is_read() {
    let config = read(
        r#"
protocols:
  grpc:
    endpoint: 0.0.0.0:1
    transport: tcp4
    max_recv_msg_size_mib: 64
    max_concurrent_streams: 16
    read_buffer_size: 65536
    write_buffer_size: 65536
    include_metadata: false
    keepalive:
      server_parameters:
        max_connection_idle: 11s
        max_connection_age: 12s
        max_connection_age_grace: 13s
        time: 30s
        timeout: 5s
  http:
    endpoint: 0.0.0.0:2
    max_request_body_size: 1000
    compression_algorithms: ["", gzip]
    traces_url_path: /t
    metrics_url_path: /m
    logs_url_path: /l
    response_headers: {X-A: b}
    cors: {allowed_origins: ["*"], allowed_headers: [x], exposed_headers: [y], max_age: 7200}
    read_timeout: 1s
    read_header_timeout: 2s
    write_timeout: 3s
    idle_timeout: 4s
    keep_alives_enabled: false
limits: {in_flight_mib: 64, connections: 10, depth: 50, elements: 1000}
"#,
    );
    let (grpc, http) = (config.protocols.grpc.unwrap(), config.protocols.http.unwrap());
    assert_eq!((grpc.request_bytes_max(), grpc.concurrent_streams()), (64 << 20, 16));
    let seconds = |duration: Option<Duration>| duration.unwrap().as_secs();
    let keepalive = &grpc.keepalive;
    assert_eq!([keepalive.max_idle(), keepalive.max_age(), keepalive.max_age_grace()].map(seconds), [11, 12, 13]);
    assert_eq!((keepalive.ping_interval().as_secs(), keepalive.ping_timeout().as_secs()), (30, 5));
    assert_eq!(http.headers().len(), 1);
    assert_eq!(http.codings().len(), 2);
    assert_eq!((http.signal("/t"), http.signal("/v1/traces")), (Some(crate::pdata::Signal::Traces), None));
    let times = [http.read_timeout(), http.read_header_timeout(), http.write_timeout(), http.idle_timeout()];
    assert_eq!(times.map(seconds), [1, 2, 3, 4]);
    assert_eq!((config.limits.in_flight_bytes(), config.limits.connections), (64 << 20, 10));
    assert_eq!((config.limits.of_request().depth, config.limits.of_request().elements), (50, 1000));
}

/// What is not supported is refused by its name and with its line, never ignored.
#[test]
fn unsupported_keys_are_refused_by_name() {
    for (yaml, key, why) in [
        ("grpc: {tls: {cert_file: a}}", "protocols::grpc::tls", "TLS"),
        ("grpc: {auth: {authenticator: a}}", "protocols::grpc::auth", "authentication"),
        ("grpc: {include_metadata: true}", "protocols::grpc::include_metadata", "metadata"),
        ("grpc: {middlewares: [{id: a}]}", "protocols::grpc::middlewares", "middlewares"),
        ("grpc: {transport: unix, endpoint: 'a:1'}", "protocols::grpc::transport", "unix"),
        ("grpc: {keepalive: {enforcement_policy: {min_time: 1s}}}", "enforcement_policy", "pings"),
        ("grpc: {max_recv_msg_size_mib: 4096}", "max_recv_msg_size_mib", "4096"),
        ("grpc: {read_buffer_size: 100000000}", "read_buffer_size", "at most"),
        ("grpc: {endpoint: localhost}", "protocols::grpc::endpoint", "port"),
        ("http: {tls: {}}", "protocols::http::tls", "TLS"),
        ("http: {auth: {authenticator: a}}", "protocols::http::auth", "authentication"),
        ("http: {include_metadata: true}", "protocols::http::include_metadata", "metadata"),
        ("http: {middlewares: [{id: a}]}", "protocols::http::middlewares", "middlewares"),
        ("http: {compression_algorithms: [gzip, snappy]}", "compression_algorithms", "snappy"),
        ("http: {compression_algorithms: [lz4]}", "compression_algorithms", "lz4"),
        ("http: {traces_url_path: v1}", "traces_url_path", "slash"),
        ("http: {logs_url_path: /v1/traces}", "logs_url_path", "path of traces"),
        ("http: {response_headers: {'a b': c}}", "response_headers", "header"),
        ("http: {cors: {allowed_origins: ['*.*']}}", "allowed_origins", "one *"),
        ("http: {endpoint_url: a}", "endpoint_url", "unknown"),
    ] {
        let text = faults(&format!("protocols:\n  {yaml}\n"));
        assert!(text.contains("test.yaml:2:") && text.contains(key) && text.contains(why), "{yaml}: {text}");
    }
    for limit in ["in_flight_mib: 0", "connections: 0", "depth: 1000", "elements: 0"] {
        let text = faults(&format!("protocols: {{grpc: }}\nlimits: {{{limit}}}"));
        assert!(text.contains("must be from 1 to"), "{limit}: {text}");
    }
}
