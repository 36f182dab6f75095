import unittest

from plugin import DropBatches
from tailrace import Drop
from tailrace.testing import configured


class DropBatchesTest(unittest.TestCase):
    def test_drops_what_contains_the_text_and_passes_the_rest(self) -> None:
        harness = configured(DropBatches, {"drop_batches_with": ["load-test"]})
        self.assertIsInstance(harness.process("traces", b"...load-test..."), Drop)
        self.assertIsNone(harness.process("traces", b"shop"))

    def test_says_what_is_wrong_with_a_configuration(self) -> None:
        with self.assertRaisesRegex(ValueError, "at least one"):
            configured(DropBatches, {})
        with self.assertRaisesRegex(ValueError, "drop: unknown key"):
            configured(DropBatches, {"drop": []})
