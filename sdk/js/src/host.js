/**
 * What the host gives to a plugin, under natural names. In a component `use` is called with the imports of the contract; natively,
 * as in unit tests, what stands here does the same with what Node has.
 */

import { fromBinary, pack, text, toBinary, utf8 } from "./bytes.js";
import { native } from "./native.js";

let imports = native;

/** Gives the plugin a host. */
export function use(given) {
  imports = given;
}

/** Text to bytes and back. */
export const host = {
  encode: (given) => fromBinary(utf8(given)),
  decode: (bytes) => text(toBinary(bytes)),
};

const shown = (parts) => parts.map(one).join(" ");
const one = (part) => (typeof part === "string" ? part : part instanceof Error ? `${part}\n${part.stack}` : json(part));

function json(part) {
  try {
    return JSON.stringify(part) ?? String(part);
  } catch {
    return String(part);
  }
}

const line = (level) => (...parts) => imports.log(level, shown(parts));

export const log = {
  trace: line("trace"),
  debug: line("debug"),
  info: line("info"),
  warn: line("warn"),
  error: line("error"),
};

/** A series of a metric, opened when it is first used, since that is not possible before `configure`. */
class Series {
  #kind;
  #name;
  #labels;
  #id = undefined;

  constructor(kind, name, labels) {
    this.#kind = kind;
    this.#name = name;
    this.#labels = Object.entries(labels).map(([label, value]) => [label, String(value)]);
  }

  record(value) {
    this.#id ??= this.#open();
    if (this.#id >= 0) imports.recordMetric(this.#id, Number(value));
  }

  /** The number of the series; -1 if the host does not want it, which is said once. */
  #open() {
    try {
      return imports.openMetric(this.#kind, this.#name, this.#labels);
    } catch (error) {
      log.warn(`no metric ${this.#name}: ${thrown(error)}`);
      return -1;
    }
  }
}

export function counter(name, labels = {}) {
  const series = new Series("counter", name, labels);
  return { add: (value = 1) => series.record(value) };
}

export function gauge(name, labels = {}) {
  const series = new Series("gauge", name, labels);
  return { set: (value) => series.record(value) };
}

export function histogram(name, labels = {}) {
  const series = new Series("histogram", name, labels);
  return { record: (value) => series.record(value) };
}

export function patterns(expressions) {
  const list = typeof expressions === "string" ? [expressions] : [...expressions];
  return new Patterns(list, fallible(() => imports.compilePatterns(list)));
}

class Patterns {
  #set;
  #names = [];

  constructor(expressions, set) {
    this.expressions = expressions;
    this.#set = set;
  }

  test(texts) {
    return column(texts, (list) => {
      const found = list.map(() => []);
      const { texts: which, patterns } = imports.matchPatterns(this.#set, pack(list));
      for (let at = 0; at < which.length; at++) found[which[at]].push(patterns[at]);
      return found;
    });
  }

  find(texts) {
    return column(texts, (list) => {
      const found = list.map(() => []);
      const places = list.map(placesOf);
      const { texts: which, patterns, starts, ends } = imports.findPatterns(this.#set, pack(list));
      for (let at = 0; at < which.length; at++) {
        const place = places[which[at]];
        found[which[at]].push({ pattern: patterns[at], start: place(starts[at]), end: place(ends[at]) });
      }
      return found;
    });
  }

  replace(texts, replacement) {
    return column(texts, (list) => {
      const found = this.find(list);
      return list.map((given, at) => replaced(given, found[at], replacement));
    });
  }

  capture(given, pattern = 0) {
    const groups = imports.captureGroups(this.#set, pattern, given);
    if (groups.length === 0) return undefined;
    this.#names[pattern] ??= imports.patternGroups(this.#set, pattern);
    const place = placesOf(given);
    const captured = {};
    groups.forEach((group, at) => {
      const value = group ? given.slice(place(group[0]), place(group[1])) : undefined;
      captured[at] = value;
      const name = this.#names[pattern][at];
      if (name) captured[name] = value;
    });
    return captured;
  }
}

/** Matches of several patterns may overlap: what lies in one that was replaced already is left out. */
function replaced(given, matches, replacement) {
  let [result, after] = ["", 0];
  for (const { start, end } of matches.sort((a, b) => a.start - b.start || b.end - a.end)) {
    if (start < after) {
      after = Math.max(after, end);
      continue;
    }
    result += given.slice(after, start) + replacement;
    after = end;
  }
  return result + given.slice(after);
}

/** Places in a text: from bytes of UTF-8, as the host counts, to characters of JavaScript. */
function placesOf(given) {
  const binary = utf8(given);
  return binary.length === given.length ? (place) => place : (place) => text(binary.slice(0, place)).length;
}

export function hash(algorithm, texts, { key = "" } = {}) {
  const secret = key instanceof Uint8Array ? key : host.encode(key);
  return column(texts, (list) => {
    if (list.length === 0) return [];
    const all = fallible(() => imports.hashTexts(algorithm, secret, pack(list)));
    const digits = toHex(all);
    const length = digits.length / list.length;
    return list.map((_, at) => digits.slice(at * length, (at + 1) * length));
  });
}

const toHex =
  typeof Uint8Array.prototype.toHex === "function"
    ? (bytes) => bytes.toHex()
    : (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");

/** One text in, one answer out; an array in, an array out. One call for all of them. */
function column(texts, answer) {
  return typeof texts === "string" ? answer([texts])[0] : answer([...texts]);
}

/** The host's errors are texts; an author gets an Error. */
function fallible(call) {
  try {
    return call();
  } catch (error) {
    throw new Error(thrown(error));
  }
}

function thrown(error) {
  return String(error?.payload ?? error?.message ?? error);
}

/** The clock and the random numbers of JavaScript, and `console`, where there is no WASI. */
export function world(scope) {
  const milliseconds = () => Math.floor(Number(imports.now()) / 1e6);
  const Clockless = scope.Date;
  scope.Date = class Date extends Clockless {
    constructor(...given) {
      super(...(given.length === 0 ? [milliseconds()] : given));
    }
    static now() {
      return milliseconds();
    }
  };
  scope.Math.random = () => (Number(imports.random()) % 2 ** 53) / 2 ** 53;
  scope.performance = { now: () => Number(imports.now()) / 1e6, timeOrigin: 0 };
  scope.console = { ...log, log: log.info };
}
