"""What an attributes plugin sees and does."""

import types
import unittest

from tailrace import Attribute, AttributesPlugin, Batch, Group, Interest
from tailrace._attributes import apply
from tailrace.testing import configured


class Base(AttributesPlugin):
    name = "test"
    version = "1"


class SingleAttributes(unittest.TestCase):
    def test_every_level(self):
        """Masks and deletions reach every level; what was not asked for stays out of sight."""
        seen = []

        class Redact(Base):
            def configure(self, config):
                return Interest(attributes=["card", "http.*"])

            def attribute(self, attribute: Attribute):
                seen.append((attribute.level, attribute.key, attribute.value))
                if attribute.key == "card":
                    attribute.set("****")
                else:
                    attribute.remove()

        item = {"attributes": {"card": "ä€😀", "http.route": "/", "other": 1}, "events": [{"attributes": {"card": 7}}]}
        after = configured(Redact).run({"resource": {"attributes": {"card": "r", "name": "shop"}}, "items": [item]})
        expected = [("resource", "card", "r"), ("item", "card", "ä€😀"), ("item", "http.route", "/"), ("event", "card", 7)]
        self.assertEqual(seen, expected)
        masked = {"card": "****", "other": 1}
        self.assertEqual(after["resource"], {"attributes": {"card": "****", "name": "shop"}})
        self.assertEqual(after["items"], [{"attributes": masked, "events": [{"attributes": {"card": "****"}}]}])

    def test_values(self):
        """Every type of value comes and goes unchanged, and keeps its type."""
        values = ["", "text", "ümlaut", True, False, 0, -1, 2**63 - 1, -(2**63), 0.5, 2.0, -1e300, b"\x00\xff"]

        class Copy(Base):
            def configure(self, config):
                return Interest(attributes="from")

            def group(self, group: Group):
                group.set("to", group.get("from"))
                group.set("copy", group.find("from"))

        after = configured(Copy).run({"items": [{"attributes": {"from": value}} for value in values]})
        for value, item in zip(values, after["items"]):
            for key in ("to", "copy"):
                found = item["attributes"][key]
                self.assertEqual((found, type(found)), (value, type(value)))

    def test_what_cannot_be_set(self):
        for value, error in ((2**63, OverflowError), ([1], TypeError), (None, TypeError)):

            class Set(Base):
                def configure(self, config):
                    return Interest(attributes="a")

                def attribute(self, attribute: Attribute, value=value):
                    attribute.set(value)

            with self.assertRaises(error):
                configured(Set).run({"items": [{"attributes": {"a": 1}}]})

    def test_edits_in_any_order(self):
        """The last decision about a value counts; a drop cannot be taken back."""

        class Jump(Base):
            def configure(self, config):
                return Interest(attributes=["a", "b"])

            def batch(self, batch: Batch):
                first, _, third, fourth = batch.attributes()
                third.set("third")
                first.set("lost")
                first.set("first")
                third.remove()
                fourth.drop()
                fourth.set("too late")

        items = [{"attributes": {"a": 1, "b": 2}}, {"attributes": {"a": 3}}, {"attributes": {"a": 4}}]
        after = configured(Jump).run({"items": items})
        self.assertEqual(after["items"], [{"attributes": {"a": "first", "b": 2}}, {"attributes": {}}])
        self.assertEqual(items[0], {"attributes": {"a": 1, "b": 2}}, "the test's own batch stays as it is")


