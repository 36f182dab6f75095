import assert from "node:assert/strict";
import { test } from "node:test";
import { configured } from "../.tailrace/sdk/js/testing.js";
import plugin from "../src/plugin.js";

test("drops what contains the text and passes the rest", () => {
  const harness = configured(plugin, { drop_batches_with: ["load-test"] });
  const bytes = (text) => new TextEncoder().encode(text);
  assert.deepEqual(harness.process("traces", bytes("...load-test...")), { drop: "unwanted text" });
  assert.equal(harness.process("traces", bytes("shop")), "unchanged");
});

test("says what is wrong with a configuration", () => {
  assert.throws(() => configured(plugin, {}), /at least one/);
  assert.throws(() => configured(plugin, { drop: [] }), /drop: unknown key/);
});
