import { plugin } from "../.tailrace/sdk/js/index.js";

/** Masks the attributes that the configuration names: `{"mask": ["user.email", "url.*"]}`. */
export default plugin({
  name: "{{name}}",
  version: "0.1.0",

  configure({ mask, ...others }) {
    for (const key in others) throw new Error(`${key}: unknown key`);
    if (!Array.isArray(mask) || mask.length === 0) throw new Error("mask: name at least one attribute");
    return { attributes: mask };
  },

  attribute(attribute) {
    const { value } = attribute;
    if (typeof value === "string") attribute.set("*".repeat(value.length));
    else attribute.remove();
  },
});
