"""The host where there is none: plugins run in unit tests with what Python has."""

from __future__ import annotations

import hashlib
import hmac
import re
import sys
from dataclasses import dataclass, field
from typing import Callable, Dict, Iterator, List, Optional, Tuple

_Found = Tuple[List[int], List[int], List[int], List[int]]
_ALGORITHMS = {"md5": "md5", "sha1": "sha1", "sha256": "sha256", "sha512": "sha512", "sha3-256": "sha3_256"}


@dataclass
class Series:
    """What a metric recorded."""

    kind: str
    name: str
    labels: Dict[str, str]
    values: List[float] = field(default_factory=list)


class Native:
    """The functions of the contract's `host`."""

    def __init__(self) -> None:
        self.series: List[Series] = []
        self._sets: List[List[re.Pattern[str]]] = []

    def log(self, level: str, message: str) -> None:
        print(f"{level}: {message}", file=sys.stderr)

    def open_metric(self, kind: str, name: str, labels: List[Tuple[str, str]]) -> int:
        if not re.fullmatch("[a-z][a-z0-9_]*", name):
            raise ValueError(f"the name of a metric must be like [a-z][a-z0-9_]*, not {name}")
        for at, known in enumerate(self.series):
            if (known.name, known.labels) == (name, dict(labels)):
                return at
        self.series.append(Series(kind, name, dict(labels)))
        return len(self.series) - 1

    def record_metric(self, metric: int, value: float) -> None:
        self.series[metric].values.append(value)

    def compile_patterns(self, expressions: List[str]) -> int:
        compiled = []
        for expression in expressions:
            try:
                compiled.append(re.compile(expression))
            except re.error as error:
                raise ValueError(f"the pattern {expression}: {error}") from None
        self._sets.append(compiled)
        return len(self._sets) - 1

    def pattern_groups(self, number: int, pattern: int) -> List[str]:
        expression = self._sets[number][pattern]
        names = {at: name for name, at in expression.groupindex.items()}
        return [names.get(at, "") for at in range(expression.groups + 1)]

    def match_patterns(self, number: int, ends: List[int], data: str) -> _Found:
        found: _Found = ([], [], [], [])
        for at, pattern, text, expression in self._each(number, ends, data):
            if expression.search(text):
                found[0].append(at)
                found[1].append(pattern)
        return found

    def find_patterns(self, number: int, ends: List[int], data: str) -> _Found:
        found: _Found = ([], [], [], [])
        for at, pattern, text, expression in self._each(number, ends, data):
            for match in expression.finditer(text):
                places = (at, pattern, _bytes(text, match.start()), _bytes(text, match.end()))
                for column, place in zip(found, places):
                    column.append(place)
        return found

    def capture_groups(self, number: int, pattern: int, text: str) -> List[Optional[Tuple[int, int]]]:
        match = self._sets[number][pattern].search(text)
        if match is None:
            return []
        spans = [match.span(at) for at in range(match.re.groups + 1)]
        return [None if start < 0 else (_bytes(text, start), _bytes(text, end)) for start, end in spans]

    def hash_texts(self, algorithm: str, key: bytes, ends: List[int], data: str) -> bytes:
        name = _ALGORITHMS.get(algorithm.removeprefix("hmac-"))
        if name is None or (algorithm.startswith("hmac-") and name not in ("sha256", "sha512")):
            raise ValueError(f"there is no algorithm {algorithm}")
        digest: Callable[[bytes], bytes] = lambda text: hashlib.new(name, key + text).digest()  # noqa: E731
        if algorithm.startswith("hmac-"):
            if not key:
                raise ValueError(f"{algorithm} needs a key")
            digest = lambda text: hmac.new(key, text, name).digest()  # noqa: E731
        return b"".join(digest(text.encode("utf-8")) for text in _texts(ends, data))

    def _each(self, number: int, ends: List[int], data: str) -> Iterator[Tuple[int, int, str, re.Pattern[str]]]:
        for at, text in enumerate(_texts(ends, data)):
            for pattern, expression in enumerate(self._sets[number]):
                yield at, pattern, text, expression


def _texts(ends: List[int], data: str) -> List[str]:
    encoded = data.encode("utf-8")
    return [str(encoded[start:end], "utf-8") for start, end in zip([0, *ends], ends)]


def _bytes(text: str, place: int) -> int:
    return len(text[:place].encode("utf-8"))
