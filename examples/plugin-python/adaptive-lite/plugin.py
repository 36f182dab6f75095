import json
import time
from typing import List, Sequence, Union

from tailrace import Interest, SamplerPlugin, Threshold, Trace

RANGE = 2**56  # the last seven bytes of a trace's id are its randomness


class AdaptiveLite(SamplerPlugin):
    name = "adaptive-lite"
    version = "0.1.0"

    def configure(self, config: dict) -> Interest:
        self.target, self.window = config["spans_per_second"], config.get("window_seconds", 5)
        self.rate, self.spans, self.start = config.get("first_rate", 1.0), 0, time.time()
        return Interest(single_instance=True)

    def decide_all(self, traces: Sequence[Trace]) -> List[Union[bool, Threshold]]:
        elapsed = time.time() - self.start
        if elapsed >= self.window:
            self.rate = min(1.0, self.target * elapsed / max(self.spans, 1))
            self.spans, self.start = 0, time.time()
        self.spans += sum(trace.span_count for trace in traces)
        below = min(int((1 - self.rate) * RANGE), RANGE - 1)  # who decides with the same rate keeps the same traces
        return [int.from_bytes(trace.id[9:], "big") >= below and Threshold(below) for trace in traces]

    def save(self) -> bytes:
        return json.dumps([self.rate, self.spans, self.start]).encode()

    def restore(self, state: bytes) -> None:
        self.rate, self.spans, self.start = json.loads(state)
