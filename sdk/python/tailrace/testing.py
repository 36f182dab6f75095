"""Runs a plugin under unittest or pytest, on the columns that the host would make and with the edits that it would apply.

    harness = configured(Tidy, {"mask": ["card"]})
    after = harness.run({"items": [{"attributes": {"card": "4111"}, "fields": {"span.name": "pay"}}]})
    assert after["items"][0]["attributes"]["card"] == "****"

A batch is a dict: `items` (spans, log records or data points), and optionally `signal`, `resource`, `scope` and `metric`. Each of
these has `attributes` and `fields`; an item may have `events`, `links` and `exemplars` with attributes.
"""

from __future__ import annotations

import copy
import json
from types import SimpleNamespace
from typing import Any, Dict, Iterable, List, Sequence, Tuple, Type, Union

from . import _host
from ._attributes import apply
from ._interest import LEVELS, Interest
from ._plugin import Drop, Plugin, RawBatch, configured as _configured, kind_of, outcome
from ._sampler import Decision, Threshold, sample
from ._value import decode, encode

_FIELD = 2**31
_CODES = {level: code for code, level in enumerate(LEVELS)}


def configured(plugin: Type[Plugin], config: Any = None) -> Harness:
    """Configures a plugin as the host does; raises what the operator would read."""
    kind_of(plugin)
    instance = plugin()
    return Harness(instance, _configured(instance, json.dumps({} if config is None else config)))


def recorded() -> List[Any]:
    """What the plugin's metrics recorded: `kind`, `name`, `labels` and `values` of each series."""
    return _host.imports.series


class Harness:
    """A plugin under test."""

    def __init__(self, plugin: Plugin, interest: Interest) -> None:
        self.plugin: Any = plugin
        self.interest = interest

    def run(self, batch: Dict[str, Any]) -> Dict[str, Any]:
        """A batch through an `AttributesPlugin`; what goes on."""
        batch = copy.deepcopy(batch)
        signal = batch.pop("signal", "traces")
        projected = _Projected(signal, [batch], self.interest)
        wanted = not self.interest.signals or signal in self.interest.signals
        if wanted and (projected.rows or self.interest.every):
            edits = apply(self.plugin, self.interest, signal, projected.columns())
            projected.splice(edits.columns(), edits.additions())
        batch["items"] = [item for item in batch["items"] if id(item) not in projected.dropped]
        return batch

    def decide(self, traces: Sequence[Dict[str, Any]]) -> List[Union[Decision, Threshold]]:
        """Traces (`spans`, and optionally `id`, `resource`, `scope`, `start_ns`, `duration_ns`, ...) through a `SamplerPlugin`."""
        batches = [{**trace, "items": trace["spans"]} for trace in traces]
        ends, end = [], 0
        for trace in traces:
            end += len(trace["spans"])
            ends.append(end)
        errors = [sum(span.get("fields", {}).get("span.status") == 2 for span in trace["spans"]) for trace in traces]
        columns = SimpleNamespace(
            ids=b"".join(trace.get("id", (at + 1).to_bytes(16, "big")) for at, trace in enumerate(traces)),
            span_counts=[trace.get("span_count", len(trace["spans"])) for trace in traces],
            error_counts=[trace.get("error_count", count) for trace, count in zip(traces, errors)],
            starts=[trace.get("start_ns", 0) for trace in traces],
            durations=[trace.get("duration_ns", 0) for trace in traces],
            sizes=[trace.get("size", 0) for trace in traces],
            last_calls=bytes(trace.get("last_call", False) for trace in traces),
            values=_Projected("traces", batches, self.interest).columns(),
            item_ends=ends,
            span_ends=[],
            spans=b"",
        )
        return sample(self.plugin, self.interest, columns)

    def process(self, signal: str, data: bytes) -> Union[bytes, Drop, None]:
        """An encoded request through a `ProcessorPlugin`: None (unchanged), the new bytes, or a `Drop`."""
        return outcome(self.plugin.process(RawBatch(signal, data)))


