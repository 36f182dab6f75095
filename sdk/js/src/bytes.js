/**
 * Bytes as "binary strings": one character from U+0000 to U+00FF for each byte.
 *
 * An interpreter takes about 100 ns for a step, so text is never touched byte by byte: all values of a batch become one
 * binary string with two native calls, and a value is a slice of it. QuickJS has no TextDecoder, but base64 in both directions;
 * Node, where unit tests run, has Buffer.
 */

const NOT_ASCII = /[^\0-\x7f]/;

/** Bytes to a binary string. */
export const toBinary =
  typeof Uint8Array.prototype.toBase64 === "function"
    ? (bytes) => atob(bytes.toBase64())
    : (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");

/** A binary string to bytes. */
export const fromBinary =
  typeof Uint8Array.fromBase64 === "function"
    ? (binary) => Uint8Array.fromBase64(btoa(binary))
    : (binary) => new Uint8Array(Buffer.from(binary, "latin1"));

/** Whether every character is ASCII, so that text and UTF-8 are the same. */
export function isAscii(text) {
  return !NOT_ASCII.test(text);
}

/** Text to a binary string of its UTF-8. */
export function utf8(text) {
  return isAscii(text) ? text : unescape(encodeURIComponent(text.toWellFormed()));
}

/** A binary string of UTF-8 to text; what is not UTF-8 stays as it is. */
export function text(binary) {
  if (isAscii(binary)) return binary;
  try {
    return decodeURIComponent(escape(binary));
  } catch {
    return binary;
  }
}

/** Packs texts as the contract wants them: where each ends, in bytes, and all of them. */
export function pack(texts) {
  const ends = [];
  let [end, data] = [0, ""];
  for (const one of texts) {
    end += utf8(one).length;
    ends.push(end);
    data += one;
  }
  return { ends, data };
}

/** Takes texts apart that were packed so. */
export function unpack(ends, data) {
  const ascii = data.length === (ends.at(-1) ?? 0);
  const binary = ascii ? data : utf8(data);
  const texts = [];
  let start = 0;
  for (const end of ends) {
    texts.push(ascii ? data.slice(start, end) : text(binary.slice(start, end)));
    start = end;
  }
  return texts;
}

/** Bytes to lower-case hex. */
export function hex(bytes) {
  let digits = "";
  for (const byte of bytes) digits += byte.toString(16).padStart(2, "0");
  return digits;
}
