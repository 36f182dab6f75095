/** The groups of a batch: a walk over its columns, and the way from an item up to its resource. */

import { Columns } from "./columns.js";
import { Attribute, Group } from "./group.js";

const [RESOURCE, SCOPE, ITEM, METRIC] = [0, 1, 2, 6];
const CODES = { resource: RESOURCE, scope: SCOPE, item: ITEM, metric: METRIC };

export class Batch {
  _above = undefined;

  constructor(signal, values, asked, edits) {
    this.signal = signal;
    this.columns = new Columns(values, asked.fields);
    this._asked = asked;
    this._edits = edits;
  }

  *attributes() {
    for (let row = 0; row < this.columns.length; row++) {
      if (this.columns.ownerLevel(row) >= 0) yield new Attribute(this.columns, this._edits, row);
    }
  }

  /** The same without the cost of an iterator. */
  eachAttribute(call) {
    const { columns } = this;
    for (let row = 0; row < columns.length; row++) {
      if (columns.ownerLevel(row) >= 0) call(new Attribute(columns, this._edits, row));
    }
  }

  /** The groups with a value, and those that the interest asks for in any case. */
  groups() {
    return this._asked.every.size === 0 ? this._present(0, this.columns.length) : this._all();
  }

  /** The groups of the rows from `start` to `end`. */
  *_present(start, end) {
    const { columns } = this;
    for (let row = start; row < end; ) {
      const next = columns.groupEnd(row);
      const level = columns.ownerLevel(row);
      if (level >= 0) yield this._group(level, columns.owner(row), row, next);
      row = next;
    }
  }

  *_all() {
    const { columns } = this;
    const { every } = this._asked;
    const wanted = new Set([...every].map((level) => CODES[level]));
    let row = 0;
    for (const [level, owner] of this._owners()) {
      while (row < columns.length && columns.ownerLevel(row) < 0) row++;
      const here = row < columns.length && columns.owner(row) === owner && columns.ownerLevel(row) === level;
      const end = here ? columns.groupEnd(row) : row;
      if (here || wanted.has(level)) yield this._group(level, owner, row, end);
      row = end;
    }
  }

  /** Every resource, scope, metric and item, in the order of the batch. */
  *_owners() {
    const { resourceEnds, scopeEnds, metricEnds } = this.columns.shape;
    let [scope, child, point] = [0, 0, 0];
    for (let resource = 0; resource < resourceEnds.length; resource++) {
      yield [RESOURCE, resource];
      for (; scope < resourceEnds[resource]; scope++) {
        yield [SCOPE, scope];
        for (; child < scopeEnds[scope]; child++) {
          if (this.signal !== "metrics") {
            yield [ITEM, child];
            continue;
          }
          yield [METRIC, child];
          for (; point < metricEnds[child]; point++) yield [ITEM, point];
        }
      }
    }
  }

  _group(level, owner, start, end) {
    return new Group(this, this._edits, level, owner, start, end);
  }

  /** A group, to read, of what `owner` on level `from` lies in; without values if it does not lie in such a thing. */
  above(level, from, owner) {
    const { resourceEnds, scopeEnds, metricEnds } = this.columns.shape;
    const metrics = this.signal === "metrics";
    let [at, number] = [from, owner];
    if (at === ITEM && metrics) [at, number] = [METRIC, parent(metricEnds, number)];
    if (at !== level && (at === ITEM || at === METRIC)) [at, number] = [SCOPE, parent(scopeEnds, number)];
    if (at !== level && at === SCOPE) [at, number] = [RESOURCE, parent(resourceEnds, number)];
    const [start, end] = at === level ? this._rowsOf(level, number) : [0, 0];
    return new Group(this, undefined, level, number, start, end);
  }

  /** Where the rows of this resource, scope or metric are. */
  _rowsOf(level, owner) {
    if (this._above === undefined) {
      this._above = new Map();
      const { columns } = this;
      for (let row = 0; row < columns.length; ) {
        const end = columns.groupEnd(row);
        const found = columns.ownerLevel(row);
        if (found !== ITEM && found >= 0) this._above.set(found * 2 ** 32 + columns.owner(row), [row, end]);
        row = end;
      }
    }
    return this._above.get(level * 2 ** 32 + owner) ?? [0, 0];
  }

  /** Whether the interest names this field: it cannot be added as an attribute. */
  isAskedField(key) {
    return this._asked.fields.includes(key);
  }
}

/** Which entry of `ends` the child lies in: the first that ends after it. */
function parent(ends, child) {
  let [low, high] = [0, ends.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ends[middle] > child) high = middle;
    else low = middle + 1;
  }
  return low;
}
