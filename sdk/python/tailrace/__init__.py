"""Write plugins for Tailrace in Python: a class that derives from `AttributesPlugin`, `ProcessorPlugin` or `SamplerPlugin`.

    from tailrace import Attribute, AttributesPlugin, Interest

    class Redact(AttributesPlugin):
        name = "redact"
        version = "0.1.0"

        def configure(self, config: dict) -> Interest:
            return Interest(attributes=config["keys"])

        def attribute(self, attribute: Attribute) -> None:
            attribute.set("[redacted]")

Everything that a plugin imports must be imported at the top of its module: a component has no files to import from later.
"""

from . import log
from ._batch import Attribute, Batch, Group
from ._host import Counter, Gauge, Histogram, Match, Patterns, hash_text, hash_texts
from ._interest import Interest
from ._plugin import AttributesPlugin, Drop, ErrorMode, Failure, Plugin, ProcessorPlugin, RawBatch, SamplerPlugin
from ._sampler import Decision, Threshold, Trace
from ._value import NewValue, Value

__all__ = [
    "Attribute",
    "AttributesPlugin",
    "Batch",
    "Counter",
    "Decision",
    "Drop",
    "ErrorMode",
    "Failure",
    "Gauge",
    "Group",
    "Histogram",
    "Interest",
    "Match",
    "NewValue",
    "Patterns",
    "Plugin",
    "ProcessorPlugin",
    "RawBatch",
    "SamplerPlugin",
    "Threshold",
    "Trace",
    "Value",
    "hash_text",
    "hash_texts",
    "log",
]
