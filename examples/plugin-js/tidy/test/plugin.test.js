import assert from "node:assert/strict";
import { test } from "node:test";
import { configured } from "../.tailrace/sdk/js/testing.js";
import plugin from "../src/plugin.js";

test("deletes, masks, copies and drops", () => {
  const config = { delete: ["a"], mask: ["b"], set: { to: "c", from: "b" }, drop_span_names: ["noise"] };
  const after = configured(plugin, config).run({
    items: [
      { fields: { "span.name": "work" }, attributes: { a: 1, b: "secret", d: 4 } },
      { fields: { "span.name": "noise" }, attributes: { d: 4 } },
    ],
  });
  assert.deepEqual(after.items, [{ fields: { "span.name": "work" }, attributes: { b: "****", c: "secret", d: 4 } }]);
});
