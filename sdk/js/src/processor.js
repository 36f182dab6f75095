/** Plugins that take whole batches. */

import { toBinary, utf8 } from "./bytes.js";

export const METHODS = ["process"];

/** Drops the whole batch, counted under `reason`: a few words in lower case. */
export function drop(reason) {
  return new Drop(String(reason));
}

class Drop {
  constructor(reason) {
    this.reason = reason;
  }
}

/** An encoded request. */
export class RawBatch {
  #binary = undefined;

  constructor(signal, bytes) {
    this.signal = signal;
    this.bytes = bytes;
  }

  includes(text) {
    this.#binary ??= toBinary(this.bytes);
    return this.#binary.includes(utf8(text));
  }
}

export function exports({ author }) {
  return { process: (signal, bytes) => outcome(author.process(new RawBatch(signal, bytes))) };
}

/** What an author returned, as the contract's outcome. */
export function outcome(returned) {
  if (returned === undefined || returned === null) return { tag: "unchanged" };
  if (returned instanceof Uint8Array) return { tag: "replaced", val: returned };
  if (returned instanceof Drop) return { tag: "drop", val: returned.reason };
  throw new TypeError("process must return nothing (unchanged), a Uint8Array (a new batch) or drop(reason)");
}
