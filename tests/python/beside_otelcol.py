"""What the processors attributes, resource and redaction make of the same telemetry in a real otelcol and in Tailrace.

    python3 tests/python/beside_otelcol.py OTELCOL TAILRACE [MORE.yaml]

OTELCOL is a Collector with these processors, the receiver otlp and the exporter file. Every configuration of
collector_configurations.yaml (and of MORE.yaml, a file of the Collector's tests: a section for each processor) runs in both, as a pipeline
for each signal that it is for; all get the same spans, log records and metrics, and what comes out is compared. Exit code 1 if
anything differs. Needs PyYAML.
"""

import base64
import contextlib
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import yaml

SIGNALS = ("traces", "logs", "metrics")
# include and exclude of metrics look at `resources` here, and not in the Collector: plugins/attributes/README.md.
EXCUSED = {("t_attributes/excluderesources", "metrics")}

ATTRIBUTES = {
    "user.email": "ann@example.com", "email": "bob@mycompany.com", "environment": "dev", "http.status_code": "404",
    "http.url": "https://shop.example.com:8443/cart/7?x=1&token=abc", "http.request.method": "GET", "flag": True, "count": 3,
    "http.request.header.x-a": "1", "ratio": 1.5, "list": ["a", 2, [3.25, None]], "raw": b"\x00\xffab", "none": None,
    "map": {"z": 1, "a": "ann@example.com", "n": {"k": False}}, "textual": "3.75", "big": "9223372036854775808", "neg": "-17",
    "sci": "1e3", "credit_card": "4111111111111111", "mc": "pays 5105105105105100 now", "password": "hunter2",
    "db.statement": "SELECT * FROM USERS WHERE x", "api_token": "a\nb\n\nc", "Authorization": "Bearer abc.def-1",
    "token": "eyJabc.def.ghi", "ssn": "123-45-6789", "ip": "from 10.0.0.1 to 10.0.0.22", "aws": "AKIAIOSFODNN7EXAMPLE",
    "empty": "", "redact_trace": False, "operation": "op", "foo": "f", "boo": "b", "description": "mail ann@example.com",
    "http.route": "GET /x", "id": 7, "name": "n", "group": "g 4111111111111111", "safe_attribute": "4111111111111111",
    "state": "idle", "cpu": "0", "namespace": "nsp", "test_request": "1", "env": "dev", "key_original": 5, "copy_key": 1,
    "unicode": "zoë ✓ Ann",
}  # fmt: skip
RESOURCES = [
    {
        "service.name": "svcA", "host.name": "h1", "host.type": "n1-standard-1", "k8s.namespace.name": "prod-eu",
        "k8s.deployment.name": "cart", "k8s.pod.name": "cart-7f9c-x2z", "k8s.pod.uid": "u-1", "process.pid": 42,
        "process.command": "x", "os.type": "linux", "replicas": "3", "k8s-cluster": "c1", "owner": "me",
        "redundant-attribute": 1, "service.version": "1.0", "deployment.environment": "staging",
        "user.email": "ann@example.com",
    },
    {"service.name": "auth-svc", "k8s.namespace.name": "test", "service.namespace": "old", "cloud.availability_zone": "z9"},
    {},
]  # fmt: skip
NOW = "1700000000000000000"


def value(of):
    """An AnyValue."""
    match of:
        case None:
            return {}
        case bool():
            return {"boolValue": of}
        case int():
            return {"intValue": str(of)}
        case float():
            return {"doubleValue": of}
        case bytes():
            return {"bytesValue": base64.b64encode(of).decode()}
        case list():
            return {"arrayValue": {"values": [value(item) for item in of]}}
        case dict():
            return {"kvlistValue": {"values": attributes(of)}}
    return {"stringValue": of}


def attributes(of):
    return [{"key": key, "value": value(item)} for key, item in of.items()]


def without(*keys):
    return attributes({key: item for key, item in ATTRIBUTES.items() if key not in keys})


SCOPES = [
    {"name": "mongo-java-driver", "version": "3.8.0", "attributes": attributes({"user.email": "s@x.org", "lib.token": "t"})},
    {"name": "mongo-x"},
    {},
]


