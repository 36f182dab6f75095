"""The component around a plugin: imported when a component is made, and in it. There is no WASI in it, so the clock, random
numbers and what is printed go to the host."""

# ruff: noqa: F401 (what is imported here is in the component, where nothing can be imported later)
import random
import sys
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

import encodings.idna
import encodings.latin_1
import encodings.utf_8
from componentize_py_types import Err
from wit_world.exports import lifecycle as wit
from wit_world.imports import host, types

from . import _attributes, _host, _plugin, _sampler
from ._accident import told
from ._interest import Interest


class _Imports:
    """The imports of the contract in the form that `_host` wants; errors are ValueErrors."""

    def log(self, level: str, message: str) -> None:
        host.log(host.LogLevel[level.upper()], message)

    def open_metric(self, kind: str, name: str, labels: List[Tuple[str, str]]) -> int:
        return _fallible(lambda: host.open_metric(host.MetricKind[kind.upper()], name, labels))

    def record_metric(self, metric: int, value: float) -> None:
        host.record_metric(metric, value)

    def compile_patterns(self, expressions: List[str]) -> int:
        return _fallible(lambda: host.compile_patterns(expressions))

    def pattern_groups(self, number: int, pattern: int) -> List[str]:
        return host.pattern_groups(number, pattern)

    def match_patterns(self, number: int, ends: List[int], data: str) -> Any:
        found = host.match_patterns(number, host.Texts(ends, data))
        return found.texts, found.patterns, found.starts, found.ends

    def find_patterns(self, number: int, ends: List[int], data: str) -> Any:
        found = host.find_patterns(number, host.Texts(ends, data))
        return found.texts, found.patterns, found.starts, found.ends

    def capture_groups(self, number: int, pattern: int, text: str) -> List[Optional[Tuple[int, int]]]:
        return host.capture_groups(number, pattern, text)

    def hash_texts(self, algorithm: str, key: bytes, ends: List[int], data: str) -> bytes:
        return _fallible(lambda: host.hash_texts(algorithm, key, host.Texts(ends, data)))


