import { drop, plugin } from "../.tailrace/sdk/js/index.js";

/** Drops whole batches in which one of some texts occurs: `{"drop_batches_with": ["load-test"]}`. */
export default plugin({
  name: "{{name}}",
  version: "0.1.0",

  configure({ drop_batches_with: texts, ...others }) {
    for (const key in others) throw new Error(`${key}: unknown key`);
    if (!Array.isArray(texts) || texts.length === 0) throw new Error("drop_batches_with: name at least one text");
    this.texts = texts;
  },

  process(batch) {
    for (const text of this.texts) if (batch.includes(text)) return drop("unwanted text");
  },
});
