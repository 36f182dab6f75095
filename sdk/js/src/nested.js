/** Arrays and maps: the one place that reads protobuf, so that no author has to. */

import { text, toBinary } from "./bytes.js";

/** How deep arrays and maps may lie in each other; the host allows no more. */
const DEPTH_MAX = 64;

/** An encoded `AnyValue` as an array, an object without a prototype, or what it is. */
export function nested(bytes) {
  return anyValue(new Reader(bytes, 0, bytes.length), 0);
}

function anyValue(reader, depth) {
  if (depth > DEPTH_MAX) throw new RangeError("a value is nested too deeply");
  let value;
  while (reader.more()) {
    const { field, wire } = reader.tag();
    if (field === 1) value = text(toBinary(reader.bytes()));
    else if (field === 2) value = reader.varint() !== 0n;
    else if (field === 3) value = number(BigInt.asIntN(64, reader.varint()));
    else if (field === 4) value = reader.double();
    else if (field === 5) value = elements(reader.message(), depth);
    else if (field === 6) value = entries(reader.message(), depth);
    else if (field === 7) value = reader.bytes().slice();
    else reader.skip(wire);
  }
  return value;
}

function elements(reader, depth) {
  const values = [];
  while (reader.more()) {
    const { field, wire } = reader.tag();
    if (field === 1) values.push(anyValue(reader.message(), depth + 1));
    else reader.skip(wire);
  }
  return values;
}

function entries(reader, depth) {
  const map = Object.create(null);
  while (reader.more()) {
    const { field, wire } = reader.tag();
    if (field === 1) entry(reader.message(), map, depth);
    else reader.skip(wire);
  }
  return map;
}

function entry(reader, map, depth) {
  let key = "";
  let value;
  while (reader.more()) {
    const { field, wire } = reader.tag();
    if (field === 1) key = text(toBinary(reader.bytes()));
    else if (field === 2) value = anyValue(reader.message(), depth + 1);
    else reader.skip(wire);
  }
  map[key] = value;
}

function number(big) {
  const small = Number(big);
  return Number.isSafeInteger(small) ? small : big;
}

/** Reads protobuf from a part of some bytes. */
class Reader {
  #bytes;
  #at;
  #end;

  constructor(bytes, start, end) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  more() {
    return this.#at < this.#end;
  }

  tag() {
    const tag = Number(this.varint());
    return { field: tag >>> 3, wire: tag & 7 };
  }

  varint() {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#take(1)];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError("a number is longer than 10 bytes");
  }

  double() {
    const at = this.#bytes.byteOffset + this.#take(8);
    return new DataView(this.#bytes.buffer).getFloat64(at, true);
  }

  bytes() {
    const length = Number(this.varint());
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  message() {
    const length = Number(this.varint());
    const start = this.#take(length);
    return new Reader(this.#bytes, start, start + length);
  }

  skip(wire) {
    if (wire === 0) this.varint();
    else if (wire === 1) this.#take(8);
    else if (wire === 2) this.bytes();
    else if (wire === 5) this.#take(4);
    else throw new RangeError(`there is no wire type ${wire}`);
  }

  #take(length) {
    const start = this.#at;
    if (length > this.#end - start) throw new RangeError("a value ends too early");
    this.#at += length;
    return start;
  }
}