def _fallible(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Err as error:
        raise ValueError(error.value) from None


class _Printed:
    """Standard output and error, as lines of the log."""

    encoding = "utf-8"

    def __init__(self, level: str) -> None:
        self._level = level
        self._line = ""

    def write(self, text: str) -> int:
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            _host.imports.log(self._level, line)
        return len(text)

    def flush(self) -> None:
        """A line is written when it ends."""


def _world() -> None:
    """Python's clock, random numbers and output without WASI."""
    start = 0
    time.time = lambda: host.now() / 1e9
    time.time_ns = lambda: host.now()
    time.monotonic = time.perf_counter = time.process_time = lambda: (host.now() - start) / 1e9
    time.monotonic_ns = time.perf_counter_ns = time.process_time_ns = lambda: host.now() - start
    sys.stdout, sys.stderr = _Printed("info"), _Printed("error")


def component(plugin_class: type) -> Dict[str, type]:
    """The classes that componentize-py looks for, by name."""
    the = _Instance(plugin_class)
    return _classes(the, _lifecycle(the), _plugin.world_of(plugin_class))


def template(world: str) -> Dict[str, type]:
    """The same for a plugin that is not here yet: the first `configure` gets its modules (see `_modules`) instead of a configuration,
    and everything after that is as if they had been here when the component was made."""
    from . import _modules

    the = _Instance(None)
    lifecycle = _lifecycle(the)

    class Lifecycle(lifecycle):  # type: ignore[misc, valid-type]
        def configure(self, config: str) -> wit.Interest:
            if the.plugin_class is not None:
                return super().configure(config)
            try:
                plugin_class = _plugin.the_plugin(_modules.taken_in(config))
                if _plugin.world_of(plugin_class) != world:
                    raise TypeError(f"this is a template for {world}, and the plugin is for {_plugin.world_of(plugin_class)}")
            except BaseException as error:
                raise Err(told(error)) from None
            the.plugin_class = plugin_class
            return wit.Interest([], [], [], [], False, wit.Instances.POOLED)

    return _classes(the, Lifecycle, world)


def _classes(the: "_Instance", lifecycle: type, world: str) -> Dict[str, type]:
    _host.imports = _Imports()
    _world()
    kind, stateful = _plugin.parts_of(world)
    classes: Dict[str, type] = {"Lifecycle": lifecycle, kind.capitalize(): _KINDS[kind](the)}
    if stateful:
        classes["State"] = _state(the)
    return classes


class _Instance:
    """The one plugin of this component, made by `configure`."""

    def __init__(self, plugin_class: Any) -> None:
        self.plugin_class = plugin_class
        self.plugin: Any = None
        self.interest = Interest()


def _lifecycle(the: _Instance) -> type:
    class Lifecycle:
        def describe(self) -> wit.Info:
            plugin = the.plugin_class
            mode = plugin.error_mode and wit.ErrorMode[plugin.error_mode.name]
            return wit.Info(plugin.name, plugin.version, _plugin.schema_of(plugin), mode)

        def configure(self, config: str) -> wit.Interest:
            random.seed(host.random())
            try:
                the.plugin = the.plugin_class()
                the.interest = _plugin.configured(the.plugin, config)
            except KeyError as error:
                raise Err(f"the configuration lacks {error}") from None
            except Exception as error:
                raise Err(str(error) or type(error).__name__) from None
            interest = the.interest
            return wit.Interest(
                [types.Signal[signal.upper()] for signal in interest.signals],
                [_selector(pattern) for pattern in interest.attributes],
                [wit.Level[level.upper()] for level in interest.levels],
                list(interest.fields),
                bool(interest.every),
                wit.Instances.SINGLE if interest.single_instance else wit.Instances.POOLED,
            )

    return Lifecycle


def _selector(pattern: str) -> Any:
    if pattern == "*":
        return wit.AttributeSelector_All()
    if pattern.endswith("*"):
        return wit.AttributeSelector_Prefix(pattern[:-1])
    return wit.AttributeSelector_Exact(pattern)


def _attributes_class(the: _Instance) -> type:
    from wit_world.exports import attributes

    def apply(signal: types.Signal, values: types.Projection) -> Any:
        edits = _attributes.apply(the.plugin, the.interest, signal.name.lower(), values)
        return attributes.Edits(**edits.columns(), additions=attributes.Additions(**edits.additions()))

    class Attributes:
        def apply(self, signal: types.Signal, values: types.Projection) -> Any:
            return _guarded(lambda: apply(signal, values))

    return Attributes


def _processor_class(the: _Instance) -> type:
    from wit_world.exports import processor

    def process(signal: types.Signal, batch: bytes) -> Any:
        outcome = _plugin.outcome(the.plugin.process(_plugin.RawBatch(signal.name.lower(), batch)))
        if outcome is None:
            return processor.Outcome_Unchanged()
        if isinstance(outcome, _plugin.Drop):
            return processor.Outcome_Drop(outcome.reason)
        return processor.Outcome_Replaced(outcome)

    class Processor:
        def process(self, signal: types.Signal, batch: bytes) -> Any:
            return _guarded(lambda: process(signal, batch))

    return Processor


def _sampler_class(the: _Instance) -> type:
    from wit_world.exports import sampler

    decisions = {
        _sampler.Decision.SAMPLE: sampler.Decision_Sample(None),
        _sampler.Decision.NOT_SAMPLED: sampler.Decision_NotSampled(),
        _sampler.Decision.DROP: sampler.Decision_Drop(),
        _sampler.Decision.UNDECIDED: sampler.Decision_Undecided(),
    }

    def decision(decided: Any) -> Any:
        if isinstance(decided, _sampler.Threshold):
            return sampler.Decision_Sample(decided.value)
        return decisions[decided]

    class Sampler:
        def wants_spans(self) -> bool:
            return bool(the.plugin.wants_spans)

        def sample(self, traces: Any) -> Any:
            return _guarded(lambda: [decision(one) for one in _sampler.sample(the.plugin, the.interest, traces)])

    return Sampler


_KINDS: Dict[str, Callable[[_Instance], type]] = {
    "attributes": _attributes_class,
    "processor": _processor_class,
    "sampler": _sampler_class,
}


def _state(the: _Instance) -> type:
    class State:
        def save(self) -> bytes:
            return _guarded(the.plugin.save)

        def restore(self, state: bytes) -> None:
            try:
                the.plugin.restore(state)
            except Exception as error:
                raise Err(str(error) or type(error).__name__) from None

    return State


def _guarded(call: Callable[[], Any]) -> Any:
    """Turns a `Failure` into the contract's; what else is raised is an accident, which is logged and ends the instance."""
    try:
        return call()
    except _plugin.Failure as error:
        failure = types.Failure_Retryable if error.retryable else types.Failure_Permanent
        raise Err(failure(str(error))) from None
    except BaseException as error:
        _host.imports.log("error", told(error))
        raise