def spans(number):
    event = {"name": "e", "timeUnixNano": NOW, "attributes": attributes({"user.email": "ann@example.com", "count": 3})}
    link = {"traceId": f"{9:032x}", "spanId": f"{9:016x}", "attributes": attributes({"user.email": "ann@example.com"})}
    kinds = [("GET /health", 2, ()), ("login", 3, ("count",)), ("ping", 1, ("user.email", "flag")), ("", 0, ATTRIBUTES)]
    return [
        {
            "traceId": f"{number + 1:032x}", "spanId": f"{number * 16 + place + 1:016x}", "name": name, "kind": kind,
            "startTimeUnixNano": NOW, "endTimeUnixNano": NOW, "attributes": without(*gone), "events": [event], "links": [link],
        }
        for place, (name, kind, gone) in enumerate(kinds)
    ]  # fmt: skip


def records(_):
    order = {"order": 1, "user": {"email": "ann@example.com", "card": "4111111111111111", "tags": ["ann", 3, True]}, "password": "x"}
    bodies = [
        ("AUTH failed for ann@example.com", 9, "debug1", ()), (order, 17, "ERROR", ("count",)), ("read timeout", 0, "", ("flag",)),
        (None, 13, "WARN", ATTRIBUTES), (42, 5, "x", ()), (["ann", {"token": "t"}], 21, "F", ()),
    ]  # fmt: skip
    return [
        {"timeUnixNano": NOW, "severityNumber": number, "severityText": text, "attributes": without(*gone)}
        | ({} if body is None else {"body": value(body)})
        for body, number, text, gone in bodies
    ]


def metrics(_):
    def points(*points):
        return {"dataPoints": [{"timeUnixNano": NOW, "attributes": attributes(ATTRIBUTES)} | point for point in points]}

    exemplar = {"timeUnixNano": NOW, "asInt": "1", "filteredAttributes": attributes({"user.email": "ann@example.com"})}
    sums = {"aggregationTemporality": 2, "isMonotonic": True}
    histogram = points({"count": "2", "sum": 3.5, "bucketCounts": ["1", "1"], "explicitBounds": [1.5]})
    exponential = points({"count": "2", "sum": 3.5, "scale": 1, "positive": {"offset": 1, "bucketCounts": ["2"]}})
    return [
        {"name": "system.cpu.time", "sum": points({"asInt": "3", "exemplars": [exemplar]}, {"asDouble": 1.5}) | sums},
        {"name": "up", "gauge": points({"asInt": "1"})},
        {"name": "http.duration", "histogram": histogram | {"aggregationTemporality": 1}},
        {"name": "x", "exponentialHistogram": exponential | {"aggregationTemporality": 1}},
        {"name": "s", "summary": points({"count": "2", "sum": 3.5, "quantileValues": [{"quantile": 0.5, "value": 1.5}]})},
    ]


def request(signal):
    names = {
        "traces": ("resourceSpans", "scopeSpans", "spans", spans),
        "logs": ("resourceLogs", "scopeLogs", "logRecords", records),
        "metrics": ("resourceMetrics", "scopeMetrics", "metrics", metrics),
    }
    outer, inner, innermost, items = names[signal]
    return {
        outer: [
            {"resource": {"attributes": attributes(of)}, inner: [{"scope": scope, innermost: items(number)} for scope in SCOPES]}
            for number, of in enumerate(RESOURCES)
        ]
    }


def configurations(more):
    """Name, kind, settings and signals of each."""
    known = yaml.safe_load(pathlib.Path(__file__).with_name("collector_configurations.yaml").read_text())
    for kind, entries in known.items():
        for number, entry in enumerate(entries):
            yield f"{number}", kind, entry["config"], entry.get("signals", SIGNALS)
    for name, settings in (yaml.safe_load(pathlib.Path(more).read_text()) if more else {}).items():
        text = json.dumps(settings)
        if settings is None or "from_context" in text:
            continue
        signals = ["logs"] if "log_" in text else ["traces"] if '"services"' in text or "span_names" in text else SIGNALS
        matching = [settings.get(part) or {} for part in ("include", "exclude")]
        if any("libraries" in part or "attributes" in part for part in matching):
            signals = [signal for signal in signals if signal != "metrics"]
        yield f"t_{name}", name.split("/")[0], settings, signals


