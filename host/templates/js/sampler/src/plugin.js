import { plugin } from "../.tailrace/sdk/js/index.js";

/** Keeps traces with a large payment, and those that failed: `{"min_amount_cents": 30000}`. */
export default plugin({
  name: "{{name}}",
  version: "0.1.0",

  configure({ min_amount_cents: min, ...others }) {
    for (const key in others) throw new Error(`${key}: unknown key`);
    if (typeof min !== "number") throw new Error("min_amount_cents: give a number");
    this.min = min;
    return { attributes: ["payment.amount_cents"] };
  },

  decide(trace) {
    const large = (cents) => typeof cents === "number" && cents >= this.min;
    return trace.errorCount > 0 || trace.all("payment.amount_cents").some(large);
  },
});
