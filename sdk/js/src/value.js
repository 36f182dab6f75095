/** Values: how the columns write them, and what they are in JavaScript. */

import { fromBinary, text, toBinary, utf8 } from "./bytes.js";
import { nested } from "./nested.js";

/** Names of the kinds, by their code. */
export const KINDS = ["empty", "string", "bool", "int", "double", "bytes", "nested"];
const [EMPTY, STRING, BOOL, INT, DOUBLE, BYTES, NESTED] = [0, 1, 2, 3, 4, 5, 6];

const INT_MIN = -(2n ** 63n);
const INT_MAX = 2n ** 63n - 1n;
const scratch = new DataView(new ArrayBuffer(8));
const scratchBytes = new Uint8Array(scratch.buffer);

/** A number that is to be set as a double although it is whole. */
class Double {
  constructor(number) {
    this.number = number;
  }
}

/** Sets a whole number as a double: `attribute.set(double(2))`. */
export function double(number) {
  return new Double(Number(number));
}

/** What `binary` is, whose kind has this code. */
export function decode(kind, binary) {
  switch (kind) {
    case STRING:
      return text(binary);
    case BOOL:
      return binary === "\x01";
    case INT: {
      const number = fill(binary).getBigInt64(0, true);
      const small = Number(number);
      return Number.isSafeInteger(small) ? small : number;
    }
    case DOUBLE:
      return fill(binary).getFloat64(0, true);
    case BYTES:
      return fromBinary(binary);
    case NESTED:
      return nested(fromBinary(binary));
    default:
      return undefined;
  }
}

/**
 * The kind and the binary string of a value that an author sets. A number that replaces a double stays one.
 */
export function encode(value, replaces = EMPTY) {
  switch (typeof value) {
    case "string":
      return encodeText(value);
    case "boolean":
      return { kind: BOOL, binary: value ? "\x01" : "\0" };
    case "number":
      return replaces === DOUBLE || !Number.isSafeInteger(value) ? encodeDouble(value) : encodeInt(BigInt(value));
    case "bigint":
      return encodeInt(value);
    case "object":
      if (value instanceof Double) return encodeDouble(value.number);
      if (value instanceof Uint8Array) return { kind: BYTES, binary: toBinary(value) };
      if (typeof value?.raw === "function") return value.raw();
  }
  throw new TypeError(
    `${shown(value)} cannot be set: give a string, a number, a bigint, a boolean, a Uint8Array or another attribute`,
  );
}

/** Masks are set again and again: the last text is remembered. */
let lastText = "";
let lastEncoded = { kind: STRING, binary: "" };

function encodeText(value) {
  if (value !== lastText) {
    lastEncoded = { kind: STRING, binary: utf8(value) };
    lastText = value;
  }
  return lastEncoded;
}

function encodeInt(number) {
  if (number < INT_MIN || number > INT_MAX) throw new RangeError(`${number} does not fit into 64 bits: use double()`);
  scratch.setBigInt64(0, number, true);
  return { kind: INT, binary: String.fromCharCode.apply(null, scratchBytes) };
}

function encodeDouble(number) {
  scratch.setFloat64(0, number, true);
  return { kind: DOUBLE, binary: String.fromCharCode.apply(null, scratchBytes) };
}

function fill(binary) {
  for (let at = 0; at < 8; at++) scratchBytes[at] = binary.charCodeAt(at);
  return scratch;
}

/** The type of a value, never the value itself: telemetry does not belong into messages. */
function shown(value) {
  if (value === null || value === undefined) return String(value);
  return Array.isArray(value) ? "an array" : `a value of type ${typeof value}`;
}

/** An attribute's kind and bytes, to set another to the same. */
export function copied(kind, binary) {
  if (kind === EMPTY || kind >= NESTED) {
    throw new TypeError(`an attribute of kind ${KINDS[kind] ?? "unknown"} cannot be copied to another`);
  }
  return { kind, binary };
}
