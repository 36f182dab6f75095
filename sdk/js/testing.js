/**
 * Runs a plugin under `node --test`, on the columns that the host would make and with the edits that it would apply.
 *
 * What everything is, `testing.d.ts` says.
 */

import { apply } from "./src/attributes.js";
import { fromBinary, pack, toBinary, unpack } from "./src/bytes.js";
import { LEVELS, SIGNALS } from "./src/interest.js";
import { outcome, RawBatch } from "./src/processor.js";
import { sample } from "./src/sampler.js";
import { decode, encode } from "./src/value.js";

export { recorded } from "./src/native.js";

const FIELD = 2 ** 31;
const CODES = Object.fromEntries(LEVELS.map((level, code) => [level, code]));

/** Configures a plugin as the host does; throws an Error with the text that the operator would read. */
export function configured(plugin, config = {}) {
  const instance = plugin.instance();
  try {
    instance.configure(JSON.stringify(config));
  } catch (error) {
    throw error instanceof Error ? error : new Error(error);
  }
  return new Harness(instance);
}

class Harness {
  #instance;

  constructor(instance) {
    this.#instance = instance;
    this.plugin = instance.author;
  }

  get interest() {
    return this.#instance.asked.wit;
  }

  /** A batch through an `attributes` plugin; what goes on. */
  run(batch) {
    const { signal = "traces", ...rest } = cloned(batch);
    if (!SIGNALS.includes(signal)) throw new TypeError(`signal must be one of ${SIGNALS.join(", ")}`);
    const { asked, author } = this.#instance;
    const wanted = asked.wit.signals.length === 0 || asked.wit.signals.includes(signal);
    const projected = project(signal, [rest], asked);
    if (!wanted || (projected.rows.length === 0 && !asked.wit.always)) return rest;
    splice(projected, apply(author, asked, signal, projected.columns));
    rest.items = rest.items.filter((item) => !projected.dropped.has(item));
    return rest;
  }

  /** Decisions about traces by a `sampler` plugin. */
  decide(traces) {
    const { asked, author } = this.#instance;
    const projected = project("traces", traces.map(({ spans, ...rest }) => ({ ...rest, items: spans })), asked);
    const column = (read, fallback) => traces.map((trace) => trace[read] ?? fallback(trace));
    let end = 0;
    const decided = sample(author, asked, {
      ids: Uint8Array.from(traces.flatMap((_, at) => [...Array(15).fill(0), at + 1])),
      spanCounts: column("spanCount", ({ spans }) => spans.length),
      errorCounts: column("errorCount", ({ spans }) => spans.filter((span) => span.fields?.["span.status"] === 2).length),
      starts: column("startMs", () => 0).map((ms) => ms * 1e6),
      durations: column("durationMs", () => 0).map((ms) => ms * 1e6),
      sizes: column("size", () => 0),
      lastCalls: Uint8Array.from(column("lastCall", () => false), Number),
      values: projected.columns,
      itemEnds: traces.map(({ spans }) => (end += spans.length)),
      spanEnds: [],
      spans: new Uint8Array(0),
    });
    return decided.map(({ tag, val }) => (val === undefined ? tag : { threshold: val }));
  }

