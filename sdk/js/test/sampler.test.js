import assert from "node:assert/strict";
import { test } from "node:test";
import { plugin } from "../index.js";
import { configured } from "../testing.js";

const about = { name: "test", version: "1" };

/** Each trace sees its own spans, scopes and resources, and nothing of its neighbours. */
test("values of traces", () => {
  const seen = [];
  const harness = configured(plugin({
    ...about,
    configure: () => ({ attributes: ["a"], fields: ["span.name"] }),
    decide(trace) {
      const spans = [...trace.spans].map((span) => [span.get("span.name"), span.get("a"), span.resource.get("a")]);
      seen.push([trace.id.at(-1), trace.spanCount, trace.errorCount, trace.get("a"), trace.all("a"), spans]);
      return trace.get("a") === "keep";
    },
  }));
  const decided = harness.decide([
    { spans: [{ fields: { "span.name": "one", "span.status": 2 }, attributes: { a: 1 } }, { attributes: { a: 2 } }] },
    { spans: [] },
    { resource: { attributes: { a: "keep" } }, spans: [{ attributes: {} }, { fields: { "span.name": "two" }, attributes: { a: 3 } }] },
    { resource: { attributes: { a: "lost" } }, spans: [{ attributes: { a: 5 } }] },
  ]);
  assert.deepEqual(decided, ["not-sampled", "not-sampled", "sample", "not-sampled"]);
  assert.deepEqual(seen, [
    ["1", 2, 1, 1, [1, 2], [["one", 1, undefined], [undefined, 2, undefined]]],
    ["2", 0, 0, undefined, [], []],
    ["3", 2, 0, "keep", ["keep", 3], [["two", 3, "keep"]]],
    ["4", 1, 0, "lost", ["lost", 5], [[undefined, 5, "lost"]]],
  ]);
});

test("decisions", () => {
  const decide = (decision) => configured(plugin({ ...about, decide: () => decision })).decide([{ spans: [] }])[0];
  for (const word of ["sample", "not-sampled", "drop", "undecided"]) assert.equal(decide(word), word);
  assert.equal(decide(true), "sample");
  assert.deepEqual(decide({ threshold: 2 ** 55 }), { threshold: 2 ** 55 });
  assert.throws(() => decide("keep"), /a decision must be/);
  assert.throws(() => decide({ threshold: 2 ** 56 }), /a decision must be/);
  assert.throws(() => decide(undefined), /a decision must be/);
  const all = configured(plugin({ ...about, decideAll: (traces) => traces.slice(1).map(() => true) }));
  assert.throws(() => all.decide([{ spans: [] }]), /one decision for each of the 1 traces/);
});

test("what a trace tells of itself", () => {
  let seen;
  const harness = configured(plugin({
    ...about,
    decide({ startMs, durationMs, size, lastCall, otlp }) {
      seen = { startMs, durationMs, size, lastCall, otlp: otlp.length };
      return "undecided";
    },
  }));
  harness.decide([{ spans: [], startMs: 1.5, durationMs: 20, size: 7, lastCall: true }]);
  assert.deepEqual(seen, { startMs: 1.5, durationMs: 20, size: 7, lastCall: true, otlp: 0 });
});
