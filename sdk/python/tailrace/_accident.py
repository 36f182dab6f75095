"""What is said of an exception that nobody expected: one line, as the log of a host has them."""

from __future__ import annotations

import re
import traceback
from types import CodeType


def told(error: BaseException) -> str:
    """The error and where it happened, the innermost place first; of the SDK only what the author has called, if nothing else."""
    # Without the lines of source: there are no files to read them from.
    frames = [(frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    theirs = [(code, line) for code, line in frames if not _is_ours(code)] or frames[-1:]
    places = [f"{getattr(code, 'co_qualname', code.co_name)} ({_file(code)}:{line})" for code, line in reversed(theirs)]
    return f"{type(error).__name__}: {error}{', at ' if places else ''}{', from '.join(places)}"


def _is_ours(code: CodeType) -> bool:
    """Of the SDK, or made up by Python (a dataclass)."""
    return code.co_filename.startswith("<") or _folder(code) == _folder(told.__code__)


def _folder(code: CodeType) -> str:
    return code.co_filename.rpartition("/")[0]


def _file(code: CodeType) -> str:
    """Its path in the project: a component numbers the folders that it was built from (`/1/plugin.py`)."""
    return re.sub(r"^/\d+/", "", code.co_filename)
