import assert from "node:assert/strict";
import { test } from "node:test";
import { counter, drop, Failure, gauge, hash, histogram, log, patterns, plugin } from "../index.js";
import { use, world } from "../src/host.js";
import { native } from "../src/native.js";
import { nested } from "../src/nested.js";
import { configured, recorded } from "../testing.js";

const about = { name: "test", version: "1" };

/** One call for a whole column; places are those of JavaScript, although the host counts bytes. */
test("patterns", () => {
  const mail = patterns(["[a-z]+@[a-z.]+", "(?P<year>\\d{4})-(\\d{2})"]);
  assert.deepEqual(mail.test(["ann@example.com", "none", "2026-11 ann@x"]), [[0], [], [0, 1]]);
  assert.deepEqual(mail.find("Grüße 😀 an ann@x"), [{ pattern: 0, start: 12, end: 17 }]);
  assert.deepEqual(mail.replace(["an ann@x und 2026-11!", "😀 bob@y", "none"], "*"), ["an * und *!", "😀 *", "none"]);
  assert.deepEqual(mail.capture("ä 2026-11", 1), { 0: "2026-11", 1: "2026", 2: "11", year: "2026" });
  assert.equal(mail.capture("none", 1), undefined);
  assert.throws(() => patterns(["("]), /the pattern \(/);
});

/** Overlapping matches of several patterns are replaced once. */
test("replacing what overlaps", () => {
  assert.equal(patterns(["abcd", "cdef", "b"]).replace("xabcdefx", "*"), "x*x");
});

test("hashes", () => {
  assert.deepEqual(hash("sha256", ["", "abc"]).map((digits) => digits.slice(0, 8)), ["e3b0c442", "ba7816bf"]);
  assert.equal(hash("hmac-sha256", "ä", { key: "secret" }).length, 64);
  assert.notEqual(hash("md5", "a", { key: "k" }), hash("md5", "a"));
  assert.deepEqual(hash("md5", []), []);
  assert.throws(() => hash("crc", "a"), /no algorithm crc/);
});

/** A series that the host does not want costs the plugin nothing but a line in the log. */
test("metrics", () => {
  const lines = [];
  use({ ...native, log: (...line) => lines.push(line) });
  const seen = counter("seen", { key: 1 });
  seen.add();
  seen.add(2);
  gauge("size").set(3);
  histogram("took").record(0.5);
  counter("Bad Name").add();
  use(native);
  assert.deepEqual(recorded.map(({ kind, name, labels, values }) => [kind, name, labels, values]), [
    ["counter", "seen", [["key", "1"]], [1, 2]],
    ["gauge", "size", [], [3]],
    ["histogram", "took", [], [0.5]],
  ]);
  assert.equal(lines[0][0], "warn");
  assert.match(lines[0][1], /no metric Bad Name/);
});

/** What JavaScript has of a clock, chance and console goes to the host, since there is no WASI. */
test("the world of a component", () => {
  const lines = [];
  const scope = { Date, Math: {}, console: {} };
  use({ now: () => 1_700_000_000_123_456_789n, random: () => 2n ** 63n + 1n, log: (...line) => lines.push(line) });
  world(scope);
  assert.equal(scope.Date.now(), 1_700_000_000_123);
  assert.equal(new scope.Date().toISOString(), "2023-11-14T22:13:20.123Z");
  assert.equal(new scope.Date(0).getTime(), 0);
  assert.ok(scope.Math.random() >= 0 && scope.Math.random() < 1);
  scope.console.log("a", { b: 1 }, 2);
  log.warn("w");
  use(native);
  assert.deepEqual(lines, [["info", 'a {"b":1} 2'], ["warn", "w"]]);
});

/** Definitions that cannot work say why. */
test("definitions", () => {
  assert.throws(() => plugin({ ...about }), /nothing to call/);
  assert.throws(() => plugin({ ...about, process() {}, decide() {} }), /several kinds/);
  assert.throws(() => plugin({ name: "a", group() {} }), /version must be a string/);
  assert.throws(() => plugin({ ...about, group() {}, save() {} }), /save and restore/);
  assert.throws(() => plugin({ ...about, group() {}, errorMode: "maybe" }), /errorMode/);
  assert.throws(() => plugin({ ...about, group: 1 }), /group must be a function/);
  assert.throws(() => plugin({ ...about, async group() {} }), /group cannot be async/);
  assert.equal(plugin({ ...about, decide() {}, save() {}, restore() {} }).world, "stateful-sampler-plugin");
});

test("interests", () => {
  const interest = (given) => configured(plugin({ ...about, group() {}, configure: () => given })).interest;
  assert.deepEqual(interest({ attributes: ["*", "a.*", "a"], fields: "span.name", every: ["item"], singleInstance: true }), {
    signals: [], levels: [], intrinsics: ["span.name"], always: true, instances: "single",
    attributes: [{ tag: "all" }, { tag: "prefix", val: "a." }, { tag: "exact", val: "a" }],
  });
  assert.throws(() => interest({ attribute: "a" }), /unknown key attribute/);
  assert.throws(() => interest({ levels: ["span"] }), /levels of the interest cannot be span/);
  assert.throws(() => interest([]), /configure must return/);
  assert.throws(() => configured(plugin({ ...about, group() {}, configure() { throw new Error("no keys"); } })), /^Error: no keys$/);
});

/** The plugin's own "no" is an answer; what else it throws is logged and ends the instance. */
test("failures and accidents", () => {
  const lines = [];
  const exports = (process) => plugin({ ...about, process }).component({ log: (...line) => lines.push(line) }, { Date, Math: {} });
  const fails = (error) => exports(() => { throw error; }).processor.process;
  const thrown = (call) => { try { call("logs", new Uint8Array(0)); } catch (error) { return error; } };
  assert.deepEqual(thrown(fails(new Failure("later", { retryable: true }))), { tag: "retryable", val: "later" });
  assert.deepEqual(thrown(fails(new Failure("never"))), { tag: "permanent", val: "never" });
  assert.equal(lines.length, 0);
  assert.ok(thrown(fails(new TypeError("oops"))) instanceof TypeError);
  assert.match(lines[0][1], /TypeError: oops\n.*host\.test\.js/s);
  use(native);
});

test("processors", () => {
  const harness = configured(plugin({
    ...about,
    process(batch) {
      if (batch.includes("ümlaut")) return drop("has an umlaut");
      if (batch.bytes.length > 3) return batch.bytes.subarray(0, 3);
    },
  }));
  const bytes = (given) => new TextEncoder().encode(given);
  assert.equal(harness.process("logs", bytes("abc")), "unchanged");
  assert.deepEqual(harness.process("logs", bytes("abcd")), bytes("abc"));
  assert.deepEqual(harness.process("logs", bytes("x ümlaut")), { drop: "has an umlaut" });
});

/** State is bytes, or whatever JSON can hold. */
test("state", () => {
  const stateful = () => plugin({
    ...about, decide: () => true, save() { return this.state ?? { seen: ["ä"] }; }, restore(state) { this.state = state; },
  }).component(native, { Date, Math: {} }).state;
  const saved = stateful().save();
  const next = stateful();
  next.restore(saved);
  assert.deepEqual(next.save(), saved);
  next.restore(new Uint8Array([255, 1]));
  assert.deepEqual(next.save(), new Uint8Array([255, 1]));
});

/** Arrays and maps, as OTLP writes them. */
test("nested values", () => {
  const array = [0x2a, 11, 0x0a, 3, 0x0a, 1, 0x61, 0x0a, 4, 0x18, 0x80, 0x01, 0x00].slice(0, 2);
  assert.deepEqual(nested(Uint8Array.from([0x2a, 9, 0x0a, 3, 0x0a, 1, 0x61, 0x0a, 2, 0x18, 7])), ["a", 7]);
  assert.deepEqual({ ...nested(Uint8Array.from([0x32, 11, 0x0a, 9, 0x0a, 3, 0x6b, 0x65, 0x79, 0x12, 2, 0x10, 1])) }, { key: true });
  assert.equal(nested(Uint8Array.from([0x18, ...Array(9).fill(0xff), 1])), -1);
  assert.throws(() => nested(Uint8Array.from(array)), /ends too early/);
  let deep = Uint8Array.of();
  assert.throws(() => {
    for (let depth = 0; depth < 70; depth++) deep = Uint8Array.from([0x2a, ...varint(deep.length + 1 + varint(deep.length).length), 0x0a, ...varint(deep.length), ...deep]);
    nested(deep);
  }, /too deeply/);
});

function varint(number) {
  return number < 128 ? [number] : [(number & 127) | 128, ...varint(number >>> 7)];
}
