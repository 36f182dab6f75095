import assert from "node:assert/strict";
import { test } from "node:test";
import { double, plugin } from "../index.js";
import { configured } from "../testing.js";

const about = { name: "test", version: "1" };
const made = (functions) => plugin({ ...about, ...functions });

/** Masks and deletions reach every level; what was not asked for stays out of sight. */
test("single attributes", () => {
  const seen = [];
  const redact = made({
    configure: () => ({ attributes: ["card", "http.*"] }),
    attribute(attribute) {
      seen.push([attribute.level, attribute.key, attribute.value]);
      if (attribute.key === "card") attribute.set("****");
      else attribute.remove();
    },
  });
  const after = configured(redact).run({
    resource: { attributes: { card: "r", name: "shop" } },
    items: [
      { attributes: { card: "ä€😀", "http.route": "/", other: 1 }, events: [{ attributes: { card: 7 } }], links: [{ attributes: { card: true } }] },
    ],
  });
  assert.deepEqual(seen, [
    ["resource", "card", "r"],
    ["item", "card", "ä€😀"],
    ["item", "http.route", "/"],
    ["event", "card", 7],
    ["link", "card", true],
  ]);
  assert.deepEqual(after, {
    resource: { attributes: { card: "****", name: "shop" } },
    items: [{ attributes: { card: "****", other: 1 }, events: [{ attributes: { card: "****" } }], links: [{ attributes: { card: "****" } }] }],
  });
});

/** Every type of value comes and goes unchanged. */
test("values", () => {
  const values = ["", "text", "ümlaut", true, false, 0, -1, 2 ** 53 - 1, 2n ** 63n - 1n, -(2n ** 63n), 0.5, -1e300, new Uint8Array([0, 127, 128, 255])];
  const copy = made({
    configure: () => ({ attributes: ["from"] }),
    group: (group) => group.set("to", group.get("from")),
  });
  const items = values.map((from) => ({ attributes: { from } }));
  const after = configured(copy).run({ items });
  after.items.forEach(({ attributes }, at) => assert.deepEqual(attributes.to, values[at]));
});

/** A double that is set to a whole number stays a double, and so does a copy; a new whole number is an int. */
test("numbers keep their type", () => {
  const kinds = [];
  const round = made({
    configure: () => ({ attributes: ["n", "m"] }),
    group(group) {
      for (const attribute of group) kinds.push(attribute.kind);
      group.set("n", 2);
      group.set("m", group.find("n"));
    },
  });
  const harness = configured(round);
  harness.run({ items: [{ attributes: { n: 1.5, m: 1 } }, { attributes: { n: double(1), m: "x" } }] });
  assert.deepEqual(kinds, ["double", "int", "double", "string"]);
  assert.throws(() => configured(made({ configure: () => ({ attributes: "a" }), attribute: (a) => a.set(2n ** 63n) })).run({ items: [{ attributes: { a: 1 } }] }), /does not fit/);
  assert.throws(() => configured(made({ configure: () => ({ attributes: "a" }), attribute: (a) => a.set({}) })).run({ items: [{ attributes: { a: 1 } }] }), /cannot be set/);
});

/** The last decision about a value counts, whatever the order; a drop cannot be taken back. */
test("edits in any order", () => {
  const jump = made({
    configure: () => ({ attributes: ["a", "b"] }),
    batch(batch) {
      const all = [...batch.attributes()];
      all[2].set("third");
      all[0].set("lost");
      all[0].set("first");
      all[2].remove();
      all[3].drop();
      all[3].set("too late");
    },
  });
  const after = configured(jump).run({ items: [{ attributes: { a: 1, b: 2 } }, { attributes: { a: 3 } }, { attributes: { a: 4 } }] });
  assert.deepEqual(after.items, [{ attributes: { a: "first", b: 2 } }, { attributes: {} }]);
});

