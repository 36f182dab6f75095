import unittest

from plugin import Tidy
from tailrace.testing import configured


class TidyTest(unittest.TestCase):
    def test_deletes_masks_copies_and_drops(self) -> None:
        config = {"delete": ["a"], "mask": ["b"], "set": {"to": "c", "from": "b"}, "drop_span_names": ["noise"]}
        work = {"fields": {"span.name": "work"}, "attributes": {"a": 1, "b": "secret", "d": 4}}
        noise = {"fields": {"span.name": "noise"}, "attributes": {"d": 4}}
        after = configured(Tidy, config).run({"items": [work, noise]})
        kept = {"fields": {"span.name": "work"}, "attributes": {"b": "****", "c": "secret", "d": 4}}
        self.assertEqual(after["items"], [kept])
