"""What the host gives, and what an author can get wrong."""

import contextlib
import io
import types
import unittest

from tailrace import (
    AttributesPlugin,
    Counter,
    Decision,
    Drop,
    Gauge,
    Histogram,
    Interest,
    Patterns,
    ProcessorPlugin,
    SamplerPlugin,
    Threshold,
    hash_text,
    hash_texts,
    log,
)
from tailrace._nested import nested
from tailrace._plugin import kind_of, the_plugin, world_of
from tailrace.testing import configured, recorded


class Host(unittest.TestCase):
    def test_patterns(self):
        """One call for a whole column; places are characters, although the host counts bytes."""
        found = Patterns(["[a-z]+@[a-z.]+", r"(?P<year>\d{4})-(\d{2})"])
        self.assertEqual(found.test(["ann@example.com", "none", "2026-11 ann@x"]), [[0], [], [0, 1]])
        match = found.find(["Grüße 😀 an ann@x"])[0][0]
        self.assertEqual((match.pattern, match.start, match.end), (0, 11, 16))
        self.assertEqual(found.replace(["an ann@x und 2026-11!", "😀 bob@y", "none"], "*"), ["an * und *!", "😀 *", "none"])
        self.assertEqual(found.capture("ä 2026-11", 1), {0: "2026-11", 1: "2026", 2: "11", "year": "2026"})
        self.assertIsNone(found.capture("none", 1))
        self.assertEqual(Patterns(["abcd", "cdef", "b"]).replace(["xabcdefx"], "*"), ["x*x"])
        with self.assertRaisesRegex(ValueError, r"the pattern \("):
            Patterns("(")
        with self.assertRaisesRegex(TypeError, "list of texts"):
            found.test("ann@example.com")

    def test_hashes(self):
        self.assertEqual([one[:8] for one in hash_texts("sha256", ["", "abc"])], ["e3b0c442", "ba7816bf"])
        self.assertEqual(len(hash_text("hmac-sha256", "ä", key="secret")), 64)
        self.assertNotEqual(hash_text("md5", "a", key="k"), hash_text("md5", "a"))
        self.assertEqual(hash_texts("md5", []), [])
        with self.assertRaisesRegex(ValueError, "no algorithm crc"):
            hash_text("crc", "a")

    def test_metrics(self):
        """A series that the host does not want costs the plugin nothing but a line in the log."""
        seen = Counter("seen", {"key": 1})
        seen.add()
        seen.add(2)
        Gauge("size").set(3)
        Histogram("took").record(0.5)
        with contextlib.redirect_stderr(io.StringIO()) as lines:
            Counter("Bad Name").add()
            log.info("hello")
        found = [(one.kind, one.name, one.labels, one.values) for one in recorded()]
        expected = [("counter", "seen", {"key": "1"}, [1, 2]), ("gauge", "size", {}, [3]), ("histogram", "took", {}, [0.5])]
        self.assertEqual(found, expected)
        self.assertRegex(lines.getvalue(), "warn: no metric Bad Name.*\ninfo: hello")

    def test_nested_values(self):
        """Arrays and maps, as OTLP writes them."""
        self.assertEqual(nested(bytes([0x2A, 9, 0x0A, 3, 0x0A, 1, 0x61, 0x0A, 2, 0x18, 7])), ["a", 7])
        self.assertEqual(nested(bytes([0x32, 11, 0x0A, 9, 0x0A, 3, 0x6B, 0x65, 0x79, 0x12, 2, 0x10, 1])), {"key": True})
        self.assertEqual(nested(bytes([0x18] + [0xFF] * 9 + [1])), -1)
        with self.assertRaisesRegex(ValueError, "ends too early"):
            nested(bytes([0x2A, 11]))
        deep = b""
        for _ in range(70):
            inner = b"\x0a" + _varint(len(deep)) + deep
            deep = b"\x2a" + _varint(len(inner)) + inner
        with self.assertRaisesRegex(ValueError, "too deeply"):
            nested(deep)


def _varint(number):
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + _varint(number >> 7)


class Base:
    name = "test"
    version = "1"