class Groups(unittest.TestCase):
    def test_a_group(self):
        """A group finds, sets, adds and removes its own attributes, and sees what it lies in."""
        seen = []
        test = self

        class Plugin(Base):
            def configure(self, config):
                return Interest(attributes="*", fields="span.name")

            def group(self, group: Group):
                if group.level != "item":
                    return
                above = (group.resource.get("service"), group.scope.get("lib"), group.metric.get("lib"))
                seen.append((group.get("span.name"), group.get("a", "-"), "a" in group, *above))
                if group.get("span.name") == "GET /health":
                    return group.drop()
                group.set("span.name", "renamed")
                group.set("new", "n")
                group.insert("a", "not this")
                group.insert("inserted", 1)
                group.remove("b")
                group.remove("none")
                with test.assertRaisesRegex(TypeError, "only be read"):
                    group.resource.set("service", "x")
                with test.assertRaisesRegex(TypeError, "cannot be removed"):
                    group.remove("span.name")

        after = configured(Plugin).run(
            {
                "resource": {"attributes": {"service": "shop"}},
                "scope": {"attributes": {"lib": "web"}},
                "items": [
                    {
                        "fields": {"span.name": "GET /"},
                        "attributes": {"a": 1, "b": 2},
                        "events": [{"attributes": {"a": "event", "b": "event"}}],
                    },
                    {"fields": {"span.name": "GET /health"}, "attributes": {}},
                    {"fields": {"span.name": "POST /"}, "attributes": {}, "events": [{"attributes": {"a": "event"}}]},
                ],
            }
        )
        expected = [
            ("GET /", 1, True, "shop", "web", None),
            ("GET /health", "-", False, "shop", "web", None),
            ("POST /", "-", False, "shop", "web", None),
        ]
        self.assertEqual(seen, expected)
        self.assertEqual(
            after["items"],
            [
                {
                    "fields": {"span.name": "renamed"},
                    "attributes": {"a": 1, "new": "n", "inserted": 1},
                    "events": [{"attributes": {"a": "event", "b": "event"}}],
                },
                {
                    "fields": {"span.name": "renamed"},
                    "attributes": {"new": "n", "a": "not this", "inserted": 1},
                    "events": [{"attributes": {"a": "event"}}],
                },
            ],
        )

    def test_every_group_of_a_level(self):
        """Groups without a value are shown too, in the order of the batch, for each signal."""

        class Add(Base):
            def configure(self, config):
                return Interest(attributes="a", every=config)

            def group(self, group: Group):
                group.set("seen", f"{group.level} {group.resource.get('a')}")

        items = [{"attributes": {}}, {"attributes": {"a": 1}}]
        spans = configured(Add, ["item", "resource"]).run({"resource": {"attributes": {"a": "r"}}, "items": items})
        seen = [{"attributes": {"seen": "item r"}}, {"attributes": {"a": 1, "seen": "item r"}}]
        self.assertEqual(spans, {"resource": {"attributes": {"a": "r", "seen": "resource r"}}, "items": seen})
        metrics = configured(Add, ["metric", "scope"]).run({"signal": "metrics", "items": items})
        self.assertEqual(
            metrics,
            {
                "scope": {"attributes": {"seen": "scope None"}},
                "metric": {"attributes": {"seen": "metric None"}},
                "items": [{"attributes": {}}, {"attributes": {"a": 1, "seen": "item None"}}],
            },
        )

    def test_a_batch_of_many(self):
        """Resources, scopes and metrics with their own children; one metric is empty."""
        seen = []

        class Walk(Base):
            def group(self, group: Group):
                seen.append((group.level, group._owner, group.resource._owner, group.scope._owner))

        shape = types.SimpleNamespace(resource_ends=[2, 3], scope_ends=[1, 3, 3], metric_ends=[2, 2, 3], items=3)
        empty = dict(owners=[], levels=b"", keys=[], kinds=b"", ends=[], data=b"", name_ends=[], names="")
        values = types.SimpleNamespace(shape=shape, **empty)
        apply(Walk(), Interest(every=["metric", "item"]), "metrics", values)
        expected = [("metric", 0, 0, 0), ("item", 0, 0, 0), ("item", 1, 0, 0), ("metric", 1, 0, 1), ("metric", 2, 0, 1), ("item", 2, 0, 1)]
        self.assertEqual(seen, expected)

    def test_unknown_levels_and_kinds(self):
        """What a newer contract may have is passed over."""
        seen = []

        class See(Base):
            def attribute(self, attribute: Attribute):
                seen.append((attribute.level, attribute.kind, attribute.value))

        shape = types.SimpleNamespace(resource_ends=[1], scope_ends=[1], metric_ends=[], items=1)
        rows = dict(owners=[0, 0], levels=bytes([9, 2]), keys=[0, 0], kinds=bytes([1, 77]), ends=[1, 2])
        values = types.SimpleNamespace(shape=shape, **rows, data=b"AB", name_ends=[1], names="a")
        self.assertEqual(apply(See(), Interest(attributes="a"), "traces", values).columns()["rows"], [])
        self.assertEqual(seen, [("item", "unknown", None)])


if __name__ == "__main__":
    unittest.main()
