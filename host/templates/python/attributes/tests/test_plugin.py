import unittest

from plugin import Mask
from tailrace.testing import configured


class MaskTest(unittest.TestCase):
    def test_masks_what_is_named_and_nothing_else(self) -> None:
        span = {"attributes": {"user.email": "ann@x.org", "user.id": "42"}}
        after = configured(Mask, {"mask": ["user.email"]}).run({"items": [span]})
        self.assertEqual(after["items"][0]["attributes"], {"user.email": "*********", "user.id": "42"})

    def test_says_what_is_wrong_with_a_configuration(self) -> None:
        with self.assertRaisesRegex(ValueError, "at least one"):
            configured(Mask, {"mask": []})
        with self.assertRaisesRegex(ValueError, "maks: unknown key"):
            configured(Mask, {"mask": ["a"], "maks": []})
