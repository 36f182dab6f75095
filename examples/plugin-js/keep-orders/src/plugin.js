import { plugin } from "../.tailrace/sdk/js/index.js";

export default plugin({
  name: "keep-orders",
  version: "0.1.0",

  configure({ min_amount: minAmount = 100, vip_key: vipKey = "customer.vip" }) {
    Object.assign(this, { minAmount, vipKey });
    return { attributes: ["order.amount", vipKey], levels: ["item"] };
  },

  decide(trace) {
    const large = (amount) => ["number", "bigint"].includes(typeof amount) && amount >= this.minAmount;
    return trace.all("order.amount").some(large) || trace.all(this.vipKey).includes(true);
  },
});
