"""What the host gives to a plugin. Natively, as in unit tests, `_native` does the same with what Python has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Optional, Tuple, Union

from . import _native

imports: Any = _native.Native()
"""The imports of the contract; `_guest` puts the real ones here."""


class _Series:
    """A series of a metric, opened when it is first used, since that is not possible before `configure`."""

    kind = ""

    def __init__(self, name: str, labels: Optional[Dict[str, Any]] = None) -> None:
        self._name = name
        self._labels = [(label, str(value)) for label, value in (labels or {}).items()]
        self._id: Optional[int] = None

    def _record(self, value: float) -> None:
        if self._id is None:
            self._id = self._open()
        if self._id >= 0:
            imports.record_metric(self._id, float(value))

    def _open(self) -> int:
        """The number of the series; -1 if the host does not want it, which is said once."""
        try:
            return imports.open_metric(self.kind, self._name, self._labels)
        except ValueError as error:
            imports.log("warn", f"no metric {self._name}: {error}")
            return -1


class Counter(_Series):
    """A sum that only grows: `plugin_<name>` among the host's metrics."""

    kind = "counter"

    def add(self, value: float = 1) -> None:
        """Adds to it."""
        self._record(value)


class Gauge(_Series):
    """A value that may go up and down; the last one counts."""

    kind = "gauge"

    def set(self, value: float) -> None:
        """Sets it."""
        self._record(value)


class Histogram(_Series):
    """A distribution of values."""

    kind = "histogram"

    def record(self, value: float) -> None:
        """Records a value."""
        self._record(value)


@dataclass(frozen=True)
class Match:
    """Where a pattern was found, in characters."""

    pattern: int
    start: int
    end: int


class Patterns:
    """Regular expressions (of RE2), compiled in the host, where they are far quicker: make them in `configure`.

    Every function takes a whole column of texts: one call serves them all.
    """

    def __init__(self, expressions: Union[str, Iterable[str]]) -> None:
        self.expressions = [expressions] if isinstance(expressions, str) else list(expressions)
        self._set: int = imports.compile_patterns(self.expressions)
        self._names: Dict[int, List[str]] = {}

    def test(self, texts: Iterable[str]) -> List[List[int]]:
        """For each text the numbers of the patterns that match."""
        texts = _column(texts)
        found: List[List[int]] = [[] for _ in texts]
        which, patterns, _, _ = imports.match_patterns(self._set, *pack(texts))
        for text, pattern in zip(which, patterns):
            found[text].append(pattern)
        return found

    def find(self, texts: Iterable[str]) -> List[List[Match]]:
        """For each text every match of each pattern."""
        texts = _column(texts)
        found: List[List[Match]] = [[] for _ in texts]
        for at, pattern, start, end in zip(*imports.find_patterns(self._set, *pack(texts))):
            text = texts[at]
            found[at].append(Match(pattern, _characters(text, start), _characters(text, end)))
        return found

    def replace(self, texts: Iterable[str], replacement: str) -> List[str]:
        """The texts, with every match replaced."""
        texts = _column(texts)
        return [
            _replaced(text, found, replacement) if found else text for text, found in zip(texts, self.find(texts))
        ]

    def capture(self, text: str, pattern: int = 0) -> Optional[Dict[Union[int, str], Optional[str]]]:
        """The groups of the first match of one pattern, by number and by name; None if it does not match."""
        groups: List[Optional[Tuple[int, int]]] = imports.capture_groups(self._set, pattern, text)
        if not groups:
            return None
        if pattern not in self._names:
            self._names[pattern] = imports.pattern_groups(self._set, pattern)
        captured: Dict[Union[int, str], Optional[str]] = {}
        for at, (group, name) in enumerate(zip(groups, self._names[pattern])):
            value = None if group is None else text[_characters(text, group[0]) : _characters(text, group[1])]
            captured[at] = value
            if name:
                captured[name] = value
        return captured


def _replaced(text: str, matches: List[Match], replacement: str) -> str:
    """Matches of several patterns may overlap: what lies in one that was replaced already is left out."""
    parts, after = [], 0
    for match in sorted(matches, key=lambda match: (match.start, -match.end)):
        if match.start >= after:
            parts += [text[after : match.start], replacement]
        after = max(after, match.end)
    return "".join([*parts, text[after:]])


def hash_texts(algorithm: str, texts: Iterable[str], *, key: Union[str, bytes] = b"") -> List[str]:
    """Hashes of texts in hexadecimal digits, made by the host in one call.

    Algorithms: `md5`, `sha1`, `sha256`, `sha512`, `sha3-256`, `hmac-sha256`, `hmac-sha512`. What can be guessed, such as card
    numbers, is only safe with an `hmac` and a secret key.
    """
    texts = _column(texts)
    if not texts:
        return []
    secret = key.encode("utf-8") if isinstance(key, str) else key
    digits = imports.hash_texts(algorithm, secret, *pack(texts)).hex()
    length = len(digits) // len(texts)
    return [digits[at * length : (at + 1) * length] for at in range(len(texts))]


def hash_text(algorithm: str, text: str, *, key: Union[str, bytes] = b"") -> str:
    """The hash of one text; see `hash_texts`."""
    return hash_texts(algorithm, [text], key=key)[0]


def pack(texts: List[str]) -> Tuple[List[int], str]:
    """Texts as the contract wants them: where each ends, in bytes, and all of them."""
    data = "".join(texts)
    ends, end = [], 0
    ascii_only = data.isascii()
    for text in texts:
        end += len(text) if ascii_only else len(text.encode("utf-8"))
        ends.append(end)
    return ends, data


def _column(texts: Iterable[str]) -> List[str]:
    if isinstance(texts, str):
        raise TypeError("give a list of texts: one call serves them all")
    return list(texts)


def _characters(text: str, place: int) -> int:
    """A place in a text: from bytes of UTF-8, as the host counts, to characters."""
    return place if text.isascii() else len(str(text.encode("utf-8")[:place], "utf-8"))