  /** An encoded request through a `processor` plugin: "unchanged", the new bytes, or `{drop: reason}`. */
  process(signal, bytes) {
    const { tag, val } = outcome(this.#instance.author.process(new RawBatch(signal, bytes)));
    return tag === "unchanged" ? tag : tag === "replaced" ? val : { drop: val };
  }
}

/** The columns of batches that have one resource and one scope each (and one metric, for metrics), and where each row is from. */
function project(signal, batches, asked) {
  const rows = [];
  const names = new Map();
  const columns = { owners: [], levels: [], keys: [], kinds: [], ends: [] };
  const shape = { resourceEnds: [], scopeEnds: [], metricEnds: [], items: 0 };
  let data = "";
  const push = (level, owner, from, key, value, number) => {
    const { kind, binary } = encode(value);
    rows.push({ from, key });
    data += binary;
    const entry = { owners: owner, levels: CODES[level], keys: number, kinds: kind, ends: data.length };
    for (const [column, one] of Object.entries(entry)) columns[column].push(one);
  };
  const show = (level, owner, thing, within) => {
    if (!thing) return;
    asked.fields.forEach((field, at) => {
      if (thing.fields && field in thing.fields) push(level, owner, thing.fields, field, thing.fields[field], FIELD + at);
    });
    if (asked.wit.levels.length > 0 && !asked.wit.levels.includes(within)) return;
    for (const [key, value] of Object.entries(thing.attributes ?? {})) {
      if (!asked.wit.attributes.some((selector) => selects(selector, key))) continue;
      if (!names.has(key)) names.set(key, names.size);
      push(within, owner, thing.attributes, key, value, names.get(key));
    }
  };
  batches.forEach((batch, at) => {
    const { resource, scope, metric, items } = batch;
    show("resource", at, resource, "resource");
    show("scope", at, scope, "scope");
    if (signal === "metrics") show("metric", at, metric, "metric");
    for (const item of items) {
      show("item", shape.items, item, "item");
      for (const level of ["event", "link", "exemplar"]) {
        for (const part of item[`${level}s`] ?? []) show("item", shape.items, { attributes: part.attributes }, level);
      }
      shape.items++;
    }
    shape.resourceEnds.push(at + 1);
    shape.scopeEnds.push(signal === "metrics" ? at + 1 : shape.items);
    if (signal === "metrics") shape.metricEnds.push(shape.items);
  });
  const { ends: nameEnds, data: allNames } = pack([...names.keys()]);
  return {
    rows,
    batches,
    dropped: new Set(),
    columns: {
      ...columns,
      shape,
      levels: Uint8Array.from(columns.levels),
      kinds: Uint8Array.from(columns.kinds),
      data: fromBinary(data),
      nameEnds,
      names: allNames,
    },
  };
}

/** A copy to be changed; values stay as they are. */
function cloned(given) {
  if (Array.isArray(given)) return given.map(cloned);
  if (given?.constructor !== Object) return given;
  return Object.fromEntries(Object.entries(given).map(([key, value]) => [key, cloned(value)]));
}

function selects({ tag, val }, key) {
  return tag === "all" || (tag === "prefix" ? key.startsWith(val) : key === val);
}

/** Applies edits as the host does: rows first, then what is added, in its order. */
function splice(projected, edits) {
  const binary = toBinary(edits.data);
  edits.rows.forEach((row, at) => {
    const { from, key } = projected.rows[row];
    const bytes = binary.slice(at === 0 ? 0 : edits.ends[at - 1], edits.ends[at]);
    if (edits.actions[at] === 1) delete from[key];
    else from[key] = decode(edits.kinds[at], bytes);
  });
  const { additions } = edits;
  const keys = unpack(additions.nameEnds, additions.names);
  const added = toBinary(additions.data);
  additions.owners.forEach((owner, at) => {
    const target = thing(projected, additions.levels[at], owner);
    const bytes = added.slice(at === 0 ? 0 : additions.ends[at - 1], additions.ends[at]);
    if (additions.actions[at] === 2) {
      for (const item of target.all) projected.dropped.add(item);
      return;
    }
    target.one.attributes ??= {};
    const key = keys[additions.keys[at]];
    if (additions.actions[at] === 1 && key in target.one.attributes) return;
    target.one.attributes[key] = decode(additions.kinds[at], bytes);
  });
}

/** What an addition is about, and the items in it. */
function thing({ batches }, level, owner) {
  const name = LEVELS[level];
  if (name !== "item") {
    const batch = batches[owner];
    batch[name] ??= {};
    return { one: batch[name], all: batch.items };
  }
  const item = batches.flatMap(({ items }) => items)[owner];
  return { one: item, all: [item] };
}
