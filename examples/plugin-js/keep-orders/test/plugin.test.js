import assert from "node:assert/strict";
import { test } from "node:test";
import { configured } from "../.tailrace/sdk/js/testing.js";
import plugin from "../src/plugin.js";

test("keeps what the business cares for", () => {
  const trace = (attributes) => ({ spans: [{ attributes }] });
  const decisions = configured(plugin).decide([
    trace({ "order.amount": 100 }),
    trace({ "order.amount": 99.9 }),
    trace({ "order.amount": "100" }),
    trace({ "customer.vip": true }),
  ]);
  assert.deepEqual(decisions, ["sample", "not-sampled", "not-sampled", "sample"]);
});
