/** Collects what an author changes, and packs it into the columns of the contract's `edits`. */

import { fromBinary, pack } from "./bytes.js";

/** What to do with a row; codes of the contract. */
export const SET = 0;
export const REMOVE = 1;
/** What to add; codes of the contract. */
export const ADD_SET = 0;
export const ADD_INSERT = 1;
const ADD_DROP = 2;

export class Edits {
  _rows = [];
  _actions = [];
  _kinds = [];
  _ends = [];
  /** All values; `join` of an array would cost ten times as much. */
  _data = "";
  /** Whether the rows do not ascend any more, or one occurs twice. */
  _disorder = false;
  _added = new Additions();

  /** Decides about a row; the last decision counts. */
  row(row, action, kind, binary) {
    const count = this._rows.length;
    if (count > 0 && this._rows[count - 1] >= row) this._disorder = true;
    this._rows.push(row);
    this._actions.push(action);
    this._kinds.push(kind);
    this._data += binary;
    this._ends.push(this._data.length);
  }

  /** Adds an attribute to a resource (0), scope (1), item (2) or metric (6). */
  add(owner, level, action, key, kind, binary) {
    this._added.push(owner, level, action, key, kind, binary);
  }

  /** Drops an item, or everything in a resource, scope or metric. */
  drop(owner, level) {
    this._added.push(owner, level, ADD_DROP, undefined, 0, "");
  }

  /** As the contract wants it. */
  wit() {
    if (this._disorder) this._order();
    return {
      rows: this._rows,
      actions: bytes(this._actions),
      kinds: bytes(this._kinds),
      ends: this._ends,
      data: fromBinary(this._data),
      additions: this._added.wit(),
    };
  }

  _order() {
    const last = new Map();
    this._rows.forEach((row, at) => last.set(row, at));
    const [actions, kinds, ends, data] = [this._actions, this._kinds, this._ends, this._data];
    [this._rows, this._actions, this._kinds, this._ends, this._data, this._disorder] = [[], [], [], [], "", false];
    for (const [row, at] of [...last].sort(([a], [b]) => a - b)) {
      this.row(row, actions[at], kinds[at], data.slice(at === 0 ? 0 : ends[at - 1], ends[at]));
    }
  }
}

class Additions {
  _owners = [];
  _levels = [];
  _actions = [];
  _keys = [];
  _kinds = [];
  _ends = [];
  _data = "";
  _names = new Map();

  push(owner, level, action, key, kind, binary) {
    this._owners.push(owner);
    this._levels.push(level);
    this._actions.push(action);
    this._keys.push(key === undefined ? 0 : this._name(key));
    this._kinds.push(kind);
    this._data += binary;
    this._ends.push(this._data.length);
  }

  wit() {
    const { ends, data } = pack([...this._names.keys()]);
    return {
      owners: this._owners,
      levels: bytes(this._levels),
      actions: bytes(this._actions),
      keys: this._keys,
      kinds: bytes(this._kinds),
      ends: this._ends,
      data: fromBinary(this._data),
      nameEnds: ends,
      names: data,
    };
  }

  _name(key) {
    const known = this._names.get(key);
    if (known !== undefined) return known;
    this._names.set(key, this._names.size);
    return this._names.size - 1;
  }
}

/** Twice as quick as `Uint8Array.from`. */
function bytes(numbers) {
  const column = new Uint8Array(numbers.length);
  column.set(numbers);
  return column;
}
