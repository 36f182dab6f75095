import { plugin } from "../.tailrace/sdk/js/index.js";

export default plugin({
  name: "tidy",
  version: "0.1.0",

  configure({ delete: gone = [], mask = [], set = {}, drop_span_names: names = [], ...others }) {
    for (const key in others) throw new Error(`${key}: unknown key`);
    Object.assign(this, { gone: new Set(gone), mask: new Set(mask), set, names: new Set(names) });
    return { attributes: [...gone, ...mask, ...Object.values(set)], fields: names.length > 0 ? "span.name" : [] };
  },

  group(group) {
    if (this.names.has(group.get("span.name"))) return group.drop();
    const from = group.level === "item" && group.find(this.set.from);
    if (from) group.set(this.set.to, from);
    for (const attribute of group) {
      if (this.gone.has(attribute.key)) attribute.remove();
      else if (this.mask.has(attribute.key)) attribute.set("****");
    }
  },
});