/** A group finds, sets, adds and removes its own attributes, and sees what it lies in. */
test("groups", () => {
  const seen = [];
  const group = made({
    configure: () => ({ attributes: ["*"], fields: ["span.name"] }),
    group(group) {
      if (group.level !== "item") return;
      seen.push([group.get("span.name"), group.get("a"), group.get("none"), group.has("a"), group.resource.get("service"), group.scope.get("lib")]);
      if (group.get("span.name") === "GET /health") return group.drop();
      group.set("span.name", "renamed");
      group.set("new", "n");
      group.insert("a", "not this");
      group.insert("inserted", 1);
      group.remove("b");
      group.remove("none");
      assert.throws(() => group.resource.set("service", "x"), /only be read/);
      assert.throws(() => group.remove("span.name"), /cannot be removed/);
    },
  });
  const after = configured(group).run({
    resource: { attributes: { service: "shop" } },
    scope: { attributes: { lib: "web" } },
    items: [
      { fields: { "span.name": "GET /" }, attributes: { a: 1, b: 2 }, events: [{ attributes: { a: "event", b: "event" } }] },
      { fields: { "span.name": "GET /health" }, attributes: {} },
      { fields: { "span.name": "POST /" }, attributes: {}, events: [{ attributes: { a: "event" } }] },
    ],
  });
  assert.deepEqual(seen, [
    ["GET /", 1, undefined, true, "shop", "web"],
    ["GET /health", undefined, undefined, false, "shop", "web"],
    ["POST /", undefined, undefined, false, "shop", "web"],
  ]);
  assert.deepEqual(after.items, [
    { fields: { "span.name": "renamed" }, attributes: { a: 1, new: "n", inserted: 1 }, events: [{ attributes: { a: "event", b: "event" } }] },
    { fields: { "span.name": "renamed" }, attributes: { new: "n", a: "not this", inserted: 1 }, events: [{ attributes: { a: "event" } }] },
  ]);
});

/** `every` shows groups without a value, in the order of the batch, for each signal. */
test("every group of a level", () => {
  const add = made({
    configure: ({ every }) => ({ attributes: ["a"], every }),
    group: (group) => group.set("seen", `${group.level} ${group.resource.get("a")}`),
  });
  const items = [{ attributes: {} }, { attributes: { a: 1 } }];
  const spans = configured(add, { every: ["item", "resource"] }).run({ resource: { attributes: { a: "r" } }, items });
  assert.deepEqual(spans, {
    resource: { attributes: { a: "r", seen: "resource r" } },
    items: [{ attributes: { seen: "item r" } }, { attributes: { a: 1, seen: "item r" } }],
  });
  const metrics = configured(add, { every: ["metric", "scope"] }).run({ signal: "metrics", items });
  assert.deepEqual(metrics, {
    scope: { attributes: { seen: "scope undefined" } },
    metric: { attributes: { seen: "metric undefined" } },
    items: [{ attributes: {} }, { attributes: { a: 1, seen: "item undefined" } }],
  });
});

/** componentize-qjs hands out a u32 from 2^31 on as a negative number, which the key of a field is. */
test("fields of QuickJS", () => {
  const seen = [];
  const { lifecycle, attributes } = made({
    configure: () => ({ fields: ["span.kind", "span.name"] }),
    group: (group) => seen.push([group.get("span.name"), group.get("span.kind"), ...[...group].map(({ key, isField }) => [key, isField])]),
  }).component({ log() {} }, { Date, Math: {} });
  lifecycle.configure("{}");
  attributes.apply("traces", {
    shape: { resourceEnds: [1], scopeEnds: [1], metricEnds: [], items: 1 },
    owners: [0], levels: new Uint8Array([2]), keys: [(2 ** 31 + 1) | 0], kinds: new Uint8Array([1]), ends: [1],
    data: new Uint8Array([65]), nameEnds: [], names: "",
  });
  assert.deepEqual(seen, [["A", undefined, ["span.name", true]]]);
});

/** Levels that a newer contract may have are passed over. */
test("unknown levels and kinds", () => {
  const seen = [];
  const { lifecycle, attributes } = made({
    configure: () => ({ attributes: ["a"] }),
    attribute: (attribute) => seen.push([attribute.level, attribute.kind, attribute.value]),
  }).component({ log() {} }, { Date, Math: {} });
  lifecycle.configure("{}");
  const edits = attributes.apply("traces", {
    shape: { resourceEnds: [1], scopeEnds: [1], metricEnds: [], items: 1 },
    owners: [0, 0], levels: new Uint8Array([9, 2]), keys: [0, 0], kinds: new Uint8Array([1, 77]), ends: [1, 2],
    data: new Uint8Array([65, 66]), nameEnds: [1], names: "a",
  });
  assert.deepEqual(seen, [["item", "unknown", undefined]]);
  assert.deepEqual(edits.rows, []);
});
