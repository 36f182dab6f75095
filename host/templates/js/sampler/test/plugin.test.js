import assert from "node:assert/strict";
import { test } from "node:test";
import { configured } from "../.tailrace/sdk/js/testing.js";
import plugin from "../src/plugin.js";

test("keeps large payments and failures", () => {
  const payment = (cents, more) => ({ spans: [{ attributes: { "payment.amount_cents": cents } }], ...more });
  const harness = configured(plugin, { min_amount_cents: 100 });
  const decisions = harness.decide([payment(99), payment(100), payment(1, { errorCount: 1 })]);
  assert.deepEqual(decisions, ["not-sampled", "sample", "sample"]);
});

test("says what is wrong with a configuration", () => {
  assert.throws(() => configured(plugin, {}), /give a number/);
  assert.throws(() => configured(plugin, { min: 1 }), /min: unknown key/);
});
