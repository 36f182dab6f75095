/** What a plugin asks for: checked, so that a mistake says what is wrong, and put into the words of the contract. */

export const SIGNALS = ["traces", "metrics", "logs"];
/** Levels by their code. */
export const LEVELS = ["resource", "scope", "item", "event", "link", "exemplar", "metric"];
/** Levels of which a plugin can ask for every group. */
const OWNERS = ["resource", "scope", "item", "metric"];
const KNOWN = ["signals", "attributes", "levels", "fields", "every", "singleInstance"];

/** What `configure` returned, for the host and for reading the columns. */
export function asked(interest) {
  if (interest === null || typeof interest !== "object" || Array.isArray(interest)) {
    throw new TypeError('configure must return what the plugin wants to see, as in {attributes: ["user.email"]}');
  }
  const unknown = Object.keys(interest).find((key) => !KNOWN.includes(key));
  if (unknown !== undefined) throw new TypeError(`unknown key ${unknown} in the interest: use ${KNOWN.join(", ")}`);
  const every = words(interest, "every", OWNERS);
  const fields = words(interest, "fields");
  return {
    fields,
    every: new Set(every),
    wit: {
      signals: words(interest, "signals", SIGNALS),
      attributes: words(interest, "attributes").map(selector),
      levels: words(interest, "levels", LEVELS),
      intrinsics: fields,
      always: every.length > 0,
      instances: interest.singleInstance ? "single" : "pooled",
    },
  };
}

/** `*` is every attribute, `http.*` every one whose key begins so; all else is a key. */
function selector(pattern) {
  if (pattern === "*") return { tag: "all" };
  if (pattern.endsWith("*")) return { tag: "prefix", val: pattern.slice(0, -1) };
  return { tag: "exact", val: pattern };
}

function words(interest, key, allowed) {
  const given = interest[key] ?? [];
  const list = typeof given === "string" ? [given] : [...given];
  for (const word of list) {
    if (typeof word !== "string") throw new TypeError(`${key} of the interest must hold strings`);
    if (allowed && !allowed.includes(word)) {
      throw new TypeError(`${key} of the interest cannot be ${word}: use ${allowed.join(", ")}`);
    }
  }
  return list;
}
