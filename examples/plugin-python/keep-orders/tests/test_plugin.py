import unittest

from plugin import KeepOrders
from tailrace import Decision
from tailrace.testing import configured


class KeepOrdersTest(unittest.TestCase):
    def test_keeps_what_the_business_cares_for(self) -> None:
        values = ({"order.amount": 100}, {"order.amount": 99.9}, {"order.amount": "100"}, {"customer.vip": True})
        decisions = configured(KeepOrders).decide([{"spans": [{"attributes": attributes}]} for attributes in values])
        keep, pass_on = Decision.SAMPLE, Decision.NOT_SAMPLED
        self.assertEqual(decisions, [keep, pass_on, pass_on, keep])
