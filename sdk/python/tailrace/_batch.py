"""What an author holds in the hand: attributes, and the groups they form. They are read from the columns lazily.

What the numbers mean, `wit/types.wit` says under `projection`.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from ._edits import ADD_INSERT, ADD_SET, REMOVE, SET, Edits
from ._interest import LEVELS, Interest
from ._value import KINDS, NewValue, Value, copied, decode, encode

_FIELD = 2**31
"""Set in an entry of `keys` that names a field."""
_OWNER = bytes([0, 1, 2, 2, 2, 2, 6]) + bytes([255]) * 249
"""What the owner of a row on this level is, by code: events, links and exemplars belong to an item."""
_UNKNOWN = 255
RESOURCE, SCOPE, ITEM, METRIC = 0, 1, 2, 6
_CODES = {"resource": RESOURCE, "scope": SCOPE, "item": ITEM, "metric": METRIC}


class Batch:
    """All values of one call."""

    def __init__(self, signal: str, values: Any, interest: Interest, edits: Optional[Edits]) -> None:
        self.signal = signal
        """`traces`, `metrics` or `logs`."""
        self._edits = edits
        self._every = {_CODES[level] for level in interest.every}
        self._fields: Sequence[str] = interest.fields  # type: ignore[assignment]
        self._shape = values.shape
        self._owners: List[int] = values.owners
        self._levels: bytes = values.levels
        self._keys: List[int] = values.keys
        self._kinds: bytes = values.kinds
        self._starts = [0, *values.ends]
        self._data: bytes = values.data
        self._names = unpack(values.name_ends, values.names)
        self._numbers = {name: number for number, name in enumerate(self._names)}
        self._numbers.update((field, _FIELD + at) for at, field in enumerate(self._fields))
        # What the owner of each row is, in one native step.
        self._owner_levels: bytes = self._levels.translate(_OWNER)
        self._runs: Optional[Dict[Tuple[int, int], Tuple[int, int]]] = None

    def attributes(self) -> Iterator[Attribute]:
        """Every value."""
        edits = self._edits
        for row, level in enumerate(self._owner_levels):
            if level != _UNKNOWN:
                yield Attribute(self, edits, row)

    def groups(self) -> Iterator[Group]:
        """The groups with a value, and those that the interest asks for in any case."""
        if self._every:
            return self._all()
        return self._present()

    def _present(self) -> Iterator[Group]:
        for level, owner, start, end in self._spans(0, len(self._owners)):
            yield Group(self, self._edits, level, owner, start, end)

    def _spans(self, start: int, stop: int) -> Iterator[Tuple[int, int, int, int]]:
        """Runs of rows that have the same owner: its level and number, and the first row and the one after the last."""
        owners, levels = self._owners, self._owner_levels
        while start < stop:
            owner, level = owners[start], levels[start]
            end = start + 1
            while end < stop and owners[end] == owner and levels[end] == level:
                end += 1
            if level != _UNKNOWN:
                yield level, owner, start, end
            start = end

    def _all(self) -> Iterator[Group]:
        present = self._spans(0, len(self._owners))
        upcoming = next(present, None)
        for level, owner in self._every_owner():
            if upcoming is not None and upcoming[:2] == (level, owner):
                yield Group(self, self._edits, *upcoming)
                upcoming = next(present, None)
            elif level in self._every:
                yield Group(self, self._edits, level, owner, 0, 0)

    def _every_owner(self) -> Iterator[Tuple[int, int]]:
        """Every resource, scope, metric and item, in the order of the batch."""
        shape = self._shape
        scope = child = point = 0
        for resource, scope_end in enumerate(shape.resource_ends):
            yield RESOURCE, resource
            for scope in range(scope, scope_end):
                yield SCOPE, scope
                for child in range(child, shape.scope_ends[scope]):
                    if self.signal != "metrics":
                        yield ITEM, child
                        continue
                    yield METRIC, child
                    for point in range(point, shape.metric_ends[child]):
                        yield ITEM, point
                    point = shape.metric_ends[child]
                child = shape.scope_ends[scope]
            scope = scope_end

    def _above(self, level: int, at: int, number: int) -> Group:
        """A group, to read, of what `number` on level `at` lies in; without values if it does not lie in such a thing."""
        shape = self._shape
        if at != level and at == ITEM and self.signal == "metrics":
            at, number = METRIC, bisect_right(shape.metric_ends, number)
        if at != level and at in (ITEM, METRIC):
            at, number = SCOPE, bisect_right(shape.scope_ends, number)
        if at != level and at == SCOPE:
            at, number = RESOURCE, bisect_right(shape.resource_ends, number)
        start, end = self._rows_of(level, number) if at == level else (0, 0)
        return Group(self, None, level, number, start, end)

    def _rows_of(self, level: int, owner: int) -> Tuple[int, int]:
        if self._runs is None:
            runs = self._spans(0, len(self._owners))
            self._runs = {(level, owner): (start, end) for level, owner, start, end in runs if level != ITEM}
        return self._runs.get((level, owner), (0, 0))

    def _find(self, key: str, level: Optional[int], start: int, end: int) -> int:
        """The first row with this key, on this level unless it is None; -1 if there is none."""
        number = self._numbers.get(key)
        if number is None:
            return -1
        keys, levels = self._keys, self._levels
        for row in range(start, end):
            if keys[row] == number and (levels[row] == level if level is not None else levels[row] < len(LEVELS)):
                return row
        return -1

    def _key(self, row: int) -> str:
        key = self._keys[row]
        return self._names[key] if key < _FIELD else self._fields[key - _FIELD]

    def _bytes(self, row: int) -> bytes:
        return self._data[self._starts[row] : self._starts[row + 1]]

    def _value(self, row: int) -> Value:
        return decode(self._kinds[row], self._data[self._starts[row] : self._starts[row + 1]])


class Attribute:
    """One value that the plugin asked for: an attribute, or a field of the item."""

    __slots__ = ("_batch", "_edits", "_row")

    def __init__(self, batch: Batch, edits: Optional[Edits], row: int) -> None:
        self._batch = batch
        self._edits = edits
        self._row = row

    @property
    def key(self) -> str:
        """The key of the attribute, or the name of the field."""
        return self._batch._key(self._row)

    @property
    def level(self) -> str:
        """`resource`, `scope`, `item`, `event`, `link`, `exemplar` or `metric`."""
        return LEVELS[self._batch._levels[self._row]]

    @property
    def kind(self) -> str:
        """`empty`, `string`, `bool`, `int`, `double`, `bytes` or `nested`."""
        kind = self._batch._kinds[self._row]
        return KINDS[kind] if kind < len(KINDS) else "unknown"

    @property
    def is_field(self) -> bool:
        """Whether it is a field."""
        return self._batch._keys[self._row] >= _FIELD

    @property
    def value(self) -> Value:
        """What it is. Read from the batch each time: keep it if you need it twice."""
        return self._batch._value(self._row)

    def set(self, value: NewValue) -> None:
        """Gives it another value."""
        kind, data = encode(value)
        _writable(self._edits).row(self._row, SET, kind, data)

    def remove(self) -> None:
        """Removes it; a field cannot be removed."""
        if self.is_field:
            raise TypeError(f"{self.key} is a field, which cannot be removed: set it to another value")
        _writable(self._edits).row(self._row, REMOVE, 0, b"")

    def drop(self) -> None:
        """Drops the item that it belongs to; for a resource, scope or metric, every item in it."""
        batch, row = self._batch, self._row
        _writable(self._edits).drop(batch._owners[row], batch._owner_levels[row])

    def _raw(self) -> Tuple[int, bytes]:
        return copied(self._batch._kinds[self._row], self._batch._bytes(self._row))


class Group:
    """The values of one resource, scope, metric or item; an item's with those of its events, links and exemplars."""

    __slots__ = ("_batch", "_edits", "_end", "_level", "_owner", "_start")

    def __init__(self, batch: Batch, edits: Optional[Edits], level: int, owner: int, start: int, end: int) -> None:
        self._batch = batch
        self._edits = edits
        self._level = level
        self._owner = owner
        self._start = start
        self._end = end

    @property
    def signal(self) -> str:
        """`traces`, `metrics` or `logs`."""
        return self._batch.signal

    @property
    def level(self) -> str:
        """`resource`, `scope`, `item` or `metric`."""
        return LEVELS[self._level]

    def __len__(self) -> int:
        return self._end - self._start

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[Attribute]:
        batch, edits = self._batch, self._edits
        for row in range(self._start, self._end):
            yield Attribute(batch, edits, row)

    def __contains__(self, key: str) -> bool:
        return self._own(key) >= 0

    def get(self, key: str, default: Value = None) -> Value:
        """The value of this key or field of the item itself, not of its events, links and exemplars."""
        row = self._own(key)
        return default if row < 0 else self._batch._value(row)

    def find(self, key: str) -> Optional[Attribute]:
        """The same as an attribute, to copy it or to look at its type."""
        row = self._own(key)
        return None if row < 0 else Attribute(self._batch, self._edits, row)

    def set(self, key: str, value: NewValue) -> None:
        """Sets the attribute, whether it is there or not; a field, if it is there."""
        row = self._own(key)
        if row < 0:
            self._add(ADD_SET, key, value)
            return
        kind, data = encode(value)
        _writable(self._edits).row(row, SET, kind, data)

    def insert(self, key: str, value: NewValue) -> None:
        """Sets the attribute if there is none, also among those that the plugin did not ask for."""
        if self._own(key) < 0:
            self._add(ADD_INSERT, key, value)

    def remove(self, key: str) -> None:
        """Removes the attribute, if it is there."""
        attribute = self.find(key)
        if attribute is not None:
            attribute.remove()

    def drop(self) -> None:
        """Drops the item; for a resource, scope or metric, every item in it."""
        _writable(self._edits).drop(self._owner, self._level)

    @property
    def resource(self) -> Group:
        """The resource that it comes from, to read: what the plugin asked for of it."""
        return self._batch._above(RESOURCE, self._level, self._owner)

    @property
    def scope(self) -> Group:
        """The scope that it comes from, to read."""
        return self._batch._above(SCOPE, self._level, self._owner)

    @property
    def metric(self) -> Group:
        """The metric that a data point belongs to, to read."""
        return self._batch._above(METRIC, self._level, self._owner)

    def _own(self, key: str) -> int:
        return self._batch._find(key, self._level, self._start, self._end)

    def _add(self, action: int, key: str, value: NewValue) -> None:
        if not isinstance(key, str):
            raise TypeError(f"a key must be a str, not {type(key).__name__}")
        edits = _writable(self._edits)
        if key in self._batch._fields:
            return
        kind, data = encode(value)
        edits.add(self._owner, self._level, action, key, kind, data)


def _writable(edits: Optional[Edits]) -> Edits:
    if edits is None:
        raise TypeError("this can only be read here")
    return edits


def unpack(ends: List[int], data: str) -> List[str]:
    """Takes texts apart that lie behind each other, by where each ends in UTF-8."""
    if data.isascii():
        return [data[start:end] for start, end in zip([0, *ends], ends)]
    encoded = data.encode("utf-8")
    return [str(encoded[start:end], "utf-8") for start, end in zip([0, *ends], ends)]