def collector(port, folder, chosen):
    """A configuration with a pipeline for each of these."""
    whole = {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}}, "processors": {}, "exporters": {},
        "service": {"telemetry": {"metrics": {"level": "none"}}, "pipelines": {}},
    }  # fmt: skip
    for name, kind, settings, signals in chosen:
        processor = f"{kind}/{name.replace('/', '_')}"
        whole["processors"][processor] = settings
        for signal in signals:
            place = f"{kind}_{name.replace('/', '_')}"
            whole["exporters"][f"file/{place}_{signal}"] = {"path": str(folder / f"{place}.{signal}")}
            pipeline = {"receivers": ["otlp"], "processors": [processor], "exporters": [f"file/{place}_{signal}"]}
            whole["service"]["pipelines"][f"{signal}/{place}"] = pipeline
    return whole


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def send(port, signal):
    """Sends until it is taken: the collector may still be starting."""
    call = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/{signal}", json.dumps(request(signal)).encode(), {"content-type": "application/json"}
    )
    for _ in range(600):
        try:
            return urllib.request.urlopen(call, timeout=60).read()
        except urllib.error.HTTPError as error:
            sys.exit(f"port {port} refused {signal}: {error} {error.read()[:500]}")
        except OSError:
            time.sleep(0.1)
    sys.exit(f"nothing listens on port {port}")


def run(command, port, folder):
    """Everything through one collector, which is then ended, so that it writes what it holds."""
    with open(folder / "log", "w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        with contextlib.ExitStack() as ending:
            ending.callback(process.terminate)
            for signal in SIGNALS:
                send(port, signal)


def normal(of):
    """Without what JSON may leave out."""
    if isinstance(of, dict):
        fields = {key: normal(item) for key, item in of.items()}
        kept = {"stringValue", "intValue", "doubleValue", "boolValue"}
        if "doubleValue" in fields:
            fields["doubleValue"] = float(fields["doubleValue"])
        return {key: item for key, item in fields.items() if key in kept or item not in ([], {}, "", 0, "0", None)}
    return [normal(item) for item in of] if isinstance(of, list) else of


def differences(theirs, ours, place=""):
    if isinstance(theirs, list) and isinstance(ours, list):
        if any(isinstance(item, dict) and "key" in item for item in theirs + ours):
            # The order of attributes means nothing.
            theirs, ours = ({item["key"]: item.get("value") for item in side} for side in (theirs, ours))
        else:
            theirs, ours = (dict(enumerate(side)) for side in (theirs, ours))
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in sorted(theirs.keys() | ours.keys(), key=str):
            yield from differences(theirs.get(key), ours.get(key), f"{place}.{key}")
    elif theirs != ours:
        yield f"{place}: {json.dumps(theirs)[:150]} there, {json.dumps(ours)[:150]} here"


def main(otelcol, tailrace, more=None):
    chosen, equal, different = list(configurations(more)), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        sides = {}
        for side, command in (("otelcol", [otelcol]), ("tailrace", [tailrace, "--admin-endpoint", "none"])):
            sides[side] = pathlib.Path(folder, side)
            sides[side].mkdir()
            port, file = free_port(), sides[side] / "collector.yaml"
            whole = collector(port, sides[side], chosen)
            if side == "tailrace":
                whole["extensions"], whole["service"]["extensions"] = {"plugins": {"max_plugins": 1000}}, ["plugins"]
            file.write_text(yaml.safe_dump(whole))
            run([*command, "--config", str(file)], port, sides[side])
        for name, kind, _, signals in chosen:
            for signal in signals:
                file = f"{kind}_{name.replace('/', '_')}.{signal}"
                theirs, ours = (
                    [normal(json.loads(line)) for line in (sides[side] / file).read_text().splitlines()] for side in sides
                )
                found = list(differences(theirs, ours))
                if not theirs or (found and (name, signal) not in EXCUSED):
                    different += 1
                    print(f"{kind} {name}, {signal}: {len(found)} differences", *found[:5], sep="\n  ")
                else:
                    equal += 1
    print(f"{len(chosen)} configurations, {equal} pipelines equal, {different} different")
    return different == 0


if __name__ == "__main__":
    sys.exit(0 if main(*sys.argv[1:]) else 1)
