import unittest

from plugin import KeepPayments
from tailrace import Decision
from tailrace.testing import configured


class KeepPaymentsTest(unittest.TestCase):
    def test_keeps_large_payments_and_failures(self) -> None:
        payments = [{"spans": [{"attributes": {"payment.amount_cents": cents}}]} for cents in (99, 100, 1)]
        payments[2]["error_count"] = 1
        decisions = configured(KeepPayments, {"min_amount_cents": 100}).decide(payments)
        self.assertEqual(decisions, [Decision.NOT_SAMPLED, Decision.SAMPLE, Decision.SAMPLE])

    def test_says_what_is_wrong_with_a_configuration(self) -> None:
        with self.assertRaisesRegex(KeyError, "min_amount_cents"):
            configured(KeepPayments, {})
        with self.assertRaisesRegex(ValueError, "min: unknown key"):
            configured(KeepPayments, {"min": 1})
