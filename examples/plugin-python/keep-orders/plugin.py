from tailrace import Interest, SamplerPlugin, Trace


class KeepOrders(SamplerPlugin):
    name = "keep-orders"
    version = "0.1.0"

    def configure(self, config: dict) -> Interest:
        self.min_amount, self.vip_key = config.get("min_amount", 100), config.get("vip_key", "customer.vip")
        return Interest(attributes=["order.amount", self.vip_key], levels="item")

    def decide(self, trace: Trace) -> bool:
        amounts = [amount for amount in trace.all("order.amount") if type(amount) in (int, float)]
        return any(amount >= self.min_amount for amount in amounts) or any(v is True for v in trace.all(self.vip_key))
