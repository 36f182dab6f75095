"""An author reads where his own code failed, not where the SDK called it."""

import unittest

from tailrace import Counter, Interest
from tailrace._accident import told


class AnAccident(unittest.TestCase):
    def said(self, call) -> str:
        try:
            call()
        except Exception as error:
            return told(error)
        self.fail("nothing was raised")

    def test_the_innermost_place_of_the_author_comes_first(self) -> None:
        def inner() -> None:
            Interest(levels="nowhere")

        said = self.said(lambda: inner())
        self.assertRegex(said, r"^ValueError: levels of the interest cannot be 'nowhere': use .*, at .*inner \(.*test_accident.py:\d+\), from ")
        self.assertNotIn("_interest.py", said)
        self.assertNotIn("\n", said)

    def test_without_a_place(self) -> None:
        self.assertEqual(told(KeyError("a")), "KeyError: 'a'")
        self.assertIn("unexpected keyword argument 'currency', at ", self.said(lambda: Counter("spend", currency="EUR")))


if __name__ == "__main__":
    unittest.main()
