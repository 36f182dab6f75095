"""What an author derives from."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from enum import Enum
from typing import Any, ClassVar, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

from ._batch import Attribute, Batch, Group
from ._interest import Interest
from ._sampler import Decided, Trace


class Failure(Exception):
    """The plugin's own "no" to a batch: raise it. Anything else that is raised is an accident, which ends the instance."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable
        """Whether the same batch may be accepted later."""


class ErrorMode(Enum):
    """What happens to a batch for which a call fails, if the operator does not say."""

    PROPAGATE = "propagate"
    """Refuse it: what a plugin that protects data must keep."""
    IGNORE = "ignore"
    """Pass it on unchanged."""
    DROP = "drop"
    """Drop it, and count it."""


class Plugin(ABC):
    """What all plugins have. Derive from one of the three below."""

    name: ClassVar[str]
    version: ClassVar[str]
    config_schema: ClassVar[Union[str, Mapping[str, Any], None]] = None
    """A JSON Schema of the configuration."""
    error_mode: ClassVar[Optional[ErrorMode]] = None
    """What should happen when a call fails; `PROPAGATE` unless given."""

    def configure(self, config: Any) -> Interest:
        """Takes the configuration (what JSON holds) and says what the plugin wants to see. What it raises, the operator reads."""
        del config
        return Interest()

    # A plugin that keeps state when the host replaces its instance has both of these; only with `single_instance`.
    # def save(self) -> bytes, and def restore(self, state: bytes) -> None


class AttributesPlugin(Plugin):
    """Reads, changes, adds or removes single attributes, or drops items because of them. Write one of the three functions."""

    def attribute(self, attribute: Attribute) -> None:
        """Called for each value."""
        raise NotImplementedError("write attribute, group or batch")

    def group(self, group: Group) -> None:
        """Called for each group; calls `attribute` for its values unless you write it."""
        for attribute in group:
            self.attribute(attribute)

    def batch(self, batch: Batch) -> None:
        """Called once with everything, for what is cheap for a whole column only, such as `Patterns`."""
        if type(self).group is AttributesPlugin.group:
            attribute = self.attribute
            for one in batch.attributes():
                attribute(one)
        else:
            group = self.group
            for some in batch.groups():
                group(some)


class Drop:
    """Drops a whole batch; the reason is counted: a few words in lower case, few different ones."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


class RawBatch:
    """An encoded request: an `ExportTraceServiceRequest`, `ExportMetricsServiceRequest` or `ExportLogsServiceRequest`."""

    def __init__(self, signal: str, data: bytes) -> None:
        self.signal = signal
        self.data = data

    def __contains__(self, text: Union[str, bytes]) -> bool:
        """Whether this occurs anywhere in it, which costs far less than to decode it."""
        return (text.encode("utf-8") if isinstance(text, str) else text) in self.data


class ProcessorPlugin(Plugin):
    """Takes whole batches."""

    @abstractmethod
    def process(self, batch: RawBatch) -> Union[bytes, Drop, None]:
        """Returns None (unchanged), an encoded request (instead), or `Drop(reason)`."""


class SamplerPlugin(Plugin):
    """Decides which traces are kept. Write one of the two functions."""

    wants_spans: ClassVar[bool] = False
    """Whether `trace.otlp` is wanted, which costs a copy of every trace."""

    def decide(self, trace: Trace) -> Decided:
        """True keeps it, False does not; a `Decision` or `Threshold` says more."""
        raise NotImplementedError("write decide or decide_all")

    def decide_all(self, traces: Sequence[Trace]) -> Iterable[Decided]:
        """One decision for each trace, in their order."""
        return [self.decide(trace) for trace in traces]


_KINDS = {"attributes": AttributesPlugin, "processor": ProcessorPlugin, "sampler": SamplerPlugin}
_FUNCTIONS = {
    "attributes": ("attribute", "group", "batch"),
    "processor": ("process",),
    "sampler": ("decide", "decide_all"),
}
_COROUTINE = 0x80
"""Flag of the code of an `async def`."""


def kind_of(plugin: type) -> str:
    """`attributes`, `processor` or `sampler`; raises what is wrong with the class."""
    kinds = [kind for kind, base in _KINDS.items() if issubclass(plugin, base)]
    where = f"class {plugin.__name__}"
    if len(kinds) != 1:
        raise TypeError(f"{where} must derive from one of AttributesPlugin, ProcessorPlugin and SamplerPlugin")
    for name in ("name", "version"):
        if not isinstance(getattr(plugin, name, None), str):
            raise TypeError(f"{where} needs `{name} = \"...\"`")
    base = _KINDS[kinds[0]]
    functions = _FUNCTIONS[kinds[0]]
    if all(getattr(plugin, name) is getattr(base, name) for name in functions):
        raise TypeError(f"{where} has nothing to call: write {' or '.join(functions)}")
    for name in (*functions, "configure", "save", "restore"):
        code = getattr(getattr(plugin, name, None), "__code__", None)
        if code is not None and code.co_flags & _COROUTINE:
            raise TypeError(f"{where}: {name} cannot be async: nothing waits for it")
    if hasattr(plugin, "save") != hasattr(plugin, "restore"):
        raise TypeError(f"{where}: save and restore come together")
    return kinds[0]


def world_of(plugin: type) -> str:
    """The world of the contract that the component is for."""
    return f"{'stateful-' if hasattr(plugin, 'save') else ''}{kind_of(plugin)}-plugin"


def parts_of(world: str) -> Tuple[str, bool]:
    """The kind of such a world's plugins, and whether they keep state."""
    kind = world[: -len("-plugin")]
    stateful = kind.startswith("stateful-")
    return kind[len("stateful-") :] if stateful else kind, stateful


def the_plugin(module: Any) -> type:
    """The one plugin that a module defines."""
    found: List[type] = [
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Plugin) and one.__module__ == module.__name__
    ]
    # A class that another one there derives from is a base of the author's own.
    last = [one for one in found if not any(other is not one and issubclass(other, one) for other in found)]
    if len(last) != 1:
        names = ", ".join(one.__name__ for one in last) or "none"
        raise TypeError(f"{module.__name__}.py must define one plugin, a class that derives from AttributesPlugin, ProcessorPlugin or SamplerPlugin; it has {names}")
    kind_of(last[0])
    return last[0]


def schema_of(plugin: type) -> Optional[str]:
    """The JSON Schema of the configuration, as text."""
    schema = getattr(plugin, "config_schema", None)
    return schema if schema is None or isinstance(schema, str) else json.dumps(schema)


def configured(plugin: Plugin, config: str) -> Interest:
    """Configures an instance with a JSON text."""
    interest = plugin.configure(json.loads(config))
    if not isinstance(interest, Interest):
        raise TypeError(f"configure must return an Interest, not {type(interest).__name__}")
    return interest


def outcome(returned: Any) -> Union[bytes, Drop, None]:
    """What `process` returned, checked."""
    if returned is None or isinstance(returned, (bytes, Drop)):
        return returned
    if isinstance(returned, (bytearray, memoryview)):
        return bytes(returned)
    raise TypeError(f"process must return None, bytes or Drop(reason), not {type(returned).__name__}")
