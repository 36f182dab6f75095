"""Collects what an author changes, and packs it into the columns of the contract's `edits`."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

SET, REMOVE = 0, 1
"""What to do with a row; codes of the contract."""
ADD_SET, ADD_INSERT, _ADD_DROP = 0, 1, 2
"""What to add; codes of the contract."""


class Edits:
    """What is to be done to the rows of a batch, and what is to be added."""

    __slots__ = ("_added", "_rows")

    def __init__(self) -> None:
        self._rows: Dict[int, Tuple[int, int, bytes]] = {}
        self._added: List[Tuple[int, int, int, str, int, bytes]] = []

    def row(self, row: int, action: int, kind: int, data: bytes) -> None:
        """Decides about a row; the last decision counts."""
        self._rows[row] = (action, kind, data)

    def add(self, owner: int, level: int, action: int, key: str, kind: int, data: bytes) -> None:
        """Adds an attribute to a resource (0), scope (1), item (2) or metric (6)."""
        self._added.append((owner, level, action, key, kind, data))

    def drop(self, owner: int, level: int) -> None:
        """Drops an item, or everything in a resource, scope or metric."""
        self._added.append((owner, level, _ADD_DROP, "", 0, b""))

    def columns(self) -> Dict[str, Any]:
        """The record `edits` without `additions`."""
        rows = sorted(self._rows)
        decided = [self._rows[row] for row in rows]
        return {
            "rows": rows,
            "actions": bytes([action for action, _, _ in decided]),
            "kinds": bytes([kind for _, kind, _ in decided]),
            **_values([data for _, _, data in decided]),
        }

    def additions(self) -> Dict[str, Any]:
        """The record `additions`."""
        names: Dict[str, int] = {}
        added = self._added
        ends, name_bytes = [], 0
        keys = []
        for _, _, action, key, _, _ in added:
            if action != _ADD_DROP and key not in names:
                names[key] = len(names)
                name_bytes += len(key.encode("utf-8"))
                ends.append(name_bytes)
            keys.append(names.get(key, 0))
        return {
            "owners": [one[0] for one in added],
            "levels": bytes([one[1] for one in added]),
            "actions": bytes([one[2] for one in added]),
            "keys": keys,
            "kinds": bytes([one[4] for one in added]),
            **_values([one[5] for one in added]),
            "name_ends": ends,
            "names": "".join(names),
        }


def _values(values: List[bytes]) -> Dict[str, Any]:
    ends, end = [], 0
    for data in values:
        end += len(data)
        ends.append(end)
    return {"ends": ends, "data": b"".join(values)}
