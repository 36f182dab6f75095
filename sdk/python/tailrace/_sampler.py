"""Traces that wait for a decision."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Iterator, List, Union

from ._batch import ITEM, RESOURCE, SCOPE, Attribute, Batch, Group
from ._interest import Interest
from ._value import Value

_UNKNOWN = 255


class Decision(Enum):
    """What is to become of a trace."""

    SAMPLE = "sample"
    """Keep it."""
    NOT_SAMPLED = "not-sampled"
    """Do not keep it because of this plugin; another policy may."""
    DROP = "drop"
    """Do not keep it, whatever other policies say."""
    UNDECIDED = "undecided"
    """Not known yet: ask again, with the spans that will have come by then."""


@dataclass(frozen=True)
class Threshold:
    """Keep it, with the threshold of OpenTelemetry's consistent probability sampling (56 bits)."""

    value: int

    def __post_init__(self) -> None:
        if not 0 <= self.value < 2**56:
            raise ValueError("a threshold lies between 0 and 2 ** 56")


Decided = Union[bool, Decision, Threshold]
"""What a sampler may answer: True is `Decision.SAMPLE`, False is `Decision.NOT_SAMPLED`."""


class Trace:
    """A trace that waits for a decision; iterate over it for every value that the plugin asked for."""

    __slots__ = ("_at", "_batch", "_columns", "_end", "_start")

    def __init__(self, batch: Batch, columns: Any, at: int, start: int, end: int) -> None:
        self._batch = batch
        self._columns = columns
        self._at = at
        self._start = start
        self._end = end

    @property
    def id(self) -> bytes:
        """16 bytes."""
        return self._columns.ids[self._at * 16 : self._at * 16 + 16]

    @property
    def span_count(self) -> int:
        """How many spans arrived."""
        return self._columns.span_counts[self._at]

    @property
    def error_count(self) -> int:
        """How many of them have status error."""
        return self._columns.error_counts[self._at]

    @property
    def start_ns(self) -> int:
        """The earliest start, in nanoseconds since 1970."""
        return self._columns.starts[self._at]

    @property
    def duration_ns(self) -> int:
        """From the earliest start to the latest end, in nanoseconds."""
        return self._columns.durations[self._at]

    @property
    def size(self) -> int:
        """How many bytes its spans have."""
        return self._columns.sizes[self._at]

    @property
    def last_call(self) -> bool:
        """Whether it is shown for the last time: `UNDECIDED` then counts as not sampled."""
        return self._columns.last_calls[self._at] != 0

    @property
    def spans(self) -> Iterator[Group]:
        """The values of each span that has any."""
        for level, owner, start, end in self._batch._spans(self._start, self._end):
            if level == ITEM:
                yield Group(self._batch, None, level, owner, start, end)

    @property
    def otlp(self) -> bytes:
        """The spans as an encoded `TracesData`; empty without `wants_spans`."""
        ends = self._columns.span_ends
        if not ends:
            return b""
        return self._columns.spans[0 if self._at == 0 else ends[self._at - 1] : ends[self._at]]

    def __iter__(self) -> Iterator[Attribute]:
        for row in range(self._start, self._end):
            if self._batch._owner_levels[row] != _UNKNOWN:
                yield Attribute(self._batch, None, row)

    def get(self, key: str, default: Value = None) -> Value:
        """The first value with this key or field."""
        row = self._batch._find(key, None, self._start, self._end)
        return default if row < 0 else self._batch._value(row)

    def all(self, key: str) -> List[Value]:
        """Every value with this key or field."""
        values = []
        row = self._batch._find(key, None, self._start, self._end)
        while row >= 0:
            values.append(self._batch._value(row))
            row = self._batch._find(key, None, row + 1, self._end)
        return values


def sample(plugin: Any, interest: Interest, columns: Any) -> List[Union[Decision, Threshold]]:
    """Shows traces to the plugin."""
    traces = _split(columns, interest)
    decided = list(plugin.decide_all(traces))
    if len(decided) != len(traces):
        raise TypeError(f"decide_all must return one decision for each of the {len(traces)} traces, not {len(decided)}")
    return [_decision(one) for one in decided]


def _decision(decided: Decided) -> Union[Decision, Threshold]:
    if isinstance(decided, bool):
        return Decision.SAMPLE if decided else Decision.NOT_SAMPLED
    if isinstance(decided, (Decision, Threshold)):
        return decided
    raise TypeError(f"a decision must be True, False, a Decision or a Threshold, not {type(decided).__name__}")


def _split(columns: Any, interest: Interest) -> List[Trace]:
    """The traces of a call. Rows stand in the order of the traces, so that each has a run of them."""
    batch = Batch("traces", columns.values, interest, None)
    traces, start = [], 0
    for at in range(len(columns.span_counts)):
        end = _first_row_from(batch, columns.item_ends[at], start)
        traces.append(Trace(batch, columns, at, start, end))
        start = end
    return traces


def _first_row_from(batch: Batch, item: int, low: int) -> int:
    """The first row, from `low` on, that is not about an item before `item` or what it lies in."""
    high = len(batch._owners)
    while low < high:
        middle = (low + high) // 2
        if _first_item(batch, middle) < item:
            low = middle + 1
        else:
            high = middle
    return low


def _first_item(batch: Batch, row: int) -> int:
    shape, level, number = batch._shape, batch._levels[row], batch._owners[row]
    if level == RESOURCE:
        level, number = SCOPE, shape.resource_ends[number - 1] if number > 0 else 0
    if level == SCOPE:
        return shape.scope_ends[number - 1] if number > 0 else 0
    return number
