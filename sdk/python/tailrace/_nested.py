"""Arrays and maps: the one place that reads protobuf, so that no author has to."""

from __future__ import annotations

import struct
from typing import Any, Dict, List

_DEPTH_MAX = 64
"""How deep arrays and maps may lie in each other; the host allows no more."""


def nested(data: bytes) -> Any:
    """An encoded `AnyValue` as a list, a dict, or what it is."""
    return _any_value(_Reader(data), 0)


def _any_value(reader: _Reader, depth: int) -> Any:
    if depth > _DEPTH_MAX:
        raise ValueError("a value is nested too deeply")
    value: Any = None
    while reader.more():
        field, wire = reader.tag()
        if field == 1:
            value = str(reader.bytes(), "utf-8", "replace")
        elif field == 2:
            value = reader.varint() != 0
        elif field == 3:
            number = reader.varint() & (2**64 - 1)
            value = number - 2**64 if number >= 2**63 else number
        elif field == 4:
            value = struct.unpack("<d", reader.take(8))[0]
        elif field == 5:
            value = _elements(_Reader(reader.bytes()), depth)
        elif field == 6:
            value = _entries(_Reader(reader.bytes()), depth)
        elif field == 7:
            value = reader.bytes()
        else:
            reader.skip(wire)
    return value


def _elements(reader: _Reader, depth: int) -> List[Any]:
    values = []
    while reader.more():
        field, wire = reader.tag()
        if field == 1:
            values.append(_any_value(_Reader(reader.bytes()), depth + 1))
        else:
            reader.skip(wire)
    return values


def _entries(reader: _Reader, depth: int) -> Dict[str, Any]:
    entries: Dict[str, Any] = {}
    while reader.more():
        field, wire = reader.tag()
        if field == 1:
            _entry(_Reader(reader.bytes()), entries, depth)
        else:
            reader.skip(wire)
    return entries


def _entry(reader: _Reader, entries: Dict[str, Any], depth: int) -> None:
    key, value = "", None
    while reader.more():
        field, wire = reader.tag()
        if field == 1:
            key = str(reader.bytes(), "utf-8", "replace")
        elif field == 2:
            value = _any_value(_Reader(reader.bytes()), depth + 1)
        else:
            reader.skip(wire)
    entries[key] = value


class _Reader:
    """Reads protobuf."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def more(self) -> bool:
        return self._at < len(self._data)

    def tag(self) -> tuple[int, int]:
        tag = self.varint()
        return tag >> 3, tag & 7

    def varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise ValueError("a number is longer than 10 bytes")

    def bytes(self) -> bytes:
        return self.take(self.varint())

    def skip(self, wire: int) -> None:
        if wire == 0:
            self.varint()
        elif wire == 1:
            self.take(8)
        elif wire == 2:
            self.bytes()
        elif wire == 5:
            self.take(4)
        else:
            raise ValueError(f"there is no wire type {wire}")

    def take(self, length: int) -> bytes:
        end = self._at + length
        if end > len(self._data):
            raise ValueError("a value ends too early")
        taken = self._data[self._at : end]
        self._at = end
        return taken
