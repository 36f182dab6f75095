/** Plugins that decide which traces are kept. */

import { Batch } from "./batch.js";
import { hex } from "./bytes.js";
import { Attribute, Group } from "./group.js";

/** What an author writes; the wider is called if both are there. */
export const METHODS = ["decide", "decideAll"];

const DECISIONS = ["sample", "not-sampled", "drop", "undecided"];
const NANOS_PER_MILLI = 1e6;
const ID_BYTES = 16;
const [RESOURCE, SCOPE, ITEM] = [0, 1, 2];

export function exports(instance) {
  return {
    wantsSpans: () => Boolean(instance.author.wantsSpans),
    sample: (traces) => sample(instance.author, instance.asked, traces),
  };
}

/** Shows traces to the plugin; returns the decisions of the contract. */
export function sample(author, asked, columns) {
  const traces = split(columns, asked);
  const decided = author.decideAll ? author.decideAll(traces) : traces.map((trace) => author.decide(trace));
  if (!Array.isArray(decided) || decided.length !== traces.length) {
    throw new TypeError(`decideAll must return an array with one decision for each of the ${traces.length} traces`);
  }
  return decided.map(decision);
}

function decision(decided) {
  if (typeof decided === "boolean") return { tag: decided ? "sample" : "not-sampled" };
  if (decided === "sample") return { tag: "sample" };
  if (DECISIONS.includes(decided)) return { tag: decided };
  const threshold = decided?.threshold;
  if (Number.isInteger(threshold) && threshold >= 0 && threshold < 2 ** 56) return { tag: "sample", val: threshold };
  throw new TypeError(
    `a decision must be true, false, ${DECISIONS.map((name) => `"${name}"`).join(", ")} or {threshold} (below 2 ** 56)`,
  );
}

/** The traces of a call. Rows stand in the order of the traces, so that each has a run of them. */
function split(columns, asked) {
  const batch = new Batch("traces", columns.values, asked, undefined);
  const traces = [];
  let start = 0;
  for (let at = 0; at < columns.spanCounts.length; at++) {
    const end = firstRowFrom(batch.columns, columns.itemEnds[at], start);
    traces.push(new Trace(batch, columns, at, start, end));
    start = end;
  }
  return traces;
}

/** The first row, from `low` on, that is not about an item before `item` or what it lies in. */
function firstRowFrom(columns, item, low) {
  let high = columns.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (firstItem(columns, middle) < item) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The first item of what a row is about. */
function firstItem(columns, row) {
  const { resourceEnds, scopeEnds } = columns.shape;
  const [level, owner] = [columns.level(row), columns.owner(row)];
  if (level !== RESOURCE && level !== SCOPE) return owner;
  const scope = level === SCOPE ? owner : owner === 0 ? 0 : resourceEnds[owner - 1];
  return scope === 0 ? 0 : scopeEnds[scope - 1];
}

export class Trace {
  constructor(batch, columns, at, start, end) {
    this._batch = batch;
    this._columns = columns;
    this._at = at;
    this._start = start;
    this._end = end;
  }

  get id() {
    return hex(this._columns.ids.subarray(this._at * ID_BYTES, (this._at + 1) * ID_BYTES));
  }

  get spanCount() {
    return this._columns.spanCounts[this._at];
  }

  get errorCount() {
    return this._columns.errorCounts[this._at];
  }

  get startMs() {
    return Number(this._columns.starts[this._at]) / NANOS_PER_MILLI;
  }

  get durationMs() {
    return Number(this._columns.durations[this._at]) / NANOS_PER_MILLI;
  }

  get size() {
    return Number(this._columns.sizes[this._at]);
  }

  get lastCall() {
    return this._columns.lastCalls[this._at] !== 0;
  }

  get spans() {
    return spans(this._batch, this._start, this._end);
  }

  get otlp() {
    const ends = this._columns.spanEnds;
    if (ends.length === 0) return new Uint8Array(0);
    return this._columns.spans.subarray(this._at === 0 ? 0 : ends[this._at - 1], ends[this._at]);
  }

  *[Symbol.iterator]() {
    const { columns } = this._batch;
    for (let row = this._start; row < this._end; row++) {
      if (columns.ownerLevel(row) >= 0) yield new Attribute(columns, undefined, row);
    }
  }

  get(key) {
    const row = this._find(key, this._start);
    return row < 0 ? undefined : this._batch.columns.value(row);
  }

  all(key) {
    const values = [];
    for (let row = this._find(key, this._start); row >= 0; row = this._find(key, row + 1)) {
      values.push(this._batch.columns.value(row));
    }
    return values;
  }

  _find(key, start) {
    return this._batch.columns.find(key, undefined, start, this._end);
  }
}

function* spans(batch, start, end) {
  const { columns } = batch;
  for (let row = start; row < end; ) {
    const next = Math.min(columns.groupEnd(row), end);
    if (columns.ownerLevel(row) === ITEM) yield new Group(batch, undefined, ITEM, columns.owner(row), row, next);
    row = next;
  }
}
