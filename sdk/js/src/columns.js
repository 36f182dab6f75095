/**
 * The columns of a batch, read lazily: a value becomes text or a number when the author looks at it.
 *
 * What the numbers mean, `wit/types.wit` says under `projection`.
 */

import { toBinary, unpack } from "./bytes.js";
import { LEVELS } from "./interest.js";
import { copied, decode, KINDS } from "./value.js";

/**
 * Set in an entry of `keys` that names a field, which makes it negative as a signed number: componentize-qjs hands out a u32 from 2^31
 * on as a negative number, so all keys are taken for signed.
 */
const FIELD = -(2 ** 31);
/** What the owner of a row on this level is, by code: events, links and exemplars belong to an item. */
const OWNER = [0, 1, 2, 2, 2, 2, 6];

export class Columns {
  _names = undefined;
  _numbers = undefined;
  _binary = undefined;

  constructor(columns, fields) {
    this._columns = columns;
    this._fields = fields;
    this.length = columns.owners.length;
    this.shape = columns.shape;
  }

  /** The number of the resource, scope, metric or item that a row belongs to. */
  owner(row) {
    return this._columns.owners[row];
  }

  /** The code of the row's level. */
  level(row) {
    return this._columns.levels[row];
  }

  /** The code of the level that the row's owner has; -1 for a level that this version does not know. */
  ownerLevel(row) {
    return OWNER[this._columns.levels[row]] ?? -1;
  }

  /** The row after the last one that has the same owner as `row`. */
  groupEnd(row) {
    const owner = this.owner(row);
    const level = this.ownerLevel(row);
    let end = row + 1;
    while (end < this.length && this._columns.owners[end] === owner && this.ownerLevel(end) === level) end++;
    return end;
  }

  levelName(row) {
    return LEVELS[this._columns.levels[row]];
  }

  isField(row) {
    return (this._columns.keys[row] | 0) < 0;
  }

  key(row) {
    const key = this._columns.keys[row] | 0;
    if (key < 0) return this._fields[key - FIELD];
    this._names ??= unpack(this._columns.nameEnds, this._columns.names);
    return this._names[key];
  }

  /** The first row from `start` to `end` with this key, on this level (a code) unless it is undefined; -1 if there is none. */
  find(key, level, start, end) {
    const wanted = this._number(key);
    if (wanted === undefined) return -1;
    const { keys, levels } = this._columns;
    for (let row = start; row < end; row++) {
      if ((keys[row] | 0) === wanted && (level === undefined ? levels[row] < OWNER.length : levels[row] === level)) return row;
    }
    return -1;
  }

  /** How the rows call this key; undefined if none has it. */
  _number(key) {
    if (this._numbers === undefined) {
      this._names ??= unpack(this._columns.nameEnds, this._columns.names);
      this._numbers = new Map(this._names.map((name, at) => [name, at]));
      this._fields.forEach((field, at) => this._numbers.set(field, FIELD + at));
    }
    return this._numbers.get(key);
  }

  kind(row) {
    return this._columns.kinds[row];
  }

  kindName(row) {
    return KINDS[this._columns.kinds[row]] ?? "unknown";
  }

  value(row) {
    return decode(this._columns.kinds[row], this._bytes(row));
  }

  /** Kind and bytes, for another attribute that is to get the same value. */
  raw(row) {
    return copied(this._columns.kinds[row], this._bytes(row));
  }

  _bytes(row) {
    this._binary ??= toBinary(this._columns.data);
    const ends = this._columns.ends;
    return this._binary.slice(row === 0 ? 0 : ends[row - 1], ends[row]);
  }
}
