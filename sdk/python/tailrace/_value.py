"""Values: how the columns write them, and what they are in Python."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, List, Mapping, Tuple, Union

from ._nested import nested

if TYPE_CHECKING:
    from ._batch import Attribute

Value = Union[str, bool, int, float, bytes, List[Any], Mapping[str, Any], None]
"""What an attribute can be."""

NewValue = Union[str, bool, int, float, bytes, "Attribute"]
"""What an attribute can be set to; another attribute stands for its value, with its type."""

KINDS = ("empty", "string", "bool", "int", "double", "bytes", "nested")
EMPTY, STRING, BOOL, INT, DOUBLE, BYTES, NESTED = range(7)

_INT = struct.Struct("<q")
_DOUBLE = struct.Struct("<d")


def decode(kind: int, data: bytes) -> Value:
    """What these bytes are, by the code of their kind."""
    if kind == STRING:
        # The error handler costs nothing; `data.decode()` looks the codec up each time.
        return str(data, "utf-8", "replace")
    if kind == INT:
        return _INT.unpack(data)[0]
    if kind == DOUBLE:
        return _DOUBLE.unpack(data)[0]
    if kind == BOOL:
        return data == b"\x01"
    if kind == BYTES:
        return data
    if kind == NESTED:
        return nested(data)
    return None


def encode(value: Any) -> Tuple[int, bytes]:
    """The kind and the bytes of a value that an author sets."""
    if isinstance(value, str):
        return STRING, value.encode("utf-8", "replace")
    if isinstance(value, bool):
        return BOOL, b"\x01" if value else b"\x00"
    if isinstance(value, int):
        try:
            return INT, _INT.pack(value)
        except struct.error:
            raise OverflowError(f"{value} does not fit into 64 bits: set a float") from None
    if isinstance(value, float):
        return DOUBLE, _DOUBLE.pack(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return BYTES, bytes(value)
    raw = getattr(value, "_raw", None)
    if raw is not None:
        return raw()
    raise TypeError(
        f"a value of type {type(value).__name__} cannot be set: give a str, bool, int, float, bytes or another attribute"
    )


def copied(kind: int, data: bytes) -> Tuple[int, bytes]:
    """An attribute's kind and bytes, for another that is to get the same value."""
    if kind == EMPTY or kind >= NESTED:
        name = KINDS[kind] if kind < len(KINDS) else "unknown"
        raise TypeError(f"an attribute of kind {name} cannot be copied to another")
    return kind, data