class _Projected:
    """The columns of batches that have one resource and one scope each (and one metric, for metrics)."""

    def __init__(self, signal: str, batches: List[Dict[str, Any]], interest: Interest) -> None:
        self._interest = interest
        self._batches = batches
        self._items = [item for batch in batches for item in batch["items"]]
        self._names: Dict[str, int] = {}
        self._columns: Dict[str, List[int]] = {"owners": [], "levels": [], "keys": [], "kinds": [], "ends": []}
        self._data = b""
        self.rows: List[Tuple[Dict[str, Any], str]] = []
        self.dropped: set[int] = set()
        count, scopes = 0, []
        for at, batch in enumerate(batches):
            self._show("resource", "resource", at, batch.get("resource"))
            self._show("scope", "scope", at, batch.get("scope"))
            if signal == "metrics":
                self._show("metric", "metric", at, batch.get("metric"))
            for item in batch["items"]:
                self._show("item", "item", count, item)
                for level in ("event", "link", "exemplar"):
                    for part in item.get(f"{level}s", ()):
                        self._show("item", level, count, {"attributes": part.get("attributes", {})})
                count += 1
            scopes.append(count)
        numbers = list(range(1, len(batches) + 1))
        metrics = signal == "metrics"
        self._shape = SimpleNamespace(
            resource_ends=numbers,
            scope_ends=numbers if metrics else scopes,
            metric_ends=scopes if metrics else [],
            items=count,
        )

    def _show(self, owner_level: str, level: str, owner: int, thing: Any) -> None:
        if not thing:
            return
        fields = thing.get("fields", {})
        for at, field in enumerate(self._interest.fields):
            if field in fields:
                self._push(owner_level, owner, fields, field, _FIELD + at)
        if self._interest.levels and level not in self._interest.levels:
            return
        attributes = thing.get("attributes", {})
        for key in attributes:
            if any(_selects(pattern, key) for pattern in self._interest.attributes):
                self._push(level, owner, attributes, key, self._names.setdefault(key, len(self._names)))

    def _push(self, level: str, owner: int, source: Dict[str, Any], key: str, number: int) -> None:
        kind, data = encode(source[key])
        self.rows.append((source, key))
        self._data += data
        row = {"owners": owner, "levels": _CODES[level], "keys": number, "kinds": kind, "ends": len(self._data)}
        for column, value in row.items():
            self._columns[column].append(value)

    def columns(self) -> Any:
        columns: Dict[str, Any] = dict(self._columns)
        columns.update(levels=bytes(columns["levels"]), kinds=bytes(columns["kinds"]))
        ends, end = [], 0
        for name in self._names:
            end += len(name.encode("utf-8"))
            ends.append(end)
        names = "".join(self._names)
        return SimpleNamespace(**columns, shape=self._shape, data=self._data, name_ends=ends, names=names)

    def splice(self, edits: Dict[str, Any], additions: Dict[str, Any]) -> None:
        """Applies edits as the host does: rows first, then what is added, in its order."""
        values = _cut(edits)
        for at, row in enumerate(edits["rows"]):
            source, key = self.rows[row]
            if edits["actions"][at] == 1:
                del source[key]
            else:
                source[key] = decode(edits["kinds"][at], values[at])
        names = [part.decode("utf-8") for part in _cut({"ends": additions["name_ends"], "data": additions["names"].encode("utf-8")})]
        values = _cut(additions)
        for at, owner in enumerate(additions["owners"]):
            thing, items = self._thing(additions["levels"][at], owner)
            action = additions["actions"][at]
            if action == 2:
                self.dropped.update(id(item) for item in items)
                continue
            attributes = thing.setdefault("attributes", {})
            key = names[additions["keys"][at]]
            if action == 0 or key not in attributes:
                attributes[key] = decode(additions["kinds"][at], values[at])

    def _thing(self, level: int, owner: int) -> Tuple[Dict[str, Any], Iterable[Dict[str, Any]]]:
        if LEVELS[level] == "item":
            return self._items[owner], [self._items[owner]]
        batch = self._batches[owner]
        return batch.setdefault(LEVELS[level], {}), batch["items"]


def _selects(pattern: str, key: str) -> bool:
    return key.startswith(pattern[:-1]) if pattern.endswith("*") else key == pattern


def _cut(column: Dict[str, Any]) -> List[bytes]:
    return [column["data"][start:end] for start, end in zip([0, *column["ends"]], column["ends"])]
