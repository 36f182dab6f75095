from tailrace import Interest, SamplerPlugin, Trace


class KeepPayments(SamplerPlugin):
    """Keeps traces with a large payment, and those that failed: `{"min_amount_cents": 30000}`."""

    name = "{{name}}"
    version = "0.1.0"

    def configure(self, config: dict) -> Interest:
        for other in config.keys() - {"min_amount_cents"}:
            raise ValueError(f"{other}: unknown key")
        self.min = int(config["min_amount_cents"])
        return Interest(attributes="payment.amount_cents")

    def decide(self, trace: Trace) -> bool:
        large = (cents for cents in trace.all("payment.amount_cents") if isinstance(cents, int) and cents >= self.min)
        return trace.error_count > 0 or next(large, None) is not None
