from __future__ import annotations

from tailrace import Drop, Interest, ProcessorPlugin, RawBatch


class DropBatches(ProcessorPlugin):
    """Drops whole batches in which one of some texts occurs: `{"drop_batches_with": ["load-test"]}`."""

    name = "{{name}}"
    version = "0.1.0"

    def configure(self, config: dict) -> Interest:
        for other in config.keys() - {"drop_batches_with"}:
            raise ValueError(f"{other}: unknown key")
        if not config.get("drop_batches_with"):
            raise ValueError("drop_batches_with: name at least one text")
        self.texts = config["drop_batches_with"]
        return Interest()

    def process(self, batch: RawBatch) -> Drop | None:
        return Drop("unwanted text") if any(text in batch for text in self.texts) else None
