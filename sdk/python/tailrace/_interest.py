"""What a plugin asks for: checked, so that a mistake says what is wrong."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Iterable, Tuple, Union

Words = Union[str, Iterable[str]]

SIGNALS = ("traces", "metrics", "logs")
LEVELS = ("resource", "scope", "item", "event", "link", "exemplar", "metric")
"""Levels by their code."""
_OWNERS = ("resource", "scope", "item", "metric")
_ALLOWED = {"signals": SIGNALS, "levels": LEVELS, "every": _OWNERS}


@dataclass
class Interest:
    """What a plugin wants to see; it sees nothing else. A single word may stand for a list of one."""

    attributes: Words = ()
    """Keys of attributes; `http.*` for those that begin so, `*` for all. For a `ProcessorPlugin`: a batch without any passes."""
    fields: Words = ()
    """Fields that are shown like attributes: `span.name`, `span.kind`, `span.status`, `span.status_message`,
    `span.duration`, `span.trace_id`, `span.parent_id`, `log.severity`, `log.severity_text`, `log.body`, `metric.name`, `scope.name`, `scope.version`."""
    levels: Words = ()
    """Where to look for attributes (`resource`, `scope`, `item`, `event`, `link`, `exemplar`, `metric`); everywhere if empty."""
    signals: Words = ()
    """Batches of these signals (`traces`, `metrics`, `logs`); all if empty."""
    every: Words = ()
    """Levels (`resource`, `scope`, `item`, `metric`) of which every group is shown, also without a value: for plugins that
    add attributes. They are called for every batch."""
    single_instance: bool = False
    """Run in one instance, with one call after another."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.name != "single_instance":
                setattr(self, field.name, self._words(field.name))

    def _words(self, name: str) -> Tuple[str, ...]:
        given = getattr(self, name)
        words = (given,) if isinstance(given, str) else tuple(given)
        for word in words:
            if not isinstance(word, str):
                raise TypeError(f"{name} of the interest must hold strings, not {type(word).__name__}")
            if name in _ALLOWED and word not in _ALLOWED[name]:
                raise ValueError(f"{name} of the interest cannot be {word!r}: use {', '.join(_ALLOWED[name])}")
        return words
