// Compiled, never run: each line marked so must not compile.
import { double, patterns, plugin, type Attribute, type Group } from "../../index.js";

export function wrong(attribute: Attribute, group: Group) {
  // @ts-expect-error an object cannot be set
  attribute.set({ a: 1 });
  // @ts-expect-error a value is set with set()
  attribute.value = 1;
  // @ts-expect-error a text is no number
  group.set("a", double("1"));
  // @ts-expect-error numbers are no texts
  patterns("a").test([1]);
}

// @ts-expect-error there is no version
plugin({ name: "a", group() {} });

// @ts-expect-error no such decision
plugin({ name: "a", version: "1", decide: () => "keep" });