class Definitions(unittest.TestCase):
    def test_classes_that_cannot_work(self):
        class Nothing(Base, AttributesPlugin):
            pass

        class Both(Base, AttributesPlugin, ProcessorPlugin):
            pass

        class Nameless(ProcessorPlugin):
            def process(self, batch):
                return None

        class Forgetful(Nameless):
            name, version = "a", "1"

            def save(self):
                return b""

        class Slow(Base, ProcessorPlugin):
            async def process(self, batch):
                return None

        for plugin, message in (
            (Slow, "cannot be async"),
            (Nothing, "nothing to call"),
            (Both, "must derive from one"),
            (Nameless, "needs `name"),
            (Forgetful, "save and restore"),
        ):
            with self.subTest(plugin.__name__), self.assertRaisesRegex(TypeError, message):
                kind_of(plugin)

    def test_worlds(self):
        class Sampler(Base, SamplerPlugin):
            def decide(self, trace):
                return True

            def save(self):
                return b""

            def restore(self, state):
                del state

        self.assertEqual(world_of(Sampler), "stateful-sampler-plugin")
        module = types.ModuleType("plugin")
        with self.assertRaisesRegex(TypeError, "it has none"):
            the_plugin(module)
        module.Sampler = Sampler
        Sampler.__module__ = "plugin"
        self.assertIs(the_plugin(module), Sampler)

    def test_interests(self):
        self.assertEqual(Interest(attributes="a", fields=["span.name"]).attributes, ("a",))
        with self.assertRaisesRegex(ValueError, "levels of the interest cannot be 'span'"):
            Interest(levels=["span"])
        with self.assertRaisesRegex(TypeError, "must hold strings"):
            Interest(attributes=[1])

    def test_processors(self):
        class Plugin(Base, ProcessorPlugin):
            def process(self, batch):
                if "ümlaut" in batch:
                    return Drop("has an umlaut")
                return batch.data[:3] if len(batch.data) > 3 else None

        harness = configured(Plugin)
        self.assertIsNone(harness.process("logs", b"abc"))
        self.assertEqual(harness.process("logs", b"abcd"), b"abc")
        self.assertEqual(harness.process("logs", "x ümlaut".encode()).reason, "has an umlaut")


class Samplers(unittest.TestCase):
    def test_values_of_traces(self):
        """Each trace sees its own spans, scopes and resources, and nothing of its neighbours."""
        seen = []

        class Plugin(Base, SamplerPlugin):
            def configure(self, config):
                return Interest(attributes="a", fields="span.name")

            def decide(self, trace):
                spans = [(span.get("span.name"), span.get("a"), span.resource.get("a")) for span in trace.spans]
                seen.append((trace.id[-1], trace.span_count, trace.error_count, trace.get("a"), trace.all("a"), spans))
                return trace.get("a") == "keep"

        decided = configured(Plugin).decide(
            [
                {"spans": [{"fields": {"span.name": "one", "span.status": 2}, "attributes": {"a": 1}}, {"attributes": {"a": 2}}]},
                {"spans": []},
                {"resource": {"attributes": {"a": "keep"}}, "spans": [{}, {"fields": {"span.name": "two"}, "attributes": {"a": 3}}]},
                {"resource": {"attributes": {"a": "lost"}}, "spans": [{"attributes": {"a": 5}}]},
            ]
        )
        self.assertEqual(decided, [Decision.NOT_SAMPLED, Decision.NOT_SAMPLED, Decision.SAMPLE, Decision.NOT_SAMPLED])
        expected = [
            (1, 2, 1, 1, [1, 2], [("one", 1, None), (None, 2, None)]),
            (2, 0, 0, None, [], []),
            (3, 2, 0, "keep", ["keep", 3], [("two", 3, "keep")]),
            (4, 1, 0, "lost", ["lost", 5], [(None, 5, "lost")]),
        ]
        self.assertEqual(seen, expected)

    def test_decisions(self):
        def decide(answer):
            class Plugin(Base, SamplerPlugin):
                def decide_all(self, traces):
                    return answer

            return configured(Plugin).decide([{"spans": []}])[0]

        self.assertEqual(decide([True]), Decision.SAMPLE)
        self.assertEqual(decide([Threshold(5)]), Threshold(5))
        self.assertEqual(decide([Decision.UNDECIDED]), Decision.UNDECIDED)
        with self.assertRaisesRegex(TypeError, "a decision must be"):
            decide(["keep"])
        with self.assertRaisesRegex(TypeError, "each of the 1 traces, not 0"):
            decide([])
        with self.assertRaises(ValueError):
            Threshold(2**56)


if __name__ == "__main__":
    unittest.main()
