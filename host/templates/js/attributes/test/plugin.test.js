import assert from "node:assert/strict";
import { test } from "node:test";
import { configured } from "../.tailrace/sdk/js/testing.js";
import plugin from "../src/plugin.js";

test("masks what is named and nothing else", () => {
  const after = configured(plugin, { mask: ["user.email"] }).run({
    items: [{ attributes: { "user.email": "ann@x.org", "user.id": "42" } }],
  });
  assert.deepEqual(after.items[0].attributes, { "user.email": "*********", "user.id": "42" });
});

test("says what is wrong with a configuration", () => {
  assert.throws(() => configured(plugin, { mask: [] }), /at least one/);
  assert.throws(() => configured(plugin, { mask: ["a"], maks: [] }), /maks: unknown key/);
});
