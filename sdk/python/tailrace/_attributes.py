"""Shows a batch to a plugin that works on single attributes."""

from __future__ import annotations

from typing import Any

from ._batch import Batch
from ._edits import Edits
from ._interest import Interest


def apply(plugin: Any, interest: Interest, signal: str, values: Any) -> Edits:
    """What the plugin does to a batch: `values` is the record `projection` of the contract."""
    edits = Edits()
    plugin.batch(Batch(signal, values, interest, edits))
    return edits
