/** The host where there is none: plugins run in unit tests with what Node has. */

import { unpack, utf8 } from "./bytes.js";

/** Escapes and classes, to be passed over, and what opens a group: `(`, `(?<name>` or `(?` of another kind. */
const GROUPS = /\\[^]|\[(?:\\[^]|[^\]])*\]|\((\?<([A-Za-z_]\w*)>|\?)?/g;

const sets = [];
const series = [];

/** What was recorded, for tests: `{kind, name, labels, values}` for each series. */
export const recorded = series;

export const native = {
  log(level, message) {
    globalThis.console?.error?.(`${level}: ${message}`);
  },
  openMetric(kind, name, labels) {
    if (!/^[a-z][a-z0-9_]*$/.test(name)) throw `the name of a metric must be like [a-z][a-z0-9_]*, not ${name}`;
    const same = (one) => one.name === name && JSON.stringify(one.labels) === JSON.stringify(labels);
    const known = series.findIndex(same);
    return known >= 0 ? known : series.push({ kind, name, labels, values: [] }) - 1;
  },
  recordMetric(id, value) {
    series[id]?.values.push(value);
  },
  compilePatterns(expressions) {
    return (
      sets.push(
        expressions.map((expression) => {
          try {
            return regex(expression);
          } catch (error) {
            throw `the pattern ${expression}: ${error.message}`;
          }
        }),
      ) - 1
    );
  },
  patternGroups(set, pattern) {
    const names = [""];
    for (const [opening, kind, name] of sets[set][pattern].source.matchAll(GROUPS)) {
      if (opening.startsWith("(") && (kind === undefined || name !== undefined)) names.push(name ?? "");
    }
    return names;
  },
  matchPatterns(set, texts) {
    const found = { texts: [], patterns: [], starts: [], ends: [] };
    each(set, texts, (regex, pattern, one, at) => {
      if (one.search(regex) < 0) return;
      found.texts.push(at);
      found.patterns.push(pattern);
    });
    return found;
  },
  findPatterns(set, texts) {
    const found = { texts: [], patterns: [], starts: [], ends: [] };
    each(set, texts, (regex, pattern, one, at) => {
      for (const match of one.matchAll(regex)) {
        const start = utf8(one.slice(0, match.index)).length;
        found.texts.push(at);
        found.patterns.push(pattern);
        found.starts.push(start);
        found.ends.push(start + utf8(match[0]).length);
      }
    });
    return found;
  },
  captureGroups(set, pattern, one) {
    const match = new RegExp(sets[set][pattern].source, "du").exec(one);
    const bytes = (place) => utf8(one.slice(0, place)).length;
    return Array.from(match?.indices ?? [], (group) => group && [bytes(group[0]), bytes(group[1])]);
  },
  hashTexts(algorithm, key, texts) {
    const crypto = globalThis.process.getBuiltinModule("node:crypto");
    const [, hmac, name] = /^(hmac-)?(md5|sha1|sha256|sha512|sha3-256)$/.exec(algorithm) ?? [];
    if (name === undefined) throw `there is no algorithm ${algorithm}`;
    if (hmac && key.length === 0) throw `${algorithm} needs a key`;
    const start = () => (hmac ? crypto.createHmac(name, key) : crypto.createHash(name).update(key));
    return new Uint8Array(Buffer.concat(unpack(texts.ends, texts.data).map((one) => start().update(one).digest())));
  },
};

/** RE2 writes `(?P<name>` and leading flags where JavaScript has others. */
function regex(expression) {
  const [, flags, rest] = /^(?:\(\?([ims]+)\))?([^]*)$/.exec(expression.replaceAll("(?P<", "(?<"));
  return new RegExp(rest, `gu${flags ?? ""}`);
}

function each(set, texts, call) {
  unpack(texts.ends, texts.data).forEach((one, at) => {
    (sets[set] ?? []).forEach((regex, pattern) => call(regex, pattern, one, at));
  });
}
