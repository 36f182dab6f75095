import unittest
from unittest.mock import patch

from plugin import AdaptiveLite
from tailrace import Decision, Threshold
from tailrace.testing import configured

LOW, HIGH = b"\x00" * 16, b"\xff" * 16


def trace(id: bytes) -> dict:
    return {"id": id, "spans": [{}] * 10}


class AdaptiveLiteTest(unittest.TestCase):
    def setUp(self) -> None:
        clock = patch("plugin.time.time", return_value=0.0)
        self.clock = clock.start()
        self.addCleanup(clock.stop)

    def run_for(self, harness, seconds: int, traces: int) -> None:
        for _ in range(seconds):
            self.clock.return_value += 1
            harness.decide([trace(LOW)] * traces)

    def test_the_rate_follows_the_load(self) -> None:
        harness = configured(AdaptiveLite, {"spans_per_second": 100})
        for traces, rate in ((100, 0.1), (1000, 0.01), (5, 1.0)):
            self.run_for(harness, 15, traces)
            self.assertAlmostEqual(harness.plugin.rate, rate)

    def test_the_id_decides(self) -> None:
        harness = configured(AdaptiveLite, {"spans_per_second": 100, "first_rate": 0.25})
        self.assertEqual(harness.decide([trace(LOW), trace(HIGH)]), [Decision.NOT_SAMPLED, Threshold(3 * 2**54)])

    def test_the_rate_goes_to_the_next_instance(self) -> None:
        old, new = (configured(AdaptiveLite, {"spans_per_second": 100}) for _ in range(2))
        self.run_for(old, 15, 100)
        new.plugin.restore(old.plugin.save())
        self.assertEqual(new.decide([trace(LOW)]), [Decision.NOT_SAMPLED])
