/**
 * What an author holds in the hand: attributes, and the groups they form.
 *
 * Fields that begin with an underscore are not for authors. They are no private fields (`#row`), since those make an object half
 * as dear again in QuickJS, and there is one object for each value.
 */

import { ADD_INSERT, ADD_SET, REMOVE, SET } from "./edits.js";
import { LEVELS } from "./interest.js";
import { encode } from "./value.js";

/** One value that the plugin asked for: an attribute, or a field of the item. */
export class Attribute {
  constructor(columns, edits, row) {
    this._columns = columns;
    this._edits = edits;
    this._row = row;
  }

  get key() {
    return this._columns.key(this._row);
  }

  get level() {
    return this._columns.levelName(this._row);
  }

  get kind() {
    return this._columns.kindName(this._row);
  }

  get isField() {
    return this._columns.isField(this._row);
  }

  get value() {
    return this._columns.value(this._row);
  }

  set(value) {
    const { kind, binary } = encode(value, this._columns.kind(this._row));
    this._writable().row(this._row, SET, kind, binary);
  }

  remove() {
    if (this.isField) throw new TypeError(`${this.key} is a field, which cannot be removed: set it to another value`);
    this._writable().row(this._row, REMOVE, 0, "");
  }

  drop() {
    this._writable().drop(this._columns.owner(this._row), this._columns.ownerLevel(this._row));
  }

  /** Kind and bytes, for `set` of another attribute. */
  raw() {
    return this._columns.raw(this._row);
  }

  _writable() {
    if (this._edits === undefined) throw new TypeError("this attribute can only be read here");
    return this._edits;
  }
}

/** The values of one span, log record, data point, resource, scope or metric. */
export class Group {
  constructor(batch, edits, level, owner, start, end) {
    this._batch = batch;
    this._edits = edits;
    this._level = level;
    this._owner = owner;
    this._start = start;
    this._end = end;
  }

  get signal() {
    return this._batch.signal;
  }

  get level() {
    return LEVELS[this._level];
  }

  get length() {
    return this._end - this._start;
  }

  *[Symbol.iterator]() {
    for (let row = this._start; row < this._end; row++) yield this._attribute(row);
  }

  find(key) {
    const row = this._own(key);
    return row < 0 ? undefined : this._attribute(row);
  }

  get(key) {
    const row = this._own(key);
    return row < 0 ? undefined : this._batch.columns.value(row);
  }

  has(key) {
    return this._own(key) >= 0;
  }

  set(key, value) {
    const row = this._own(key);
    if (row >= 0) this._attribute(row).set(value);
    else this._add(ADD_SET, key, value);
  }

  insert(key, value) {
    if (this._own(key) < 0) this._add(ADD_INSERT, key, value);
  }

  remove(key) {
    const row = this._own(key);
    if (row >= 0) this._attribute(row).remove();
  }

  drop() {
    this._writable().drop(this._owner, this._level);
  }

  get resource() {
    return this._batch.above(0, this._level, this._owner);
  }

  get scope() {
    return this._batch.above(1, this._level, this._owner);
  }

  get metric() {
    return this._batch.above(6, this._level, this._owner);
  }

  _add(action, key, value) {
    if (typeof key !== "string") throw new TypeError("a key must be a string");
    const edits = this._writable();
    if (this._batch.isAskedField(key)) return;
    const { kind, binary } = encode(value);
    edits.add(this._owner, this._level, action, key, kind, binary);
  }

  _writable() {
    if (this._edits === undefined) throw new TypeError("this group can only be read here");
    return this._edits;
  }

  _attribute(row) {
    return new Attribute(this._batch.columns, this._edits, row);
  }

  /** The row of this itself with this key, not of an event, link or exemplar in it. */
  _own(key) {
    return this._batch.columns.find(key, this._level, this._start, this._end);
  }
}
